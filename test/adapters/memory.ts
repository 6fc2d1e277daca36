/**
 * A program's own memory, for the suite: the ledger of the documentation as a program that knows
 * nothing of adapters.
 *
 * @module
 */
import { MIB, PAGE_BYTES_DEFAULT, pagesCovering } from '@godwit/core'
import type { CreatePager, GateMemory, MemoryArrival, Region } from 'godwit'
import { GatePager, MemoryHost, memoryGuest } from 'godwit'
import type { AdapterUnderTest, SuiteHost } from 'godwit/adapter-suite'
import { Ledger, readState } from '../../docs/examples/adapter.ts'
import { ledger as example } from './ledger.ts'

const byteLength = 1 * MIB

const createGate: CreatePager = (regions, pageBytes) =>
  new GatePager(regions.map(({ bytes }) => pagesCovering(bytes.length, pageBytes)))

function regionOf(memory: SharedArrayBuffer): Region {
  return { id: 0, name: 'accounts', bytes: new Uint8Array(memory) }
}

/** @param own - what the program receives into; undefined: allocated for it */
function hostOf(own: SharedArrayBuffer | undefined): SuiteHost {
  let ledger: Ledger | undefined
  let state = new Uint8Array(0)
  const arrival: MemoryArrival = {
    ...(own === undefined ? {} : { memory: own }),
    prepare(arrived) {
      readState(arrived)
      state = Uint8Array.from(arrived)
    },
    run([region]: readonly Region[], gate?: GateMemory) {
      ledger = new Ledger(region!, PAGE_BYTES_DEFAULT, gate)
      ledger.restore(state)
      ledger.run()
    },
    end: () => ledger!.end(),
  }
  const host = new MemoryHost(arrival, 1.5 * byteLength, createGate)
  return { host, progress: () => ledger?.steps ?? 0 }
}

function adapterOf(ownMemory: () => SharedArrayBuffer | undefined): AdapterUnderTest {
  return {
    async startGuest() {
      const memory = new SharedArrayBuffer(byteLength)
      new Uint32Array(memory).fill(100)
      const ledger = new Ledger(regionOf(memory), PAGE_BYTES_DEFAULT)
      ledger.seed(9)
      ledger.run()
      const guest = memoryGuest({
        memory,
        pause: () => ledger.stand(),
        resume: () => ledger.run(),
        throttle: (share) => ledger.throttle(share),
        state: () => ledger.capture(),
      })
      return { guest, progress: () => ledger.steps, end: () => ledger.end() }
    },
    createHost: () => hostOf(ownMemory()),
    badStates: (state) => example.badStates!(state),
  }
}

/** Memory that Godwit allocates at the destination. */
export const allocated: AdapterUnderTest = adapterOf(() => undefined)
/** Memory that the program has there, too. */
export const brought: AdapterUnderTest = adapterOf(() => new SharedArrayBuffer(byteLength))

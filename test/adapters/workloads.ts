/**
 * Workloads, for the suite.
 *
 * @module
 */
import { writeFileSync } from 'node:fs'
import type { Guest } from '@godwit/core'
import { KIB, MIB } from '@godwit/core'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import type { AdapterUnderTest } from 'godwit/adapter-suite'
import { expectContinuous } from '../end-to-end/oracle.ts'
import { freshPath } from '../end-to-end/process.ts'

const memoryBytes = 1 * MIB

function imageFile(): string {
  const path = freshPath('adapter.img')
  writeFileSync(path, new Uint8Array(300 * KIB).fill(0x6b))
  return path
}

/** What is wrong with each, by name, and every other one is like the right one. */
function badStates(state: Uint8Array): Record<string, Uint8Array> {
  const changed = (at: number, value: number): Uint8Array => {
    const other = Uint8Array.from(state)
    other[at] = value
    return other
  }
  return {
    empty: new Uint8Array(0),
    'cut in the header': state.slice(0, 9),
    'cut in a record': state.slice(0, -1),
    'longer by a byte': Uint8Array.of(...state, 0),
    'of another kind': changed(0, 0),
    'of another version': changed(4, 2),
    'of more threads': changed(6, 63),
    'of another record size': changed(8, 65),
    'of no thread': changed(6, 0),
    'of too many steps': changed(16 + 7, 0xff),
    'without a random state': state.map((byte, at) => (at >= 16 + 24 && at < 16 + 32 ? 0 : byte)),
  }
}

/** @param text - as `godwit send` takes it */
export function workload(text: string, isReadOnly = false): AdapterUnderTest {
  const spec = text === 'image' ? `image,file=${imageFile()}` : text
  return {
    isReadOnly,
    async startGuest() {
      const { identity } = parseGuest(spec, memoryBytes)
      const regionBytesMax = text.startsWith('writer') ? 400 * KIB : undefined
      const options = regionBytesMax === undefined ? {} : { regionBytesMax }
      const guest = await WorkloadGuest.start(identity, memoryBytes, options)
      return { guest, end: () => guest.stop() }
    },
    createHost: () => ({ host: new WorkloadHost({ memoryBytesMax: 1.5 * memoryBytes }) }),
    badStates,
    async verify(arrived, source: Guest) {
      await expectContinuous(arrived as IncomingWorkload, source.identity, source.steps!())
    },
  }
}

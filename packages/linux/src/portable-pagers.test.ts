import { type DemandPager, pagesCovering } from '@godwit/core'
import { Gate, GatePager } from '@godwit/memory'
import {
  type PagerRig,
  type PagerSetup,
  pagerCompliance,
  passesScenario,
} from '@godwit/testkit/pager-compliance'
import { expect, test } from 'vitest'

const isLong = process.env['GODWIT_LONG'] !== undefined
const url = new URL('../../memory/src/gate.ts', import.meta.url).href

const gate: PagerSetup = async ({ pageBytes, byteLengths }) => {
  const pager = new GatePager(byteLengths.map((length) => pagesCovering(length, pageBytes)))
  const memory = byteLengths.map((length) => {
    // With room behind it, as there is in wasm's memory.
    return new Uint8Array(new SharedArrayBuffer(length + 4096), 0, length)
  })
  return { pager, memory, entry: { url, name: Gate.name, argument: pager.memory } }
}

pagerCompliance('gate', gate)

/** A gate that is wrong in one way. */
function wrongGate(change: (pager: DemandPager, rig: PagerRig) => Partial<DemandPager>) {
  const setup: PagerSetup = async (memory) => {
    const rig = await gate(memory)
    const { pager } = rig
    const right: DemandPager = {
      name: 'wrong',
      forgets: false,
      source: pager.source,
      states: pager.states,
      get faults() {
        return pager.faults
      },
      discard: (...pages) => pager.discard(...pages),
      arm: () => pager.arm(),
      listen: (onFault) => pager.listen(onFault),
      close: () => pager.close(),
      abandon: () => pager.abandon(),
    }
    return { ...rig, pager: Object.assign(right, change(pager, rig)) }
  }
  return setup
}

test.each([
  [
    'loses every 9th fault',
    wrongGate((pager) => {
      let faults = 0
      return {
        listen: (onFault) => {
          pager.listen((...fault) => {
            if (++faults % 9 !== 0) onFault(...fault)
          })
        },
      }
    }),
    'stores wait as loads do, and are not lost',
  ],
  [
    'tells of faults twice',
    wrongGate((pager) => ({
      listen: (onFault) => {
        pager.listen((...fault) => {
          onFault(...fault)
          onFault(...fault)
        })
      },
    })),
    'threads that wait for the same page ask for it once, and all go on',
  ],
  [
    'makes nobody wait',
    wrongGate(() => ({ discard: () => {} })),
    'a thread waits for its page, and finds what was brought',
  ],
  [
    'holds up all threads for one',
    wrongGate((pager) => {
      let isHeld = false
      return {
        listen: (onFault) => {
          pager.listen((region, page) => {
            isHeld ||= region === 3
            if (!isHeld) onFault(region, page)
          })
        },
      }
    }),
    'a thread asks in its order, and waits for no other thread',
  ],
  [
    'discards one page too many',
    wrongGate((pager) => ({
      discard: (region, first, end) => {
        pager.discard(region, first, Math.min(end + 1, pager.states[region]!.words.length))
      },
    })),
    'pages that were not discarded are there, also where nobody ever touched them',
  ],
  [
    'forgets the last byte of a page',
    wrongGate((_, { memory }) => ({
      placers: memory.map((bytes) => ({
        put: (page, from, start, end) => bytes.set(from.subarray(start, end - 1), page * 4096),
        clear: (first, end) => bytes.fill(0, first * 4096, end * 4096),
      })),
    })),
    'a thread waits for its page, and finds what was brought',
  ],
  [
    'brings anything for zeros',
    wrongGate((_, { memory }) => ({
      placers: memory.map((bytes) => ({
        put: (page, from, start, end) => bytes.set(from.subarray(start, end), page * 4096),
        clear: (first, end) => bytes.fill(7, first * 4096, end * 4096),
      })),
    })),
    'zero pages are brought as such, and are no less waited for',
  ],
] as const)('a pager that %s is found out', async (_, setup, scenario) => {
  expect(await passesScenario(setup, scenario, 1000)).toBe(false)
  // The right one went through the same above.
  const isRight = !isLong || (await passesScenario(gate, scenario, 20_000))
  expect(isRight).toBe(true)
})

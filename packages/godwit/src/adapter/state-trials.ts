/**
 * The state package: captured, refused, restored.
 *
 * @module
 */
import assert from 'node:assert/strict'
import type { Stand, Trial } from './stand.ts'
import { copyOf, refuses } from './stand.ts'

const stateBytesMax = 64 * 2 ** 20

export const stateTrials: readonly Trial[] = [
  {
    name: 'state/same-twice',
    promise: 'In one pause captureState() tells the same bytes, each time in a package of its own.',
    async play(stand) {
      const { guest, progress } = await stand.startPaused()
      const first = await stand.within(guest.captureState(), 'captureState()')
      assert.ok(first instanceof Uint8Array, 'it is no Uint8Array')
      assert.ok(first.length <= stateBytesMax, `${first.length} bytes are more than 64 MiB`)
      const copy = Uint8Array.from(first)
      // It is the engine's now.
      first.fill(0xee)
      const second = await stand.within(guest.captureState(), 'captureState(), again')
      sameState(second, copy, 'asked again')
      await guest.resume()
      await stand.goesOn(progress, 'it does not go on after a capture')
      sameState(second, copy, 'after the guest went on')
    },
  },
  {
    name: 'state/only-paused',
    promise: 'captureState() of a guest that runs throws or rejects, and the guest runs on.',
    async play(stand) {
      const { guest, progress } = await stand.start()
      const captured = async (): Promise<unknown> => guest.captureState()
      await assert.rejects(captured, 'it tells the state of a guest that runs')
      await stand.goesOn(progress, 'it stops')
      await stand.within(guest.pause(), 'pause()')
      await stand.within(guest.captureState(), 'captureState()')
      await guest.resume()
      await stand.goesOn(progress, 'it does not go on after resume()')
      await assert.rejects(captured, 'after a pause it tells the state of a guest that runs')
    },
  },
  {
    name: 'state/restores',
    promise: 'With its memory and state of before, the guest goes on from there.',
    async play(stand) {
      const { guest, progress } = await stand.startPaused()
      if (guest.restoreState === undefined) return 'it has no restoreState'
      const memory = copyOf(guest.regions)
      const state = Uint8Array.from(await guest.captureState())
      const [steps, then] = [guest.steps?.(), progress()]
      await guest.resume()
      await stand.goesOn(progress, 'it does not go on after resume()')
      await stand.within(guest.pause(), 'pause()')
      for (const [index, { bytes }] of guest.regions.entries()) bytes.set(memory[index]!)
      const lent = Uint8Array.from(state)
      await stand.within(guest.restoreState(lent), 'restoreState()')
      lent.fill(0xee)
      sameState(await guest.captureState(), state, 'captured after it was restored')
      assert.deepEqual([guest.steps?.(), progress()], [steps, then], 'its progress is another')
      stand.sameMemory(guest.regions, memory, 'restoreState() stored to memory')
      await guest.resume()
      await stand.goesOn(progress, 'it does not go on after restoreState()')
      return undefined
    },
  },
  {
    name: 'state/refuses',
    promise: 'A state package that is not right is refused with a typed error, and not loaded.',
    async play(stand) {
      const { guest, progress } = await stand.startPaused()
      if (guest.restoreState === undefined) return 'it has no restoreState'
      const state = Uint8Array.from(await guest.captureState())
      const bad = Object.entries(badStatesOf(stand, state))
      if (bad.length === 0) return 'there is no bad state'
      const memory = copyOf(guest.regions)
      for (const [what, bytes] of bad) {
        await refuses(async () => guest.restoreState!(bytes), `a state that is ${what}`)
        sameState(await guest.captureState(), state, `after one that is ${what}`)
        stand.sameMemory(guest.regions, memory, `after a state that is ${what}`)
      }
      await guest.resume()
      await stand.goesOn(progress, 'it does not go on after what it refused')
      return undefined
    },
  },
]

function sameState(state: Uint8Array, expected: Uint8Array, text: string): void {
  assert.ok(Buffer.compare(state, expected) === 0, `the state package is another one: ${text}`)
}

/** What no adapter may take for `state`. */
export function badStatesOf(
  { adapter }: Stand,
  state: Uint8Array,
): Readonly<Record<string, Uint8Array>> {
  if (adapter.badStates !== undefined) return adapter.badStates(Uint8Array.from(state))
  if (state.length === 0) return {}
  const half = state.length >> 1
  const longer = new Uint8Array(state.length + 1)
  longer.set(state)
  return {
    empty: new Uint8Array(0),
    'cut in the middle': state.slice(0, half),
    'cut by a byte': state.slice(0, -1),
    'longer by a byte': longer,
    'all ones': new Uint8Array(state.length).fill(0xff),
    rubbish: state.map((byte, at) => (byte ^ (at * 151 + 89)) & 0xff),
  }
}

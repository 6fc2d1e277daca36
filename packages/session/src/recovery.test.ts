import { CancelledError, GodwitError, PeerError, ProtocolError, TransportError } from '@godwit/core'
import type { Message } from '@godwit/wire'
import { describe, expect, it } from 'vitest'
import { stepDestination } from './destination-machine.ts'
import type { DestinationEvent, DestinationState } from './destination-state.ts'
import { mayInstall } from './destination-state.ts'
import { stepSource } from './source-machine.ts'
import type { SourceEvent, SourceState } from './source-state.ts'
import { mayTakeOver } from './source-state.ts'

const agreed = { mode: 'post-copy', verify: true, final: true } as const
const terms = { ...agreed, recovers: true, asks: false, keepsCheckpoints: false } as const
const cut = new TransportError('CONNECTION_LOST', 'cut')
const again = new TransportError('CONNECTION_REFUSED', 'nothing listens')
const cancelled = new CancelledError()
const suspended = (error: GodwitError) => [
  { do: 'refuse', error },
  { do: 'suspend', error },
]
const closed = (error: GodwitError) => [{ do: 'refuse', error }, { do: 'close' }]
/** What a side that gives up because of something else tells: that it is for good. */
const forGood = expect.objectContaining({ code: 'CANCELLED' })

const round = 3

describe('the source', () => {
  const step = (state: SourceState, event: SourceEvent) => stepSource(state, event, terms)
  const fail = (state: SourceState, error: GodwitError) => step(state, { type: 'fail', error })
  const lost = { round, postCopy: true, committed: true, error: cut } as const
  const paused = { name: 'paused', ...lost } as const
  const reconnecting = { name: 'reconnecting', ...lost } as const
  const resuming = { name: 'resuming', ...lost, epoch: 2 } as const
  const reopening = { name: 'reopening', round, error: cut } as const
  const recovering: readonly SourceState[] = [paused, reconnecting, resuming, reopening]
  const resumed = (epoch: number, next: number): Message => {
    return { name: 'Resumed', body: { epoch, round: next, pages: 5, checksum: 0 } }
  }

  it.each<readonly [SourceState, number, boolean]>([
    [{ name: 'released', round: 2, postCopy: true, epoch: 0 }, 3, false],
    [{ name: 'released', round: 0, postCopy: true, epoch: 0 }, 1, false],
    [{ name: 'pushing', round }, 3, true],
    [{ name: 'pushed', round }, 3, true],
    [reconnecting, 3, true],
    [{ ...reconnecting, committed: false }, 3, false],
    [resuming, 3, true],
    [{ ...resuming, committed: false }, 3, false],
    [reopening, 3, true],
  ])('pauses where %o is interrupted', (state, last, committed) => {
    const next = { ...paused, round: last, committed, error: again }
    expect(fail(state, again)).toEqual({ state: next, effects: suspended(again) })
  })

  it('is suspended once, however many channels were lost', () => {
    expect(fail(paused, again)).toEqual({ state: paused, effects: [] })
  })

  it('goes through all states back to pushing, with the round of RESUMED', () => {
    const reconnect = step(paused, { type: 'reconnect' })
    expect(reconnect).toEqual({ state: reconnecting, effects: [{ do: 'reconnect' }] })
    const opened = step(reconnect.state, { type: 'reconnected', epoch: 2 })
    expect(opened).toEqual({ state: resuming, effects: [{ do: 'send', message: 'Resume' }] })
    const lacking: Message = { name: 'Lacking', body: { region: 0, runs: new Uint8Array(8) } }
    const named = step(opened.state, { type: 'message', message: lacking })
    expect(named).toEqual({ state: resuming, effects: [{ do: 'apply', message: lacking }] })
    const message = resumed(2, 7)
    const answered = step(named.state, { type: 'message', message })
    expect(answered.state).toEqual({ name: 'reopening', round: 7, error: cut })
    expect(answered.effects).toEqual([{ do: 'apply', message }, { do: 'open-channels' }])
    const pushing = step(answered.state, { type: 'opened' })
    expect(pushing.state).toEqual({ name: 'pushing', round: 7 })
    expect(pushing.effects).toEqual([{ do: 'send-round', round: 7, kind: 'post-copy' }])
  })

  it.each([
    ['of another connection', resumed(1, 4)],
    ['of a later connection', resumed(3, 4)],
    ['with the round of before', resumed(2, 3)],
    ['with a round before that', resumed(2, 2)],
  ])('refuses a RESUMED %s', (_, message) => {
    const refusal = expect.objectContaining({ code: 'PROTOCOL_STATE' })
    expect(() => step(resuming, { type: 'message', message })).toThrow(refusal)
    const { state } = fail(resuming, new ProtocolError('PROTOCOL_STATE', ''))
    expect(state).toMatchObject({ name: 'paused', round, committed: true })
  })

  it('knows from RESUMED that the guest is there', () => {
    const doubtful = { ...resuming, committed: false }
    const { state } = step(doubtful, { type: 'message', message: resumed(2, 4) })
    expect(fail(state, again).state).toMatchObject({ name: 'paused', round: 4, committed: true })
  })

  const ends = recovering.flatMap((state) =>
    ('committed' in state ? [true, false] : [true]).map((committed) => {
      const one = 'committed' in state ? { ...state, committed } : state
      return [one, committed ? 'stranded' : 'in-doubt'] as const
    }),
  )

  it.each(ends)('gives %o up: %s', (state, name) => {
    const silent = step(state, { type: 'give-up' })
    expect(silent).toEqual({ state: { name, error: cut }, effects: closed(forGood) })
    const told = step(state, { type: 'give-up', error: again })
    expect(told).toEqual({ state: { name, error: again }, effects: closed(forGood) })
    const cancel = fail(state, cancelled)
    expect(cancel).toEqual({ state: { name, error: cancelled }, effects: closed(cancelled) })
    const died = new PeerError('GUEST_FAILED', 'told')
    expect(fail(state, died).state).toEqual({ name, error: died })
  })

  it.each(['SESSION_UNKNOWN', 'EPOCH_STALE'] as const)('ends where it hears %s', (code) => {
    const refused = new PeerError(code, 'told')
    for (const state of [reconnecting, resuming]) {
      expect(fail(state, refused).state).toEqual({ name: 'stranded', error: refused })
      const doubtful = { ...state, committed: false }
      expect(fail(doubtful, refused).state).toEqual({ name: 'in-doubt', error: refused })
    }
    // Of channels that were refused since the session was just lost, or by this side.
    expect(fail(reopening, refused).state.name).toBe('paused')
    expect(fail({ name: 'pushing', round }, refused).state.name).toBe('paused')
    expect(fail(resuming, new ProtocolError(code, '')).state.name).toBe('paused')
  })

  it.each([paused, reconnecting, { ...paused, committed: false }])('takes over in %o', (state) => {
    const effects = [{ do: 'close' }, { do: 'take-over' }]
    const taken = { name: 'taken-over', error: cut }
    expect(step(state, { type: 'take-over' })).toEqual({ state: taken, effects })
    for (const event of [{ type: 'reconnect' }, { type: 'fail', error: again }] as const) {
      expect(step(taken as SourceState, event)).toEqual({ state: taken, effects: [] })
    }
  })

  it.each([resuming, reopening, { name: 'pushing', round } as const])(
    'takes nothing over where the destination answers: %o',
    (state) => {
      expect(mayTakeOver(state)).toBe(false)
      expect(() => step(state, { type: 'take-over' })).toThrow('take-over in')
    },
  )

  it('waits for the operator where it keeps checkpoints, whatever the destination says', () => {
    const keeps = { ...terms, keepsCheckpoints: true }
    for (const code of ['SESSION_UNKNOWN', 'EPOCH_STALE', 'CANCELLED', 'GUEST_FAILED'] as const) {
      const error = new PeerError(code, 'told')
      for (const state of [{ name: 'pushing', round } as const, reconnecting, resuming]) {
        expect(stepSource(state, { type: 'fail', error }, keeps).state.name).toBe('paused')
      }
    }
    const own = { type: 'fail', error: cancelled } as const
    expect(stepSource(reconnecting, own, keeps).state.name).toBe('stranded')
  })

  it.each<SourceState>([
    { name: 'pushing', round },
    { name: 'pushed', round },
    { name: 'released', round, postCopy: true, epoch: 0 },
  ])('is not suspended by a cancel in %o', (state) => {
    const name = state.name === 'released' ? 'in-doubt' : 'stranded'
    expect(fail(state, cancelled).state).toEqual({ name, error: cancelled })
  })

  it.each<readonly [SourceState, string]>([
    [{ name: 'released', round, postCopy: false, epoch: 0 }, 'in-doubt'],
    [{ name: 'preparing', round, acknowledged: true, postCopy: true }, 'failed'],
    [{ name: 'verifying', final: false, digested: false }, 'completed'],
    [{ name: 'ending' }, 'completed'],
  ])('does not recover from %o', (state, name) => {
    expect(fail(state, cut).state.name).toBe(name)
  })

  it.each<SourceEvent['type']>(['sent', 'opened'])(
    'does not mind a late %s when paused',
    (type) => {
      expect(step(paused, { type } as SourceEvent)).toEqual({ state: paused, effects: [] })
    },
  )

  const events: readonly SourceEvent[] = [
    { type: 'reconnect' },
    { type: 'reconnected', epoch: 2 },
    { type: 'opened' },
    { type: 'sent' },
    { type: 'give-up' },
    { type: 'discarded' },
  ]

  it.each([
    [paused, ['reconnect', 'opened', 'sent', 'give-up']],
    [reconnecting, ['reconnected', 'give-up']],
    [resuming, ['give-up']],
    [reopening, ['opened', 'give-up']],
    [{ name: 'pushing', round }, ['sent']],
    [{ name: 'pushed', round }, []],
  ] as const)('in %o knows the events %j', (state, known) => {
    expect(
      events.filter((event) => isKnown(() => step(state, event))).map(({ type }) => type),
    ).toEqual(known)
  })
})

function isKnown(step: () => unknown): boolean {
  try {
    step()
    return true
  } catch {
    return false
  }
}

describe('the destination', () => {
  const step = (state: DestinationState, event: DestinationEvent) => {
    return stepDestination(state, event, terms)
  }
  const fail = (state: DestinationState, error: GodwitError) => step(state, { type: 'fail', error })
  const lost = { round, started: true, complete: false, final: false, error: cut } as const
  const paused = { name: 'paused', ...lost } as const
  const resuming = { name: 'resuming', ...lost, epoch: 2 } as const
  const filling = {
    name: 'filling',
    round,
    begun: false,
    ended: false,
    complete: false,
    final: false,
  } as const
  const starting = { name: 'starting', round, postCopy: true, again: undefined } as const
  const running = { name: 'running', verified: false, final: false, postCopyRound: round } as const
  const resume = (epoch: number, last: number): Message => {
    return { name: 'Resume', body: { epoch, round: last } }
  }

  it.each<readonly [DestinationState, object]>([
    [{ name: 'starting', round: 2, postCopy: true, again: undefined }, { started: false }],
    [filling, {}],
    [{ ...filling, begun: true, ended: true }, {}],
    [
      { ...filling, complete: true, final: true },
      { complete: true, final: true },
    ],
    [running, { complete: true }],
    [
      { ...running, final: true },
      { complete: true, final: true },
    ],
    [resuming, {}],
    [{ ...resuming, complete: true }, { complete: true }],
  ])('pauses where %o is interrupted: %o', (state, known) => {
    const next = { ...paused, ...known, error: again }
    expect(fail(state, again)).toEqual({ state: next, effects: suspended(again) })
  })

  it('is suspended once, however many channels were lost', () => {
    expect(fail(paused, again)).toEqual({ state: paused, effects: [] })
  })

  it('may be told that the guest runs when nobody hears of it', () => {
    const unstarted = { ...paused, started: false }
    expect(isKnown(() => step(unstarted, { type: 'reconnected', epoch: 2 }))).toBe(false)
    expect(step(unstarted, { type: 'started' })).toEqual({ state: paused, effects: [] })
  })

  it.each([1, 2, 3])(
    'resumes with a round that never was, whatever the source knows: %i',
    (last) => {
      const reconnected = step(paused, { type: 'reconnected', epoch: 2 })
      expect(reconnected).toEqual({ state: resuming, effects: [] })
      expect(mayInstall(reconnected.state)).toBe(false)
      const message = resume(2, last)
      const resumed = step(reconnected.state, { type: 'message', message })
      expect(resumed.state).toEqual({ ...filling, round: 4 })
      expect(resumed.effects).toEqual([
        { do: 'apply', message },
        { do: 'tell-lacking' },
        { do: 'send', message: 'Resumed' },
      ])
      expect(mayInstall(resumed.state)).toBe(true)
    },
  )

  it.each([
    ['of another connection', resume(1, 3)],
    ['of a later connection', resume(3, 3)],
    ['after a round that it does not know of', resume(2, 4)],
    ['after the last round there may be', resume(2, 1_000_000)],
  ])('refuses a RESUME %s', (_, message) => {
    const refusal = expect.objectContaining({ code: 'PROTOCOL_STATE' })
    expect(() => step(resuming, { type: 'message', message })).toThrow(refusal)
    expect(fail(resuming, new ProtocolError('PROTOCOL_STATE', '')).state.name).toBe('paused')
  })

  it('that is whole stays so, and says again how the guest ended', () => {
    const over = step({ ...paused, complete: true }, { type: 'finished' })
    expect(over).toEqual({ state: { ...paused, complete: true, final: true }, effects: [] })
    const reconnected = step(over.state, { type: 'reconnected', epoch: 2 })
    const resumed = step(reconnected.state, { type: 'message', message: resume(2, 3) })
    const whole = { ...filling, round: 4, complete: true, final: true }
    expect(resumed.state).toEqual(whole)
    const installed = step({ ...whole, begun: true, ended: true }, { type: 'installed' })
    expect(installed.state).toEqual({ ...running, final: true, postCopyRound: 4 })
    expect(installed.effects).toEqual([
      { do: 'send', message: 'RoundAck' },
      { do: 'send', message: 'Final' },
    ])
  })

  it('hears in the middle of a recovery that the time of a whole guest is over', () => {
    const whole = { ...filling, complete: true }
    const { state, effects } = step(whole, { type: 'finished' })
    expect([state, effects]).toEqual([{ ...whole, final: true }, []])
    for (const lacking of [paused, resuming, filling]) {
      expect(isKnown(() => step(lacking, { type: 'finished' }))).toBe(false)
    }
  })

  const recovering = [paused, resuming].flatMap((state) =>
    [false, true].map((complete) => [{ ...state, complete }, complete] as const),
  )

  it.each(recovering)('gives %o up', (state, complete) => {
    const name = complete ? 'completed' : 'stranded'
    const silent = step(state, { type: 'give-up' })
    expect(silent).toEqual({ state: { name, error: cut }, effects: closed(forGood) })
    const told = step(state, { type: 'give-up', error: again })
    expect(told).toEqual({ state: { name, error: again }, effects: closed(forGood) })
    const cancel = fail(state, cancelled)
    expect(cancel).toEqual({ state: { name, error: cancelled }, effects: closed(cancelled) })
    expect(fail(state, new PeerError('CANCELLED', '')).state.name).toBe(name)
  })

  it.each<readonly [DestinationState, GodwitError, string]>([
    [filling, cancelled, 'stranded'],
    [{ ...filling, complete: true }, cancelled, 'completed'],
    [running, cancelled, 'completed'],
    [{ ...running, verified: true }, cut, 'completed'],
    [{ ...running, postCopyRound: undefined }, cut, 'completed'],
    [{ name: 'starting', round, postCopy: false, again: undefined }, cut, 'completed'],
    [starting, new GodwitError('GUEST_FAILED', ''), 'stranded'],
    [{ ...paused, started: false }, new GodwitError('GUEST_FAILED', ''), 'stranded'],
  ])('does not recover from %o by %o', (state, error, name) => {
    expect(fail(state, error).state).toEqual({ name, error })
  })

  const events: readonly DestinationEvent[] = [
    { type: 'reconnected', epoch: 2 },
    { type: 'started' },
    { type: 'finished' },
    { type: 'installed' },
    { type: 'give-up' },
  ]

  it.each([
    [paused, ['reconnected', 'give-up']],
    [{ ...paused, started: false }, ['started', 'give-up']],
    [{ ...paused, complete: true }, ['reconnected', 'finished', 'give-up']],
    [resuming, ['give-up']],
    [filling, []],
    [running, ['finished']],
  ] as const)('in %o knows the events %j', (state, known) => {
    expect(
      events.filter((event) => isKnown(() => step(state, event))).map(({ type }) => type),
    ).toEqual(known)
  })
})

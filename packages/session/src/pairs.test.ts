import { GodwitError, ProtocolError } from '@godwit/core'
import type { Message, MessageName } from '@godwit/wire'
import { describe, expect, it } from 'vitest'
import type { DestinationState, DestinationTermsInForce } from './destination-machine.ts'
import { isDestinationFinished, ownsGuest, stepDestination } from './destination-machine.ts'
import type { SourceState, SourceTerms } from './source-machine.ts'
import { isCancellable, isFinished, isPaused, stepSource } from './source-machine.ts'

const bytes = new Uint8Array(8)
const sums = { batches: 0, pages: 0, digest: bytes }
const error = new GodwitError('CANCELLED', 'stop')
const negotiated = { version: 1, pageBytes: 4096, dataChannels: 1, heartbeatMs: 1000 }

/** Every message; those with a round are of round 3, and RESERVE and the like say little. */
const messages: readonly Message[] = [
  {
    name: 'Hello',
    body: {
      versionMin: 1,
      versionMax: 1,
      software: '',
      required: [],
      optional: [],
      pageBytes: [4096],
      mode: 'pre-copy',
      hash: 'xxh64',
      verify: 'none',
      fingerprintSeed: bytes,
      verifySeed: bytes,
      dataChannels: 1,
      heartbeatMs: 1000,
    },
  },
  { name: 'Welcome', body: { ...negotiated, software: '', capabilities: [] } },
  { name: 'Error', body: { code: 2, text: '' } },
  { name: 'Heartbeat', body: {} },
  { name: 'Reserve', body: { guest: { kind: 'memory', options: {} }, regions: [] } },
  { name: 'Reserved', body: { reservedBytes: 0 } },
  { name: 'RoundBegin', body: { round: 3, kind: 'dirty', pages: 0 } },
  { name: 'Barrier', body: { round: 3, ...sums } },
  { name: 'RoundEnd', body: { round: 3, ...sums } },
  { name: 'RoundAck', body: { round: 3 } },
  { name: 'SwitchOver', body: { round: 3 } },
  { name: 'SwitchOverAck', body: {} },
  { name: 'State', body: { package: bytes } },
  { name: 'Ready', body: { epoch: 1 } },
  { name: 'Commit', body: { epoch: 1 } },
  { name: 'Running', body: { epoch: 1, resumeMs: 0 } },
  { name: 'Verify', body: { digest: bytes, regions: [] } },
  { name: 'Verified', body: { equal: true, digest: bytes, differing: [] } },
  { name: 'Final', body: { steps: 0, registers: bytes, digest: bytes } },
  { name: 'End', body: { rounds: 3, pages: 0, usage: {} } },
  { name: 'EndAck', body: { usage: {} } },
]
const roundBegin = (round: number, kind: 'full' | 'dirty' | 'final'): Message => ({
  name: 'RoundBegin',
  body: { round, kind, pages: 0 },
})
const otherRounds: readonly Message[] = [
  ...[1, 2, 4].flatMap((round) => [
    roundBegin(round, 'full'),
    roundBegin(round, 'dirty'),
    roundBegin(round, 'final'),
  ]),
  ...[0, 2, 4].map((round): Message => ({ name: 'SwitchOver', body: { round } })),
  ...[2, 4].map((round): Message => ({ name: 'RoundEnd', body: { round, ...sums } })),
  ...[2, 4].map((round): Message => ({ name: 'RoundAck', body: { round } })),
]

/** `RoundBegin 3 dirty`, `SwitchOver 0`, `Hello`. */
function label({ name, body }: Message): string {
  const { round, kind } = body as { round?: number; kind?: string }
  return [name, round, kind].filter((part) => part !== undefined).join(' ')
}

interface Case<State> {
  readonly state: State
  /** Beside HEARTBEAT and ERROR, which are welcome everywhere. */
  readonly allowed: readonly string[]
}

const never: readonly string[] = []
const round = 3

const sourceCases = (terms: SourceTerms): readonly Case<SourceState>[] => [
  { state: { name: 'idle' }, allowed: never },
  { state: { name: 'greeting' }, allowed: ['Welcome'] },
  { state: { name: 'reserving' }, allowed: ['Reserved'] },
  { state: { name: 'opening' }, allowed: never },
  { state: { name: 'sending', round, kind: 'full' }, allowed: never },
  { state: { name: 'sending', round, kind: 'dirty' }, allowed: never },
  { state: { name: 'acknowledging', round }, allowed: ['RoundAck 3'] },
  { state: { name: 'deciding', round }, allowed: never },
  { state: { name: 'switching-over', round }, allowed: ['SwitchOverAck'] },
  { state: { name: 'pausing', round }, allowed: never },
  { state: { name: 'sending-final', round }, allowed: never },
  { state: { name: 'capturing', round, acknowledged: false }, allowed: ['RoundAck 3'] },
  { state: { name: 'capturing', round, acknowledged: true }, allowed: never },
  { state: { name: 'preparing', round, acknowledged: false }, allowed: ['RoundAck 3'] },
  { state: { name: 'preparing', round, acknowledged: true }, allowed: ['Ready'] },
  { state: { name: 'released' }, allowed: ['Running'] },
  {
    state: { name: 'verifying', final: false, digested: false },
    allowed: terms.final ? ['Final'] : never,
  },
  {
    state: { name: 'verifying', final: false, digested: true },
    allowed: terms.final ? ['Final', 'Verified'] : ['Verified'],
  },
  { state: { name: 'verifying', final: true, digested: false }, allowed: never },
  { state: { name: 'verifying', final: true, digested: true }, allowed: ['Verified'] },
  { state: { name: 'awaiting-final' }, allowed: ['Final'] },
  { state: { name: 'proving' }, allowed: never },
  { state: { name: 'ending' }, allowed: ['EndAck'] },
  { state: { name: 'completed', error: undefined }, allowed: never },
  { state: { name: 'completed', error }, allowed: never },
  { state: { name: 'failed', error }, allowed: never },
  { state: { name: 'in-doubt', error }, allowed: never },
]

function betweenRounds(
  { mode }: DestinationTermsInForce,
  last: number,
  switching: boolean,
): Case<DestinationState> {
  const allowed: string[] = []
  if (switching) allowed.push(`RoundBegin ${last + 1} final`)
  else if (mode === 'pre-copy') {
    allowed.push(`RoundBegin ${last + 1} ${last === 0 ? 'full' : 'dirty'}`)
  }
  if (!switching && (mode === 'stop-copy' || last > 0)) allowed.push(`SwitchOver ${last}`)
  return { state: { name: 'reserved', round: last, switching }, allowed }
}

const receiving = { name: 'receiving', round } as const

const destinationCases = (terms: DestinationTermsInForce): readonly Case<DestinationState>[] => [
  { state: { name: 'greeting' }, allowed: ['Hello'] },
  { state: { name: 'welcomed' }, allowed: ['Reserve'] },
  { state: { name: 'reserving' }, allowed: never },
  ...[0, 1, 2, 3].flatMap((last) => [
    betweenRounds(terms, last, false),
    betweenRounds(terms, last, true),
  ]),
  ...(['full', 'dirty', 'final'] as const).flatMap((kind): Case<DestinationState>[] => [
    {
      state: { ...receiving, kind, ended: false, stateArrived: false },
      allowed: ['RoundEnd 3'],
    },
    {
      state: { ...receiving, kind, ended: true, stateArrived: false },
      allowed: kind === 'final' ? ['State'] : never,
    },
    { state: { ...receiving, kind, ended: true, stateArrived: true }, allowed: never },
  ]),
  { state: { name: 'awaiting-state', round }, allowed: ['State'] },
  { state: { name: 'loading' }, allowed: never },
  { state: { name: 'prepared' }, allowed: ['Commit'] },
  { state: { name: 'starting' }, allowed: never },
  ...[0, 1, 2, 3].map((bits): Case<DestinationState> => {
    const state = { name: 'running', verified: (bits & 1) === 1, final: (bits & 2) === 2 } as const
    const allowed: string[] = []
    if (terms.verify && !state.verified) allowed.push('Verify')
    if (state.verified === terms.verify && state.final === terms.final) allowed.push('End')
    return { state, allowed }
  }),
  { state: { name: 'completed', error: undefined }, allowed: never },
  { state: { name: 'discarded', error }, allowed: never },
]

const everyTerms = (['stop-copy', 'pre-copy'] as const).flatMap((mode) =>
  [0, 1, 2, 3].map((bits) => ({ mode, verify: (bits & 1) === 1, final: (bits & 2) === 2 })),
)

/** The messages that a step does not refuse with PROTOCOL_STATE. */
function accepted(step: (message: Message) => unknown): string[] {
  return [...messages, ...otherRounds].map(label).filter((_, index) => {
    try {
      step([...messages, ...otherRounds][index]!)
      return true
    } catch (thrown) {
      if (thrown instanceof ProtocolError && thrown.code === 'PROTOCOL_STATE') return false
      throw thrown
    }
  })
}

const everything = [...messages, ...otherRounds].map(label)
const welcome = (allowed: readonly string[], finished: boolean): string[] =>
  finished
    ? everything
    : everything.filter((each) => ['Heartbeat', 'Error', ...allowed].includes(each))

describe.each(everyTerms)('with $mode, verify $verify, final $final', (terms) => {
  it.each(sourceCases(terms))('source $state accepts $allowed and nothing else', (one) => {
    const step = (message: Message) => stepSource(one.state, { type: 'message', message }, terms)
    expect(accepted(step)).toEqual(welcome(one.allowed, isFinished(one.state)))
  })

  it.each(destinationCases(terms))(
    'destination $state accepts $allowed and nothing else',
    (one) => {
      const step = (message: Message) => {
        return stepDestination(one.state, { type: 'message', message }, terms)
      }
      expect(accepted(step)).toEqual(welcome(one.allowed, isDestinationFinished(one.state)))
    },
  )
})

const terms = { mode: 'pre-copy', verify: true, final: true } as const
const names: readonly MessageName[] = ['Heartbeat', 'Error']

describe('HEARTBEAT and ERROR', () => {
  it.each(names)('%s changes no state', (name) => {
    const message = messages.find((one) => one.name === name)!
    for (const { state } of sourceCases(terms)) {
      expect(stepSource(state, { type: 'message', message }, terms).state).toEqual(state)
    }
    for (const { state } of destinationCases(terms)) {
      expect(stepDestination(state, { type: 'message', message }, terms).state).toEqual(state)
    }
  })
})

describe('fail', () => {
  it.each(sourceCases(terms))('in source $state', ({ state }) => {
    const { state: next, effects } = stepSource(state, { type: 'fail', error }, terms)
    const done = effects.map((effect) => effect.do)
    const pausedNow = ['pausing', 'sending-final', 'capturing', 'preparing'].includes(state.name)
    expect(isPaused(state)).toBe(pausedNow)
    expect(done.includes('resume')).toBe(pausedNow)
    const leave = isFinished(state) ? [] : ['refuse', 'close']
    expect(done.filter((each) => each !== 'resume')).toEqual(leave)
    const afterwards = isCancellable(state) ? 'failed' : 'completed'
    const wanted = state.name === 'released' ? 'in-doubt' : afterwards
    expect(next.name).toBe(isFinished(state) ? state.name : wanted)
  })

  it.each(destinationCases(terms))('in destination $state', ({ state }) => {
    const { state: next, effects } = stepDestination(state, { type: 'fail', error }, terms)
    const done = effects.map((effect) => effect.do)
    const owned = ['starting', 'running', 'completed'].includes(state.name)
    expect(ownsGuest(state)).toBe(owned)
    const finished = isDestinationFinished(state)
    expect(done.includes('discard')).toBe(!owned && !finished)
    expect(done.filter((each) => each !== 'discard')).toEqual(finished ? [] : ['refuse', 'close'])
    expect(next.name).toBe(finished ? state.name : owned ? 'completed' : 'discarded')
  })
})

describe('an epoch that is not this one', () => {
  const refusal = expect.objectContaining({ code: 'PROTOCOL_STATE' })

  it('is refused while the source may still resume its guest', () => {
    const state = { name: 'preparing', round: 2, acknowledged: true } as const
    const message: Message = { name: 'Ready', body: { epoch: 2 } }
    expect(() => stepSource(state, { type: 'message', message }, terms)).toThrow(refusal)
  })

  it('is refused while the destination does not own the guest', () => {
    const message: Message = { name: 'Commit', body: { epoch: 2 } }
    const step = () => stepDestination({ name: 'prepared' }, { type: 'message', message }, terms)
    expect(step).toThrow(refusal)
  })
})

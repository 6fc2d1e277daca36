import { GodwitError, ProtocolError } from '@godwit/core'
import type { Message, MessageName } from '@godwit/wire'
import { ownerAnswers } from '@godwit/wire'
import { describe, expect, it } from 'vitest'
import { hello } from '../test/hello.ts'
import { stepDestination } from './destination-machine.ts'
import type { DestinationState, DestinationTermsInForce, Switching } from './destination-state.ts'
import {
  awaitsPages,
  isDestinationFinished,
  isDestinationRecovering,
  isHolding,
  isPostCopy,
  mayInstall,
  mayResume,
  ownsGuest,
} from './destination-state.ts'
import { stepSource } from './source-machine.ts'
import type { RoundKind, SourceState, SourceTerms } from './source-state.ts'
import {
  isCancellable,
  isFinished,
  isGuestPaused,
  isPushing,
  isRecovering,
  mayTakeOver,
  needsDataChannels,
} from './source-state.ts'

const bytes = new Uint8Array(8)
const sums = { batches: 0, pages: 0, digest: bytes }
const error = new GodwitError('CANCELLED', 'stop')
const negotiated = { version: 1, pageBytes: 4096, dataChannels: 1, heartbeatMs: 1000 }

/** Every message; those with a round are of round 3, and RESERVE and the like say little. */
const messages: readonly Message[] = [
  { name: 'Hello', body: hello },
  { name: 'Welcome', body: { ...negotiated, software: '', capabilities: [] } },
  { name: 'Error', body: { code: 2, text: '' } },
  { name: 'Heartbeat', body: {} },
  { name: 'Reserve', body: { guest: { kind: 'memory', options: {} }, regions: [] } },
  { name: 'Reserved', body: { reservedBytes: 0 } },
  { name: 'StaticHeld', body: { set: 0, first: 0, held: bytes } },
  { name: 'RoundBegin', body: { round: 3, kind: 'dirty', pages: 0 } },
  { name: 'Barrier', body: { round: 3, ...sums } },
  { name: 'RoundEnd', body: { round: 3, ...sums } },
  { name: 'RoundAck', body: { round: 3 } },
  { name: 'Credit', body: { bytes: 0 } },
  { name: 'Nak', body: { round: 3, region: 0, runs: bytes } },
  { name: 'Discard', body: { region: 0, runs: bytes } },
  { name: 'Resume', body: { epoch: 1, round: 3 } },
  { name: 'Lacking', body: { region: 0, runs: bytes } },
  { name: 'Resumed', body: { epoch: 1, round: 4, pages: 0, checksum: 0 } },
  { name: 'SwitchOver', body: { round: 3 } },
  { name: 'SwitchOverAck', body: {} },
  { name: 'State', body: { package: bytes } },
  { name: 'Ready', body: { epoch: 1 } },
  { name: 'Commit', body: { epoch: 1 } },
  { name: 'Running', body: { epoch: 1, resumeMs: 0 } },
  { name: 'OwnerQuery', body: { epoch: 1 } },
  ...ownerAnswers.map((owner): Message => ({ name: 'Owner', body: { epoch: 1, owner } })),
  { name: 'Verify', body: { digest: bytes, regions: [] } },
  { name: 'Verified', body: { equal: true, digest: bytes, differing: [] } },
  { name: 'Final', body: { steps: 0, registers: bytes, digest: bytes } },
  { name: 'End', body: { rounds: 3, pages: 0, usage: {} } },
  { name: 'EndAck', body: { usage: {} } },
  { name: 'PageRequest', body: { region: 0, page: 0 } },
]
const kinds: readonly RoundKind[] = ['full', 'dirty', 'final', 'post-copy']
const otherRounds: readonly Message[] = [
  ...[1, 2, 3, 4].flatMap((round) =>
    kinds
      .filter((kind) => round !== 3 || kind !== 'dirty')
      .map((kind): Message => ({ name: 'RoundBegin', body: { round, kind, pages: 0 } })),
  ),
  ...[0, 2, 4].map((round): Message => ({ name: 'SwitchOver', body: { round } })),
  ...[0, 1, 2, 3, 4].map((round): Message => {
    return { name: 'SwitchOver', body: { round, postCopy: true } }
  }),
  { name: 'SwitchOver', body: { round: 1, postCopy: false } },
  ...[2, 4].map((round): Message => ({ name: 'RoundEnd', body: { round, ...sums } })),
  ...[2, 4].map((round): Message => ({ name: 'RoundAck', body: { round } })),
  ...[2, 4].map((round): Message => ({ name: 'Resume', body: { epoch: 1, round } })),
  ...[3, 5].map((round): Message => {
    return { name: 'Resumed', body: { epoch: 1, round, pages: 0, checksum: 0 } }
  }),
]

/** `RoundBegin 3 dirty`, `SwitchOver 0`, `SwitchOver 0 post-copy`, `Owner lost`, `Hello`. */
function label({ name, body }: Message): string {
  type Parts = { round?: number; kind?: string; postCopy?: boolean; owner?: string }
  const { round, kind, postCopy, owner } = body as Parts
  const switching = postCopy === true ? 'post-copy' : undefined
  return [name, round, kind, switching, owner].filter((part) => part !== undefined).join(' ')
}

const everything = [...messages, ...otherRounds].map(label)

interface Case<State> {
  readonly state: State
  /** Beside HEARTBEAT and ERROR, which are welcome everywhere. */
  readonly allowed: readonly string[]
}

const never: readonly string[] = []
const answers = ownerAnswers.map((owner) => `Owner ${owner}`)
const round = 3

const sourceCases = (terms: SourceTerms): readonly Case<SourceState>[] => [
  { state: { name: 'idle' }, allowed: never },
  { state: { name: 'greeting' }, allowed: ['Welcome'] },
  { state: { name: 'reserving' }, allowed: ['Reserved', 'StaticHeld'] },
  { state: { name: 'opening' }, allowed: never },
  { state: { name: 'sending', round, kind: 'full' }, allowed: never },
  { state: { name: 'sending', round, kind: 'dirty' }, allowed: never },
  { state: { name: 'acknowledging', round }, allowed: ['RoundAck 3'] },
  { state: { name: 'deciding', round }, allowed: never },
  ...[false, true].flatMap((postCopy): Case<SourceState>[] => [
    { state: { name: 'switching-over', round, postCopy }, allowed: ['SwitchOverAck'] },
    { state: { name: 'pausing', round, postCopy }, allowed: never },
    { state: { name: 'capturing', round, acknowledged: true, postCopy }, allowed: never },
    { state: { name: 'preparing', round, acknowledged: true, postCopy }, allowed: ['Ready'] },
    { state: { name: 'releasing', round, postCopy }, allowed: never },
    { state: { name: 'released', round, postCopy, epoch: 0 }, allowed: ['Running'] },
    { state: { name: 'released', round, postCopy, epoch: 2 }, allowed: ['Running'] },
  ]),
  { state: { name: 'discarding', round }, allowed: never },
  { state: { name: 'keeping', error }, allowed: never },
  { state: { name: 'sending-final', round }, allowed: never },
  {
    state: { name: 'capturing', round, acknowledged: false, postCopy: false },
    allowed: ['RoundAck 3'],
  },
  {
    state: { name: 'preparing', round, acknowledged: false, postCopy: false },
    allowed: ['RoundAck 3'],
  },
  { state: { name: 'pushing', round }, allowed: never },
  { state: { name: 'pushed', round }, allowed: ['RoundAck 3'] },
  ...[false, true].flatMap((committed) =>
    [false, true].flatMap((postCopy): Case<SourceState>[] => {
      const lost = { round, postCopy, committed, error }
      return [
        { state: { name: 'paused', ...lost }, allowed: never },
        { state: { name: 'reconnecting', ...lost }, allowed: never },
        { state: { name: 'bereaved', ...lost }, allowed: never },
        { state: { name: 'asking', ...lost, epoch: 1 }, allowed: answers },
        {
          state: { name: 'resuming', ...lost, epoch: 1 },
          allowed: ['Lacking', 'Resumed 4', 'Resumed 5'],
        },
        { state: { name: 'resuming', ...lost, epoch: 2 }, allowed: ['Lacking'] },
      ]
    }),
  ),
  { state: { name: 'reopening', round, error }, allowed: never },
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
  { state: { name: 'stranded', error }, allowed: never },
  { state: { name: 'in-doubt', error }, allowed: never },
  { state: { name: 'lost', error }, allowed: never },
  { state: { name: 'taken-over', error }, allowed: never },
]

function betweenRounds(
  { mode }: DestinationTermsInForce,
  last: number,
  switching: Switching,
): Case<DestinationState> {
  const state = { name: 'reserved', round: last, switching } as const
  if (switching === 'final') return { state, allowed: [`RoundBegin ${last + 1} final`] }
  if (switching === 'post-copy') return { state, allowed: ['Discard', 'State'] }
  const next = `RoundBegin ${last + 1} ${last === 0 ? 'full' : 'dirty'}`
  const final = `SwitchOver ${last}`
  const allowed = {
    'stop-copy': [final],
    'pre-copy': last === 0 ? [next] : [next, final],
    'post-copy': [`${final} post-copy`],
    hybrid: last === 0 ? [next] : [next, final, `${final} post-copy`],
  }
  return { state, allowed: allowed[mode] }
}

/** Round 3 is the one of post-copy. */
const filling = (begun: boolean, ended: boolean, complete = false): DestinationState => {
  return { name: 'filling', round, begun, ended, complete, final: complete }
}
const interrupted = { round, started: true, final: false, error } as const

const receiving = { name: 'receiving', round } as const

const destinationCases = (terms: DestinationTermsInForce): readonly Case<DestinationState>[] => [
  { state: { name: 'greeting' }, allowed: ['Hello'] },
  { state: { name: 'welcomed' }, allowed: ['Reserve'] },
  { state: { name: 'reserving' }, allowed: never },
  ...[0, 1, 2, 3].flatMap((last) => [
    betweenRounds(terms, last, 'no'),
    betweenRounds(terms, last, 'final'),
    betweenRounds(terms, last, 'post-copy'),
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
  ...[false, true].flatMap((postCopy): Case<DestinationState>[] => [
    { state: { name: 'loading', round, postCopy }, allowed: never },
    { state: { name: 'preparing', round, postCopy }, allowed: never },
    { state: { name: 'holding', round, postCopy, error }, allowed: never },
    { state: { name: 'answering', round, postCopy, epoch: 1, error }, allowed: ['OwnerQuery'] },
    ...[undefined, { epoch: 1, error }].flatMap((again): Case<DestinationState>[] => [
      { state: { name: 'prepared', round, postCopy, again }, allowed: ['Commit'] },
      { state: { name: 'owning', round, postCopy, again, failed: undefined }, allowed: never },
      { state: { name: 'owning', round, postCopy, again, failed: error }, allowed: never },
      { state: { name: 'starting', round, postCopy, again }, allowed: never },
    ]),
  ]),
  { state: { name: 'refusing', error }, allowed: everything },
  { state: filling(false, false), allowed: ['RoundBegin 3 post-copy'] },
  { state: filling(true, false), allowed: ['RoundEnd 3'] },
  { state: filling(true, true), allowed: never },
  { state: filling(true, false, true), allowed: ['RoundEnd 3'] },
  ...[false, true].flatMap((complete): Case<DestinationState>[] => [
    { state: { name: 'paused', ...interrupted, complete }, allowed: never },
    { state: { name: 'paused', ...interrupted, started: complete, complete }, allowed: never },
    {
      state: { name: 'resuming', ...interrupted, complete, epoch: 1 },
      allowed: [...(terms.asks ? ['OwnerQuery'] : []), 'Resume 2', 'Resume 3'],
    },
    {
      state: { name: 'resuming', ...interrupted, complete, epoch: 2 },
      allowed: terms.asks ? ['OwnerQuery'] : never,
    },
  ]),
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((bits): Case<DestinationState> => {
    const postCopyRound = (bits & 4) === 4 ? round : undefined
    const [verified, final] = [(bits & 1) === 1, (bits & 2) === 2]
    const state = { name: 'running', verified, final, postCopyRound } as const
    const allowed: string[] = []
    if (terms.verify && !state.verified) allowed.push('Verify')
    if (state.verified === terms.verify && state.final === terms.final) allowed.push('End')
    return { state, allowed }
  }),
  { state: { name: 'completed', error: undefined }, allowed: never },
  { state: { name: 'completed', error }, allowed: never },
  { state: { name: 'stranded', error }, allowed: never },
  { state: { name: 'discarded', error }, allowed: never },
]

const modes = ['stop-copy', 'pre-copy', 'post-copy', 'hybrid'] as const
const everyTerms = modes.flatMap((mode) =>
  [0, 1, 2, 3].map((bits) => {
    const agreed = { mode, verify: (bits & 1) === 1, final: (bits & 2) === 2 }
    return { ...agreed, recovers: true, asks: bits > 1, keepsCheckpoints: false }
  }),
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

const agreed = { mode: 'pre-copy', verify: true, final: true } as const
const terms = { ...agreed, recovers: false, asks: false, keepsCheckpoints: false } as const
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
    const pausedIn = ['pausing', 'discarding', 'sending-final', 'capturing', 'preparing']
    const isKept = state.name === 'releasing' || state.name === 'keeping'
    expect(isGuestPaused(state)).toBe(pausedIn.includes(state.name) || isKept)
    expect(done.includes('resume')).toBe(pausedIn.includes(state.name))
    const keep = state.name === 'releasing' ? ['keep'] : []
    const leave = isFinished(state) || isKept ? keep : ['refuse', 'close']
    expect(done.filter((each) => each !== 'resume')).toEqual(leave)
    const afterwards = isCancellable(state) ? 'failed' : 'completed'
    const ends: Record<string, string> = {
      released: 'in-doubt',
      pushing: 'stranded',
      pushed: 'stranded',
      reopening: 'stranded',
      bereaved: 'lost',
      releasing: 'keeping',
      keeping: 'keeping',
    }
    const committed = 'committed' in state && (state.committed ? 'stranded' : 'in-doubt')
    const wanted = ends[state.name] ?? (committed || afterwards)
    expect(next.name).toBe(isFinished(state) ? state.name : wanted)
  })

  it.each(destinationCases(terms))('in destination $state', ({ state }) => {
    const { state: next, effects } = stepDestination(state, { type: 'fail', error }, terms)
    const done = effects.map((effect) => effect.do)
    const recovery = ['paused', 'resuming']
    const ownedIn = ['starting', 'filling', 'running', 'completed', 'stranded', ...recovery]
    const owned = ownedIn.includes(state.name)
    expect(ownsGuest(state)).toBe(owned)
    const writes = ['prepared', 'holding', 'answering'].includes(state.name)
    const writing = state.name === 'owning' || state.name === 'refusing'
    const finished = isDestinationFinished(state)
    const stays = finished || writing
    expect(done.includes('discard')).toBe(!owned && !stays && !writes)
    const leave = writes ? ['record'] : ['refuse', 'close']
    expect(done.filter((each) => each !== 'discard')).toEqual(stays ? [] : leave)
    const later = 'postCopy' in state && state.postCopy
    const lacksPages = 'complete' in state ? !state.complete : later
    const given = writes ? 'refusing' : 'discarded'
    const wanted = owned ? (lacksPages ? 'stranded' : 'completed') : given
    expect(next.name).toBe(stays ? state.name : wanted)
  })
})

describe('the loss of a channel for pages', () => {
  const matters = ['discarding', 'sending-final', 'pushing', 'pushed', 'reopening']

  it.each(sourceCases(terms))('in source $state', ({ state }) => {
    const acknowledged = 'acknowledged' in state && state.acknowledged
    const later = 'postCopy' in state && state.postCopy
    const isAtPeer = ['releasing', 'released'].includes(state.name) || acknowledged
    // A control channel that was dialled anew has none for pages beside it yet.
    const isAnew = state.name === 'released' && state.epoch > 0
    const wanted = isAtPeer ? later : isCancellable(state) || matters.includes(state.name)
    expect(needsDataChannels(state)).toBe(wanted && !isAnew && state.name !== 'keeping')
    expect(isPushing(state)).toBe(state.name === 'pushing' || state.name === 'pushed')
    const dialled = ['reconnecting', 'asking', 'resuming', 'reopening']
    expect(isRecovering(state)).toBe(['paused', 'bereaved', ...dialled].includes(state.name))
    expect(mayTakeOver(state)).toBe(['paused', 'reconnecting', 'bereaved'].includes(state.name))
    expect(isRecovering(state) && (isCancellable(state) || isFinished(state))).toBe(false)
  })

  it.each(destinationCases(terms))('in destination $state', ({ state }) => {
    const later = 'postCopy' in state && state.postCopy
    const always = ['reserved', 'receiving', 'filling'].includes(state.name)
    const isHeld = state.name === 'holding' || state.name === 'answering'
    const isAnew = state.name === 'prepared' && state.again !== undefined
    expect(awaitsPages(state)).toBe((later && !isHeld && !isAnew) || always)
    const interrupted = state.name === 'paused' || state.name === 'resuming'
    expect(isDestinationRecovering(state)).toBe(interrupted)
    expect(isPostCopy(state)).toBe(later || state.name === 'filling' || interrupted)
    expect((interrupted || isHeld || isAnew) && mayInstall(state)).toBe(false)
    expect(isHolding(state)).toBe(isHeld)
    const isPaused = state.name === 'paused' && state.started
    expect(mayResume(state)).toBe(state.name === 'holding' || isPaused)
  })
})

describe('an epoch that is not this one', () => {
  const refusal = expect.objectContaining({ code: 'PROTOCOL_STATE' })

  it.each([false, true])('is refused by a source that may resume: %s', (postCopy) => {
    const state = { name: 'preparing', round: 2, acknowledged: true, postCopy } as const
    const message: Message = { name: 'Ready', body: { epoch: 2 } }
    expect(() => stepSource(state, { type: 'message', message }, terms)).toThrow(refusal)
  })

  it.each([false, true])('is refused by a destination without the guest: %s', (postCopy) => {
    const message: Message = { name: 'Commit', body: { epoch: 2 } }
    for (const again of [undefined, { epoch: 1, error }]) {
      const state = { name: 'prepared', round: 2, postCopy, again } as const
      const step = () => stepDestination(state, { type: 'message', message }, terms)
      expect(step).toThrow(refusal)
    }
  })

  it.each(ownerAnswers)('is refused by a source that hears %s', (owner) => {
    const lost = { round: 2, postCopy: false, committed: false, epoch: 1, error }
    const message: Message = { name: 'Owner', body: { epoch: 2, owner } }
    const asks = { ...terms, asks: true, recovers: true }
    const step = () => {
      stepSource({ name: 'asking', ...lost }, { type: 'message', message }, asks)
    }
    expect(step).toThrow(refusal)
  })
})

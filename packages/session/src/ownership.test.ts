import { CancelledError, GodwitError, PeerError, TransportError } from '@godwit/core'
import type { Message, OwnerAnswer } from '@godwit/wire'
import { describe, expect, it } from 'vitest'
import { stepDestination } from './destination-machine.ts'
import type { DestinationEvent, DestinationState } from './destination-state.ts'
import { stepSource } from './source-machine.ts'
import type { SourceEvent, SourceState } from './source-state.ts'

const agreed = { mode: 'hybrid', verify: true, final: false } as const
const terms = { ...agreed, recovers: true, asks: true, keepsCheckpoints: false } as const
const cut = new TransportError('CONNECTION_LOST', 'cut')
const cancelled = new CancelledError()
const full = new GodwitError('FILE_UNWRITABLE', 'disk full')
const suspended = (error: GodwitError) => [
  { do: 'refuse', error },
  { do: 'suspend', error },
]
const left = (error: GodwitError) => [{ do: 'refuse', error }, { do: 'close' }]
const write = (state: string) => [{ do: 'record', state }]
const send = (message: string) => ({ do: 'send', message })
const commit: Message = { name: 'Commit', body: { epoch: 1 } }
const query: Message = { name: 'OwnerQuery', body: { epoch: 1 } }
const hear = (message: Message) => ({ type: 'message', message }) as const
const recorded = { type: 'recorded' } as const
const unrecorded = { type: 'unrecorded', error: full } as const
const round = 3
const both = [false, true]

describe('the source', () => {
  const step = (state: SourceState, event: SourceEvent) => stepSource(state, event, terms)
  const fail = (state: SourceState, error: GodwitError) => step(state, { type: 'fail', error })
  const released = (postCopy: boolean, epoch = 0): SourceState => {
    return { name: 'released', round, postCopy, epoch }
  }
  const lost = (postCopy: boolean, error: GodwitError = cut) => {
    return { round: postCopy ? round + 1 : round, postCopy, committed: false, error }
  }
  const asking = (postCopy: boolean): SourceState => {
    return { name: 'asking', ...lost(postCopy), epoch: 2 }
  }
  const answered = (postCopy: boolean, owner: OwnerAnswer) => {
    return step(asking(postCopy), hear({ name: 'Owner', body: { epoch: 1, owner } }))
  }

  it.each(both)('sends COMMIT when `released` is durable, post-copy %s', (postCopy) => {
    const preparing = { name: 'preparing', round, acknowledged: true, postCopy } as const
    const ready: Message = { name: 'Ready', body: { epoch: 1 } }
    const releasing = step(preparing, hear(ready))
    expect(releasing.effects).toEqual([{ do: 'apply', message: ready }, { do: 'release' }])
    const { state, effects } = step(releasing.state, recorded)
    expect([state, effects]).toEqual([released(postCopy), [send('Commit')]])
  })

  it.each([
    [unrecorded, full],
    [{ type: 'fail', error: cut }, cut],
    [{ type: 'fail', error: cancelled }, cancelled],
  ] as const)('keeps the guest after %o while it writes', (event, error) => {
    const { state, effects } = step({ name: 'releasing', round, postCopy: false }, event)
    expect(state).toEqual({ name: 'failed', error })
    expect(effects).toEqual([{ do: 'keep' }, { do: 'resume' }, ...left(error)])
    // The write ends when nobody cares any more.
    for (const late of [recorded, unrecorded])
      expect(step(state, late)).toEqual({ state, effects: [] })
  })

  it.each(both)('asks after any loss of `released`, post-copy %s', (postCopy) => {
    for (const error of [cut, cancelled, new PeerError('GUEST_FAILED', ''), full]) {
      const paused = fail(released(postCopy), error)
      expect(paused.state).toEqual({ name: 'paused', ...lost(postCopy, error) })
      expect(paused.effects).toEqual(suspended(error))
    }
    const paused: SourceState = { name: 'paused', ...lost(postCopy) }
    const reconnecting = step(paused, { type: 'reconnect' }).state
    const asked = step(reconnecting, { type: 'reconnected', epoch: 2 })
    expect([asked.state, asked.effects]).toEqual([asking(postCopy), [send('OwnerQuery')]])
    for (const state of [reconnecting, asked.state, released(postCopy, 2)]) {
      expect(fail(state, cut).state).toEqual(paused)
      expect(fail(state, new PeerError('SESSION_UNKNOWN', '')).state.name).toBe('paused')
      expect(fail(state, new PeerError('EPOCH_STALE', '')).state.name).toBe('paused')
    }
  })

  it.each(both)('hears `prepared` and sends COMMIT again, post-copy %s', (postCopy) => {
    const { state, effects } = answered(postCopy, 'prepared')
    expect([state, effects]).toEqual([released(postCopy, 2), [send('Commit')]])
  })

  it.each(both)('hears `refused` and has the guest again, post-copy %s', (postCopy) => {
    const { state, effects } = answered(postCopy, 'refused')
    expect(state).toEqual({ name: 'failed', error: cut })
    expect(effects).toEqual([{ do: 'keep' }, { do: 'resume' }, { do: 'close' }])
  })

  it.each(both)('hears `lost` and waits for an operator, post-copy %s', (postCopy) => {
    const { state, effects } = answered(postCopy, 'lost')
    expect(state).toEqual({ name: 'bereaved', ...lost(postCopy) })
    expect(effects).toEqual([{ do: 'suspend', error: cut }])
    for (const error of [cut, cancelled, full]) expect(fail(state, error).effects).toEqual([])
    expect(step(state, { type: 'give-up' }).state).toEqual({ name: 'lost', error: cut })
    const taken = step(state, { type: 'take-over' })
    expect(taken.state).toEqual({ name: 'taken-over', error: cut })
    expect(taken.effects).toEqual([{ do: 'close' }, { do: 'take-over' }])
  })

  it.each([
    ['running', 'completed'],
    ['ended', 'completed'],
  ] as const)('hears `%s`: all of the guest is there', (owner, name) => {
    const { state, effects } = answered(false, owner)
    expect([state, effects]).toEqual([{ name, error: cut }, [{ do: 'close' }]])
  })

  it('hears `running` in post-copy and goes on with its pages', () => {
    const { state, effects } = answered(true, 'running')
    expect(state).toEqual({ name: 'resuming', ...lost(true), committed: true, epoch: 2 })
    expect(effects).toEqual([send('Resume')])
    expect(answered(true, 'ended').state).toEqual({ name: 'stranded', error: cut })
  })

  it('hears RUNNING on a new connection: in post-copy RESUME comes before pages', () => {
    const running: Message = { name: 'Running', body: { epoch: 1, resumeMs: 0 } }
    const apply = { do: 'apply', message: running }
    const again = step(released(true, 2), hear(running))
    expect(again.state).toMatchObject({ name: 'resuming', round: round + 1, committed: true })
    expect(again.state).toMatchObject({ epoch: 2, postCopy: true })
    expect(again.effects).toEqual([apply, send('Resume')])
    const whole = step(released(false, 2), hear(running))
    expect(whole.state.name).toBe('verifying')
    const first = step(released(true), hear(running))
    expect(first.state).toEqual({ name: 'pushing', round: round + 1 })
  })

  it('hears that a destination died with a guest whose pages were to follow', () => {
    const died = new PeerError('LOST_WITH_HOST', 'told')
    const resuming = { name: 'resuming', ...lost(true), committed: true, epoch: 2 } as const
    const { state } = fail(resuming, died)
    expect(state).toEqual({ name: 'bereaved', ...lost(true, died), committed: true })
    expect(fail({ name: 'reopening', round, error: cut }, died).state.name).toBe('bereaved')
  })

  it.each(['paused', 'reconnecting'] as const)('gives up in %s: in doubt', (name) => {
    const { state } = step({ name, ...lost(false) }, { type: 'give-up' })
    expect(state).toEqual({ name: 'in-doubt', error: cut })
  })

  it('is in doubt at once where it cannot ask', () => {
    for (const unable of [
      { ...terms, recovers: false },
      { ...terms, asks: false },
    ]) {
      const { state } = stepSource(released(false), { type: 'fail', error: cut }, unable)
      expect(state).toEqual({ name: 'in-doubt', error: cut })
    }
  })
})

describe('the destination', () => {
  const step = (state: DestinationState, event: DestinationEvent) => {
    return stepDestination(state, event, terms)
  }
  const fail = (state: DestinationState, error: GodwitError) => step(state, { type: 'fail', error })
  const again = { epoch: 2, error: cut }
  const prepared = (postCopy: boolean, anew: typeof again | undefined): DestinationState => {
    return { name: 'prepared', round, postCopy, again: anew }
  }
  const holding = (postCopy: boolean, error: GodwitError = cut): DestinationState => {
    return { name: 'holding', round, postCopy, error }
  }
  const refusing = (error: GodwitError): DestinationState => ({ name: 'refusing', error })
  const owning = (postCopy: boolean, failed?: GodwitError): DestinationState => {
    return { name: 'owning', round, postCopy, again: undefined, failed }
  }

  it.each(both)('says READY when `prepared` is durable, post-copy %s', (postCopy) => {
    const preparing = step({ name: 'loading', round, postCopy }, { type: 'loaded' })
    expect(preparing.effects).toEqual(write('prepared'))
    const { state, effects } = step(preparing.state, recorded)
    expect([state, effects]).toEqual([prepared(postCopy, undefined), [send('Ready')]])
    const unable = step(preparing.state, unrecorded)
    expect(unable.state).toEqual({ name: 'discarded', error: full })
    expect(unable.effects).toEqual([{ do: 'discard' }, ...left(full)])
  })

  it.each(both)('runs the guest when `owner` is durable, post-copy %s', (postCopy) => {
    const heard = step(prepared(postCopy, undefined), hear(commit))
    expect(heard.state).toEqual(owning(postCopy))
    expect(heard.effects).toEqual([{ do: 'apply', message: commit }, ...write('owner')])
    const { state, effects } = step(heard.state, recorded)
    expect(state).toEqual({ name: 'starting', round, postCopy, again: undefined })
    expect(effects).toEqual([{ do: 'run' }])
  })

  it('runs it although the connection was lost meanwhile', () => {
    const first = fail(owning(false), cut)
    expect(first).toEqual({ state: owning(false, cut), effects: [] })
    expect(fail(first.state, cancelled)).toEqual(first)
    const whole = step(first.state, recorded)
    expect(whole.state).toEqual({ name: 'completed', error: cut })
    expect(whole.effects).toEqual([{ do: 'run' }, ...left(cut)])
    const lacking = step(owning(true, cut), recorded)
    expect(lacking.state).toMatchObject({ name: 'paused', started: false, round: round + 1 })
    expect(lacking.effects).toEqual([{ do: 'run' }, ...suspended(cut)])
  })

  it('is where it was when `owner` cannot be written', () => {
    const { state, effects } = step(owning(false), unrecorded)
    expect([state, effects]).toEqual([holding(false, full), suspended(full)])
  })

  it.each(both)('holds the guest for a source that is lost, post-copy %s', (postCopy) => {
    for (const anew of [undefined, again]) {
      const { state, effects } = fail(prepared(postCopy, anew), cut)
      expect([state, effects]).toEqual([holding(postCopy), suspended(cut)])
      expect(fail(state, full)).toEqual({ state, effects: [] })
    }
    const answering = step(holding(postCopy), { type: 'reconnected', epoch: 2 })
    expect(answering).toEqual({
      state: { name: 'answering', round, postCopy, ...again },
      effects: [],
    })
    expect(fail(answering.state, full).state).toEqual(holding(postCopy, full))
    const { state, effects } = step(answering.state, hear(query))
    expect([state, effects]).toEqual([prepared(postCopy, again), [send('Owner')]])
    const running = step(step(step(state, hear(commit)).state, recorded).state, { type: 'started' })
    const name = postCopy ? 'resuming' : 'running'
    expect([running.state.name, running.effects]).toEqual([name, [send('Running')]])
  })

  it('knows that a source that says ERROR before COMMIT has kept the guest', () => {
    const told = new PeerError('CANCELLED', 'told')
    const first = fail(prepared(false, undefined), told)
    expect([first.state, first.effects]).toEqual([refusing(told), write('refused')])
    // On a later connection COMMIT went out on one before.
    expect(fail(prepared(false, again), told).state).toEqual(holding(false, told))
  })

  const given = [
    [prepared(false, undefined), { type: 'fail', error: cancelled }, cancelled],
    [prepared(false, again), { type: 'fail', error: cancelled }, cancelled],
    [holding(false), { type: 'fail', error: cancelled }, cancelled],
    [holding(false), { type: 'give-up' }, cut],
    [holding(false), { type: 'give-up', error: full }, full],
    [{ name: 'answering', round, postCopy: false, ...again }, { type: 'give-up' }, cut],
  ] as const

  it.each<readonly [DestinationState, DestinationEvent, GodwitError]>(given)(
    'refuses the guest before it gives %o up by %o',
    (from, event, error) => {
      const { state, effects } = step(from, event)
      expect([state, effects]).toEqual([refusing(error), write('refused')])
      // COMMIT was on its way; nothing makes up for what is being written.
      for (const late of [hear(commit), hear(query), { type: 'fail', error: cut }] as const) {
        expect(step(state, late)).toEqual({ state, effects: [] })
      }
      for (const outcome of [recorded, unrecorded]) {
        const over = step(state, outcome)
        expect(over.state).toEqual({ name: 'discarded', error })
        expect(over.effects).toEqual([{ do: 'discard' }, ...left(error)])
      }
    },
  )

  it('refuses at once where nobody will ask, or may', () => {
    for (const unable of [
      { ...terms, recovers: false },
      { ...terms, asks: false },
    ]) {
      const lost = stepDestination(prepared(false, undefined), { type: 'fail', error: cut }, unable)
      expect([lost.state, lost.effects]).toEqual([refusing(cut), write('refused')])
      expect(stepDestination(owning(false), unrecorded, unable).state).toEqual(refusing(full))
    }
  })

  it('says that the guest is here to a source that did not hear RUNNING', () => {
    const facts = { round, started: true, complete: false, final: false, error: cut }
    const resuming = { name: 'resuming', ...facts, epoch: 2 } as const
    expect(step(resuming, hear(query))).toEqual({ state: resuming, effects: [send('Owner')] })
  })

  it.each<readonly [DestinationState, DestinationEvent]>([
    [prepared(false, undefined), { type: 'give-up' }],
    [prepared(false, undefined), { type: 'reconnected', epoch: 2 }],
    [prepared(false, undefined), recorded],
    [prepared(false, undefined), unrecorded],
    [owning(false), { type: 'give-up' }],
    [holding(false), { type: 'loaded' }],
  ])('in %o does not know %o', (state, event) => {
    expect(() => step(state, event)).toThrow('destination machine')
  })
})

import { CancelledError, PeerError, TransportError } from '@godwit/core'
import type { GodwitError } from '@godwit/core'
import type { Message, MessageName } from '@godwit/wire'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type {
  DestinationEffect,
  DestinationEvent,
  DestinationState,
} from './destination-machine.ts'
import { isDestinationFinished, stepDestination } from './destination-machine.ts'
import type { SourceEffect, SourceEvent, SourceState, SourceTerms } from './source-machine.ts'
import { isCancellable, isFinished, stepSource } from './source-machine.ts'

type Tell<Event> = (event: Event) => void

/** What a side has to do next: a message that waits, or work that it gave itself. */
interface Side<State, Event> {
  state: State
  readonly inbox: Message[]
  readonly work: Event[]
  closed: boolean
}

const newSide = <State, Event>(state: State): Side<State, Event> => ({
  state,
  inbox: [],
  work: [],
  closed: false,
})

const lost = (): GodwitError => new TransportError('CONNECTION_LOST', 'cut')
const peerError = (): GodwitError => new PeerError('CANCELLED', 'told')

interface Setting extends SourceTerms {
  /** The last round while the guest runs at the source, where the mode has such rounds. */
  readonly roundsMax: number
  /** What hybrid decides; the other modes leave no choice. */
  readonly postCopy: boolean
}

const isPostCopy = ({ mode, postCopy }: Setting): boolean => {
  return mode === 'post-copy' || (mode === 'hybrid' && postCopy)
}

/** The bodies do not matter, but for their rounds and what is switched to. */
function compose(name: MessageName, round: number, more: object = {}): Message {
  const { kind, postCopy } = more as { kind?: unknown; postCopy?: unknown }
  return { name, body: { round, epoch: 1, kind, postCopy } } as unknown as Message
}

/** Both machines, the guest, and everything that an agent does with effects. */
class World {
  readonly source: Side<SourceState, SourceEvent> = newSide({ name: 'idle' })
  readonly target: Side<DestinationState, DestinationEvent> = newSide({ name: 'greeting' })
  sourceRuns = true
  targetRuns = false
  released = false
  prepared = false
  memoryKept = false
  linkUp = true
  /** Whether pages were told to come, and whether they came. */
  discarded = false
  filled = false
  readonly #terms: Setting
  #sourceRound = 0

  constructor(terms: Setting) {
    this.#terms = terms
    this.source.work.push({ type: 'start' })
  }

  /** One thing that can happen, chosen by `choice`; false when nothing can. */
  turn(choice: number): boolean {
    const turns: (() => void)[] = []
    const { source, target } = this
    if (source.work.length > 0) turns.push(() => this.#tellSource(source.work.shift()!))
    // The guest's time may be over before its pages are there; nobody is told before they are.
    const isTold = ({ type }: DestinationEvent): boolean => {
      return type !== 'finished' || target.state.name === 'running'
    }
    const ready = target.work.findIndex(isTold)
    if (ready >= 0) turns.push(() => this.#tellTarget(target.work.splice(ready, 1)[0]!))
    if (source.inbox.length > 0) {
      turns.push(() => this.#tellSource({ type: 'message', message: source.inbox.shift()! }))
    }
    if (target.inbox.length > 0) {
      turns.push(() => this.#tellTarget({ type: 'message', message: target.inbox.shift()! }))
    }
    if (turns.length === 0) return false
    turns[choice % turns.length]!()
    return true
  }

  failSource(error: GodwitError): void {
    this.#tellSource({ type: 'fail', error })
  }

  failTarget(error: GodwitError): void {
    this.#tellTarget({ type: 'fail', error })
  }

  /** Messages on the way may arrive or not; nothing more is sent. */
  cut(toSource: number, toTarget: number): void {
    this.linkUp = false
    this.source.inbox.splice(toSource)
    this.target.inbox.splice(toTarget)
  }

  #tellSource: Tell<SourceEvent> = (event) => {
    if (isFinished(this.source.state) && event.type !== 'fail') return
    const before = this.source.state
    const { state, effects } = stepSource(before, event, this.#terms)
    this.source.state = state
    for (const effect of effects) this.#performSource(effect, before)
  }

  #tellTarget: Tell<DestinationEvent> = (event) => {
    if (isDestinationFinished(this.target.state) && event.type !== 'fail') return
    const before = this.target.state
    const { state, effects } = stepDestination(before, event, this.#terms)
    this.target.state = state
    for (const effect of effects) this.#performTarget(effect, before)
  }

  #post(to: Side<unknown, unknown>, message: Message): void {
    if (this.linkUp && !to.closed) to.inbox.push(message)
  }

  #performSource(effect: SourceEffect, before: SourceState): void {
    const { work } = this.source
    switch (effect.do) {
      case 'send':
        this.#post(this.target, compose(effect.message, this.#sourceRound, this.source.state))
        break
      case 'apply':
        if (effect.message.name === 'Error') this.failSource(peerError())
        break
      case 'open-channels':
        work.push({ type: 'opened' })
        break
      case 'send-round':
        this.#sourceRound = effect.round
        this.#post(this.target, compose('RoundBegin', effect.round, { kind: effect.kind }))
        work.push({ type: 'sent' })
        break
      case 'decide':
        work.push({ type: 'decided', next: this.#decision(effect.round) })
        break
      case 'discard':
        this.discarded = true
        this.#post(this.target, compose('Discard', effect.round))
        work.push({ type: 'discarded' })
        break
      case 'pause':
        this.sourceRuns = false
        work.push({ type: 'paused' })
        break
      case 'capture':
        work.push({ type: 'captured' })
        break
      case 'release':
        this.released = true
        break
      case 'digest':
        work.push({ type: 'digested' })
        break
      case 'prove':
        work.push({ type: 'proved' })
        break
      case 'resume':
        if (this.released) throw new Error(`resumed after release, from ${before.name}`)
        if (this.targetRuns) throw new Error(`resumed what runs there, from ${before.name}`)
        this.sourceRuns = true
        break
      case 'refuse':
        this.#post(this.target, compose('Error', 0))
        break
      case 'close':
        this.source.closed = true
        break
    }
  }

  #decision(round: number): 'round' | 'switch-over' | 'post-copy' {
    if (round < this.#terms.roundsMax) return 'round'
    return isPostCopy(this.#terms) ? 'post-copy' : 'switch-over'
  }

  #performTarget(effect: DestinationEffect, before: DestinationState): void {
    const { work } = this.target
    switch (effect.do) {
      case 'send': {
        const round = 'round' in before ? before.round : 0
        this.#post(this.source, compose(effect.message, round))
        if (before.name === 'filling') this.filled = true
        break
      }
      case 'apply':
        if (effect.message.name === 'Error') this.failTarget(peerError())
        break
      case 'reserve':
        this.memoryKept = true
        work.push({ type: 'reserved' })
        break
      case 'install':
        work.push({ type: 'installed' })
        break
      case 'load':
        work.push({ type: 'loaded' })
        break
      case 'prepare':
        this.prepared = true
        break
      case 'own-and-run':
        if (!this.prepared) throw new Error('runs without having prepared')
        if (!this.released) throw new Error('runs before the source let go')
        this.targetRuns = true
        work.push({ type: 'started' })
        if (this.#terms.final) work.push({ type: 'finished' })
        break
      case 'discard':
        if (this.targetRuns) throw new Error(`discarded what runs, from ${before.name}`)
        this.memoryKept = false
        break
      case 'refuse':
        this.#post(this.source, compose('Error', 0))
        break
      case 'close':
        this.target.closed = true
        break
    }
  }

  /** At most one side may run the guest, now or at any later time without the other's word. */
  get owners(): number {
    const mayRunAtSource = this.sourceRuns || isCancellable(this.source.state)
    return (mayRunAtSource ? 1 : 0) + (this.targetRuns ? 1 : 0)
  }

  get names(): readonly [string, string] {
    return [this.source.state.name, this.target.state.name]
  }
}

const modes = ['stop-copy', 'pre-copy', 'post-copy', 'hybrid'] as const
const settings = fc.record({
  mode: fc.constantFrom(...modes),
  verify: fc.boolean(),
  final: fc.boolean(),
  roundsMax: fc.integer({ min: 1, max: 4 }),
  postCopy: fc.boolean(),
})
const choices = fc.array(fc.nat(11), { minLength: 20, maxLength: 90, size: 'max' })

/** Goes on until nothing can happen; the most owners there ever were. */
function run(world: World, picks: readonly number[], turns: number): number {
  let most = world.owners
  for (let i = 0; i < turns && world.turn(picks[i % picks.length]!); i++) {
    most = Math.max(most, world.owners)
  }
  return most
}

const forever = 10_000

/** Of the source and the destination, where one of them fails. */
function endsOf(setting: Setting): readonly string[] {
  const ends = ['failed/discarded', 'completed/completed', 'in-doubt/discarded']
  return isPostCopy(setting)
    ? [...ends, 'in-doubt/stranded', 'stranded/stranded', 'stranded/completed']
    : [...ends, 'in-doubt/completed']
}

describe('one owner', () => {
  it('with nothing lost the guest always ends at the destination', () => {
    fc.assert(
      fc.property(settings, choices, (setting, picks) => {
        const world = new World(setting)
        expect(run(world, picks, forever)).toBe(1)
        expect(world.names).toEqual(['completed', 'completed'])
        expect([world.sourceRuns, world.targetRuns, world.memoryKept]).toEqual([false, true, true])
        const followed = isPostCopy(setting)
        expect([world.discarded, world.filled]).toEqual([followed, followed])
      }),
      { numRuns: 300 },
    )
  })

  it('with a failure of a side at any time there is one, or the source stays in doubt', () => {
    const failure = fc.record({ after: fc.nat(60), atSource: fc.boolean() })
    fc.assert(
      fc.property(settings, choices, failure, (setting, picks, { after, atSource }) => {
        const world = new World(setting)
        const before = run(world, picks, after)
        if (atSource) world.failSource(new CancelledError())
        else world.failTarget(new CancelledError())
        const most = Math.max(before, world.owners, run(world, picks, forever))
        expect(most).toBe(1)
        const [atEnd, there] = world.names
        expect(endsOf(setting)).toContain(`${atEnd}/${there}`)
        expect(world.targetRuns).toBe(there !== 'discarded')
        expect(there === 'stranded' && world.filled).toBe(false)
        expect(world.sourceRuns).toBe(atEnd === 'failed')
        expect(world.memoryKept).toBe(world.targetRuns)
      }),
      { numRuns: 1500 },
    )
  })

  it.each(modes)('each of these ends is reached in %s', (mode) => {
    const setting = { mode, verify: true, final: true, roundsMax: 2, postCopy: true }
    const reached = new Set<string>()
    for (const picks of [[0], [1], [2], [3], [2, 1], [3, 0, 1]]) {
      for (let after = 0; after <= 60; after++) {
        for (const atSource of [true, false]) {
          const world = new World(setting)
          run(world, picks, after)
          if (atSource) world.failSource(new CancelledError())
          else world.failTarget(new CancelledError())
          run(world, picks, forever)
          reached.add(world.names.join('/'))
        }
      }
    }
    expect([...reached].sort()).toEqual([...endsOf(setting)].sort())
  })

  it('with the link cut at any time there are never two, and the source never guesses', () => {
    const cut = fc.record({ after: fc.nat(60), toSource: fc.nat(3), toTarget: fc.nat(3) })
    const notices = fc.record({ source: fc.nat(8), target: fc.nat(8) })
    fc.assert(
      fc.property(settings, choices, cut, notices, (setting, picks, at, notice) => {
        const world = new World(setting)
        let most = run(world, picks, at.after)
        world.cut(at.toSource, at.toTarget)
        for (let turn = 0; turn <= 8; turn++) {
          if (turn === notice.source) world.failSource(lost())
          if (turn === notice.target) world.failTarget(lost())
          most = Math.max(most, world.owners, run(world, picks.slice(turn), 1))
        }
        most = Math.max(most, run(world, picks, forever))
        expect(most).toBe(1)
        expect(isFinished(world.source.state) && isDestinationFinished(world.target.state)).toBe(
          true,
        )
        const inDoubt = world.names[0] === 'in-doubt'
        expect(world.sourceRuns || world.targetRuns || inDoubt).toBe(true)
        expect(inDoubt && !world.released).toBe(false)
        // It may be that only the acknowledgement of the last page was lost.
        const stranded = world.names.includes('stranded')
        expect(stranded && !(isPostCopy(setting) && world.targetRuns)).toBe(false)
        expect(world.names[0] === 'completed' && world.names[1] !== 'completed').toBe(false)
        expect(world.sourceRuns && world.released).toBe(false)
      }),
      { numRuns: 1500 },
    )
  })
})

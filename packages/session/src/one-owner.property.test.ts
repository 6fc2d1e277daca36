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

/** The bodies do not matter, but for their rounds. */
function compose(name: MessageName, round: number, kind = 'final'): Message {
  return { name, body: { round, kind, epoch: 1 } } as unknown as Message
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
  readonly #terms: SourceTerms
  readonly #roundsMax: number
  #sourceRound = 0

  constructor(terms: SourceTerms, roundsMax: number) {
    this.#terms = terms
    this.#roundsMax = roundsMax
    this.source.work.push({ type: 'start' })
  }

  /** One thing that can happen, chosen by `choice`; false when nothing can. */
  turn(choice: number): boolean {
    const turns: (() => void)[] = []
    const { source, target } = this
    if (source.work.length > 0) turns.push(() => this.#tellSource(source.work.shift()!))
    if (target.work.length > 0) turns.push(() => this.#tellTarget(target.work.shift()!))
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
        this.#post(this.target, compose(effect.message, this.#sourceRound))
        break
      case 'apply':
        if (effect.message.name === 'Error') this.failSource(peerError())
        break
      case 'open-channels':
        work.push({ type: 'opened' })
        break
      case 'send-round':
        this.#sourceRound = effect.round
        this.#post(this.target, compose('RoundBegin', effect.round, effect.kind))
        work.push({ type: 'sent' })
        break
      case 'decide':
        work.push({
          type: 'decided',
          next: effect.round < this.#roundsMax ? 'round' : 'switch-over',
        })
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

  #performTarget(effect: DestinationEffect, before: DestinationState): void {
    const { work } = this.target
    switch (effect.do) {
      case 'send': {
        const round = 'round' in before ? before.round : 0
        this.#post(this.source, compose(effect.message, round))
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

const settings = fc.record({
  mode: fc.constantFrom('stop-copy' as const, 'pre-copy' as const),
  verify: fc.boolean(),
  final: fc.boolean(),
  roundsMax: fc.integer({ min: 1, max: 4 }),
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

describe('one owner', () => {
  it('with nothing lost the guest always ends at the destination', () => {
    fc.assert(
      fc.property(settings, choices, (setting, picks) => {
        const world = new World(setting, setting.roundsMax)
        expect(run(world, picks, forever)).toBe(1)
        expect(world.names).toEqual(['completed', 'completed'])
        expect([world.sourceRuns, world.targetRuns, world.memoryKept]).toEqual([false, true, true])
      }),
      { numRuns: 300 },
    )
  })

  it('with a failure of a side at any time there is one, or the source stays in doubt', () => {
    const failure = fc.record({ after: fc.nat(60), atSource: fc.boolean() })
    fc.assert(
      fc.property(settings, choices, failure, (setting, picks, { after, atSource }) => {
        const world = new World(setting, setting.roundsMax)
        const before = run(world, picks, after)
        if (atSource) world.failSource(new CancelledError())
        else world.failTarget(new CancelledError())
        const most = Math.max(before, world.owners, run(world, picks, forever))
        expect(most).toBe(1)
        const [atEnd, there] = world.names
        const ends = ['failed/discarded', 'completed/completed', 'in-doubt/discarded']
        expect([...ends, 'in-doubt/completed']).toContain(`${atEnd}/${there}`)
        expect(world.targetRuns).toBe(there === 'completed')
        expect(world.sourceRuns).toBe(atEnd === 'failed')
        expect(world.memoryKept).toBe(world.targetRuns)
      }),
      { numRuns: 1500 },
    )
  })

  it('with the link cut at any time there are never two, and the source never guesses', () => {
    const cut = fc.record({ after: fc.nat(60), toSource: fc.nat(3), toTarget: fc.nat(3) })
    const notices = fc.record({ source: fc.nat(8), target: fc.nat(8) })
    fc.assert(
      fc.property(settings, choices, cut, notices, (setting, picks, at, notice) => {
        const world = new World(setting, setting.roundsMax)
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
        expect(world.sourceRuns && world.released).toBe(false)
      }),
      { numRuns: 1500 },
    )
  })
})

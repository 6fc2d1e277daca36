/**
 * Visits every moment that can be reached, breadth first: the first way to a bad one that is found
 * is a shortest.
 *
 * @module
 */
import { renumber } from './epochs.ts'
import { checkMoment, isSettled, prospectOf } from './moments.ts'
import type { Prospect } from './moments.ts'
import type { Move } from './moves.ts'
import { movesOf } from './moves.ts'
import type { Plan } from './source-side.ts'
import type { Budget } from './system.ts'
import { System } from './system.ts'
import { Violation } from './violation.ts'

export interface Counterexample {
  readonly what: string
  /** From the beginning: what happened, and the states of both sides after it. */
  readonly trace: readonly string[]
}

export interface Exploration {
  readonly states: number
  readonly transitions: number
  readonly counterexample: Counterexample | undefined
  /** What was met: `source state/destination state`. */
  readonly pairs: ReadonlySet<string>
}

export interface Options {
  /** Give up beyond. */
  readonly statesMax?: number
  /** See {@link System.checksOrder}. */
  readonly checksOrder?: boolean
  /** Told of every moment that nothing is to be hoped beyond. */
  settled?(system: System): void
}

export function explore(plan: Plan, budget: Budget, options: Options = {}): Exploration {
  return new Explorer(plan, budget, options).run(System.begin(budget, options.checksOrder ?? true))
}

class Explorer {
  readonly #plan: Plan
  readonly #budget: Budget
  readonly #options: Options
  readonly #ids = new Map<string, number>()
  /** By state: the one before it, and which move led here. */
  readonly #parents: number[] = [-1]
  readonly #choices: number[] = [-1]
  readonly #prospects: Prospect[] = []
  readonly #settled: boolean[] = []
  /** Of fair moves: from, to. */
  readonly #fair: number[] = []
  readonly #pairs = new Set<string>()
  #transitions = 0

  constructor(plan: Plan, budget: Budget, options: Options) {
    this.#plan = plan
    this.#budget = budget
    this.#options = options
  }

  run(start: System): Exploration {
    let frontier: System[] = [start]
    this.#enter(start, start.key)
    for (let id = 0; frontier.length > 0; ) {
      const next: System[] = []
      for (const system of frontier) {
        const found = this.#expand(system, id, next)
        if (found !== undefined) return this.#result(start, found)
        id += 1
      }
      frontier = next
      if (this.#ids.size > (this.#options.statesMax ?? Infinity)) throw new Error('too many states')
    }
    return this.#result(start, this.#findHopeless())
  }

  #result(start: System, found: Found | undefined): Exploration {
    const counterexample = found && { what: found.what, trace: this.#trace(start, found) }
    const [states, transitions] = [this.#ids.size, this.#transitions]
    return { states, transitions, counterexample, pairs: this.#pairs }
  }

  /** All moves from `system`. */
  #expand(system: System, id: number, frontier: System[]): Found | undefined {
    const moves = movesOf(system, this.#plan)
    for (let choice = 0; choice < moves.length; choice++) {
      const move = moves[choice]!
      const next = system.copy()
      this.#transitions += 1
      const what = violationOf(next, move)
      if (what !== undefined) return { what, id, choice }
      if (this.#isLeftInDoubt(system, next, move)) {
        return { what: 'the source is in doubt, and did not give up', id, choice }
      }
      const key = next.key
      let to = this.#ids.get(key)
      if (to === undefined) {
        to = this.#enter(next, key)
        this.#parents[to] = id
        this.#choices[to] = choice
        frontier.push(next)
      }
      if (!move.isFair) continue
      this.#fair.push(id, to)
      const [before, after] = [this.#prospects[id], this.#prospects[to]]
      if (before === 'one' && after !== 'one' && !this.#isAccepted(next, after!)) {
        return { what: `a guest that could run is given up: ${after}`, id, choice }
      }
    }
    return undefined
  }

  /** Somebody wanted an end of it, or was told what is not so; or a side does not ask, or wait. */
  #isAccepted({ budget }: System, after: Prospect): boolean {
    const { cancels, strangers } = this.#budget
    const isWanted = budget.cancels < cancels || budget.strangers < strangers
    return (after === 'any' || after === 'stranded') && (isWanted || !this.#isPromised)
  }

  /** Both sides are able to ask and to answer, and wait for each other. */
  get #isPromised(): boolean {
    const { source, destination } = this.#plan.terms
    return source.asks && source.recovers && destination.recovers
  }

  #isLeftInDoubt(before: System, after: System, { label }: Move): boolean {
    const [last, { name }] = [before.source.machine.name, after.source.machine]
    if (name !== 'in-doubt' || last === name || !this.#isPromised) return false
    return label !== 'source: gives up'
  }

  #enter(system: System, key: string): number {
    const id = this.#ids.size
    this.#ids.set(key, id)
    const prospect = prospectOf(system, this.#plan)
    this.#prospects.push(prospect)
    const settled = isSettled(system, prospect)
    this.#settled.push(settled)
    if (settled) this.#options.settled?.(system)
    this.#pairs.add(namesOf(system))
    return id
  }

  /** A moment from which fair moves do not lead to what is to be hoped for; the first found. */
  #findHopeless(): Found | undefined {
    const before: number[][] = this.#prospects.map(() => [])
    for (let i = 0; i < this.#fair.length; i += 2) before[this.#fair[i + 1]!]!.push(this.#fair[i]!)
    const isHopeful = this.#settled.slice()
    const queue = [...isHopeful.keys()].filter((id) => isHopeful[id])
    for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
      for (const from of before[id]!) {
        if (isHopeful[from]) continue
        isHopeful[from] = true
        queue.push(from)
      }
    }
    const id = isHopeful.indexOf(false)
    if (id < 0) return undefined
    const what = `nothing fair leads to what was to be hoped for: ${this.#prospects[id]}`
    return { what, id, choice: undefined }
  }

  #trace(start: System, { id, choice }: Found): string[] {
    const choices: number[] = choice === undefined ? [] : [choice]
    for (let at = id; this.#parents[at]! >= 0; at = this.#parents[at]!) {
      choices.unshift(this.#choices[at]!)
    }
    const trace: string[] = []
    let system = start
    for (const each of choices) {
      const move = movesOf(system, this.#plan)[each]!
      const next = system.copy()
      const what = violationOf(next, move)
      trace.push(`${move.label}  [${namesOf(next)}]`)
      if (what !== undefined) trace.push(what)
      system = next
    }
    return trace
  }
}

interface Found {
  readonly what: string
  readonly id: number
  readonly choice: number | undefined
}

/** What is wrong with the move, or with what it leads to. */
function violationOf(next: System, move: Move): string | undefined {
  try {
    move.apply(next)
    renumber(next)
    checkMoment(next)
    return undefined
  } catch (thrown) {
    if (thrown instanceof Violation) return thrown.message
    if (thrown instanceof Error) return `a machine threw: ${thrown.message}`
    throw thrown
  }
}

export function namesOf({ source, destination }: System): string {
  const here = source.process === 'up' ? source.machine.name : `${source.process}, ${source.errand}`
  const there = destination.process === 'up' ? (destination.machine?.name ?? 'idle') : 'down'
  return `${here}/${there}`
}

/**
 * Everything that the model check knows at one moment: two processes with their machines, two
 * disks, the connections between them with what is on its way, and what may still go wrong.
 *
 * @module
 */
import type { DestinationState, DestinationTermsInForce } from '../../src/destination-state.ts'
import type { OwnerAnswer } from '@godwit/wire'
import type { SourceState, SourceTerms } from '../../src/source-state.ts'
import { keyOf } from './keys.ts'
import { insist } from './violation.ts'

/** How often each thing may go wrong. */
export interface Budget {
  readonly sourceCrashes: number
  readonly destinationCrashes: number
  readonly cuts: number
  /** Writes that come to nothing, or are durable and are not known to be. */
  readonly failures: number
  /** Somebody wants it to end, at either side. */
  readonly cancels: number
  /** A connection comes twice, with all that is on its way. */
  readonly duplicates: number
  /** An agent without any record answers at the destination's address. */
  readonly strangers: number
}

export interface Terms {
  readonly source: SourceTerms
  readonly destination: DestinationTermsInForce
}

/** What is on its way is in the order in which it was sent. */
export interface Line {
  readonly epoch: number
  readonly toSource: readonly string[]
  readonly toDestination: readonly string[]
  readonly isCut: boolean
  /** Whether this side reads and writes. */
  readonly source: 'open' | 'closed'
  /** Nobody has read its preface; the session has it, or the agent, which may owe an answer. */
  readonly destination: 'dialled' | 'session' | 'agent' | 'asked' | 'closed'
}

/** A write, and who waits for it. */
export interface Write {
  readonly state: string
  readonly by: 'machine' | 'agent' | 'keeping'
}

export interface Disk {
  readonly record: string
  readonly pending: readonly Write[]
}

export type Told = `told ${OwnerAnswer | 'unknown'}`

export interface SourceSide {
  /** `recovering`: started anew with the record, and without the guest. */
  readonly process: 'up' | 'down' | 'recovering'
  readonly machine: SourceState
  /** What one that was started anew is at, or was told at last. */
  readonly errand: 'none' | 'dialling' | 'greeting' | 'asking' | 'committing' | Told
  readonly isDialling: boolean
  readonly runs: boolean
  readonly disk: Disk
}

export interface DestinationSide {
  readonly process: 'up' | 'down'
  readonly machine: DestinationState | undefined
  readonly guest: 'none' | 'held' | 'running'
  /** Being started. */
  readonly isStarting: boolean
  /** The last connection that the session took. */
  readonly accepted: number
  /** The record as the process knows it. */
  readonly known: string
  readonly disk: Disk
}

type Start = Pick<System, 'source' | 'destination' | 'lines' | 'budget' | 'checksOrder'>

/** A moment. Steps make a copy and change that; what it refers to is never changed. */
export class System {
  source: SourceSide
  destination: DestinationSide
  lines: readonly Line[]
  budget: Budget
  /** The guest went on at the source after its state was sent. */
  wentOn = false
  /** It went on although the source could not write that it kept it. */
  isUnkept = false
  /** The guest has run at the destination. */
  ranThere = false
  takenOver = false
  /** Whether it is looked at what is written before what; without it only what comes of it. */
  readonly checksOrder: boolean

  constructor(from: Start) {
    this.checksOrder = from.checksOrder
    this.source = from.source
    this.destination = from.destination
    this.lines = from.lines
    this.budget = from.budget
  }

  static begin(budget: Budget, checksOrder: boolean): System {
    const disk = { record: 'owner', pending: [] }
    const first = { toSource: [], toDestination: ['Preface'], isCut: false } as const
    return new System({
      source: {
        process: 'up',
        machine: { name: 'idle' },
        errand: 'none',
        isDialling: false,
        runs: true,
        disk,
      },
      destination: {
        process: 'up',
        machine: undefined,
        guest: 'none',
        isStarting: false,
        accepted: 0,
        known: 'none',
        disk: { record: 'none', pending: [] },
      },
      lines: [{ epoch: 0, ...first, source: 'open', destination: 'dialled' }],
      budget,
      checksOrder,
    })
  }

  copy(): System {
    const copy = new System(this)
    copy.wentOn = this.wentOn
    copy.isUnkept = this.isUnkept
    copy.ranThere = this.ranThere
    copy.takenOver = this.takenOver
    return copy
  }

  /** Of the order in which things are written and told. */
  insist(holds: boolean, otherwise: string): void {
    if (this.checksOrder) insist(holds, otherwise)
  }

  spend(what: keyof Budget): void {
    this.budget = { ...this.budget, [what]: this.budget[what] - 1 }
  }

  /** Equal for moments that nothing tells apart; only the order of epochs counts. */
  get key(): string {
    return keyOf(this)
  }
}

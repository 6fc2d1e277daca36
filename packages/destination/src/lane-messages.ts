/**
 * What is said between the control plane and a lane on another thread.
 *
 * @module
 */
import type {
  DetachedChannel,
  ErrorParts,
  FaultSource,
  HashName,
  PlacingParts,
  Span,
} from '@godwit/core'
import type { BatchFeatures, DecodedTotals } from '@godwit/codec'
import type { StaticSpans } from './static-spans.ts'

/** How pages are installed: what is known before there is memory. Plain values. */
export interface LanePlan {
  readonly pageBytes: number
  /** The session's hash; its seed has 8 bytes. */
  readonly hash: HashName
  readonly hashSeed: Uint8Array
  /** The hash of verification and its seed; undefined with `--verify none`. */
  readonly verify: HashName | undefined
  readonly verifySeed: Uint8Array
  /** The size of the guest to warm up for. */
  readonly warmUpBytes: number
  readonly regionCount: number
  /** What batches may contain. */
  readonly features: BatchFeatures
  /** Of a lane's content store. */
  readonly storeBytes: number
  /** Whether it is for the urgent channel. */
  readonly urgent: boolean
  /** What comes first on the channel. */
  readonly firstRound: number
}

/** A region and what is kept of it, all of it shared. */
export interface InstalledSpans {
  readonly id: number
  readonly name: string
  readonly bytes: Span
  readonly written: Span
  readonly fingerprints: Span | undefined
  /** Where the guest may run before its pages are there: a word for each. */
  readonly states: Int32Array | undefined
}

/** To the thread, in this order; `close` at any time after `open`. */
export type LaneCommand =
  | { readonly do: 'prepare'; readonly plan: LanePlan }
  | {
      readonly do: 'install'
      readonly regions: readonly InstalledSpans[]
      /** See `round-gate.ts`. */
      readonly gate: Int32Array
      /** Where the guest may run before its pages are there: which are waited for. */
      readonly faults: FaultSource | undefined
      /** How pages are installed then, where memory is not to be stored to. */
      readonly placing: PlacingParts | undefined
    }
  /** Before `open`, where the two ends have agreed on contents that both know. */
  | { readonly do: 'know'; readonly staticPages: StaticSpans }
  | { readonly do: 'open'; readonly channel: DetachedChannel }
  | { readonly do: 'close' }

/** From the thread. `ended` comes last. */
export type LaneReport =
  /** Prepared, and warming up. */
  | { readonly type: 'ready' }
  /** The descriptor is the thread's. */
  | { readonly type: 'opened' }
  /** Frames arrive; at most ten times a second. */
  | {
      readonly type: 'progress'
      /** Of the round that is arriving. */
      readonly pages: number
      readonly wireBytes: number
    }
  | {
      readonly type: 'barrier'
      readonly round: number
      readonly totals: DecodedTotals
      /** Of page frames in all rounds. */
      readonly receivedBytes: number
      readonly wireBytes: number
      /** Of the thread, so far. */
      readonly cpuSeconds: number
    }
  /** As told by `close`: nothing is installed any more. */
  | { readonly type: 'closed' }
  /** The channel is over, or could not be opened; undefined when the peer closed it cleanly. */
  | { readonly type: 'lost'; readonly error: ErrorParts | undefined }
  | { readonly type: 'ended'; readonly wireBytes: number; readonly cpuSeconds: number }

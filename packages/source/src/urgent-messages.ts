/**
 * What is said between the control plane and an urgent channel on another thread.
 *
 * @module
 */
import type { DetachedChannel, ErrorParts, HashName } from '@godwit/core'
import type { Preface } from '@godwit/wire'
import type { PushSpans, SentSpan } from './round-spans.ts'
import type { LaneRound } from './round-work.ts'

/** To the thread, `prepare` first. */
export type UrgentCommand =
  | {
      readonly do: 'prepare'
      readonly hash: HashName
      readonly seed: Uint8Array
      readonly pageBytes: number
      readonly memoryBytes: number
      readonly sent: readonly SentSpan[]
    }
  | {
      readonly do: 'open'
      readonly channel: DetachedChannel
      readonly preface: Preface
      /** Of the control channel, where channels are sealed. */
      readonly secret: Uint8Array | undefined
    }
  | { readonly do: 'skip'; readonly round: number }
  | {
      readonly do: 'begin'
      readonly round: number
      readonly known: boolean
      readonly push: PushSpans
    }
  | { readonly do: 'end' }
  | { readonly do: 'close' }

/** From the thread. `ended` comes last. */
export type UrgentReport =
  /** The descriptor is the thread's. */
  | { readonly type: 'attached' }
  /** The destination has answered. */
  | { readonly type: 'opened' }
  | { readonly type: 'sent'; readonly done: LaneRound; readonly cpuSeconds: number }
  /** The channel is over, or could not be opened; undefined when the peer closed it cleanly. */
  | { readonly type: 'lost'; readonly error: ErrorParts | undefined }
  /** The channel is closed in both directions. */
  | { readonly type: 'ended'; readonly wireBytes: number; readonly cpuSeconds: number }

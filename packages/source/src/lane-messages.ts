/**
 * What is said between the control plane and a lane on another thread.
 *
 * @module
 */
import type { ErrorParts, HashName } from '@godwit/core'
import type { StaticLookup } from '@godwit/codec'
import type { EncodingState } from './encoding-state.ts'
import type { LaneTerms } from './lanes.ts'
import type { LookSpans, RoundSpans, ScanSpans, SentSpan } from './round-spans.ts'
import type { LaneRound } from './round-work.ts'

/** To the thread, `prepare` first. */
export type LaneCommand =
  | {
      readonly do: 'prepare'
      /** Number of the data channel. */
      readonly index: number
      /** What to dial. */
      readonly address: string
      readonly session: Uint8Array
      readonly epoch: number
      /** Of the control channel, where channels are sealed. */
      readonly secret: Uint8Array | undefined
      readonly hash: HashName
      readonly seed: Uint8Array
      readonly pageBytes: number
      readonly sent: readonly SentSpan[]
      /** Whether it is going to look through memory. */
      readonly looks: boolean
      /** Of this lane: its count is 1. */
      readonly terms: LaneTerms
    }
  | {
      readonly do: 'open'
      /** All of it is shared. */
      readonly staticPages: StaticLookup | undefined
    }
  | { readonly do: 'send-round'; readonly work: RoundSpans }
  | { readonly do: 'go-on' }
  | { readonly do: 'scan'; readonly job: ScanSpans }
  | { readonly do: 'look'; readonly work: LookSpans }
  | { readonly do: 'pace'; readonly bytesPerSecond: number }
  | { readonly do: 'close' }
  | { readonly do: 'destroy' }

/** From the thread. `ended` comes last. */
export type LaneReport =
  | { readonly type: 'opened' }
  | { readonly type: 'scanned' }
  | { readonly type: 'hungry' }
  | { readonly type: 'progress'; readonly pagesDone: number; readonly wireBytes: number }
  | {
      readonly type: 'sent'
      readonly done: LaneRound
      readonly encoding: EncodingState | undefined
      readonly wireBytes: number
      /** Of the thread, so far. */
      readonly cpuSeconds: number
    }
  | { readonly type: 'lost'; readonly error: ErrorParts }
  /** Opening, sending or scanning failed. */
  | { readonly type: 'failed'; readonly error: ErrorParts }
  | {
      readonly type: 'ended'
      readonly wireBytes: number
      /** With what was sent once more after the last round. */
      readonly encoding: EncodingState | undefined
    }

/**
 * What a destination needs to take guests in. Everything that depends on the runtime is handed in.
 *
 * @module
 */
import type {
  Clock,
  GodwitError,
  GuestHost,
  StageReport,
  UsageMeter,
  ZeroMemory,
} from '@godwit/core'
import { MIB } from '@godwit/core'
import type { Compressors, Primitives } from '@godwit/codec'
import { HEARTBEAT_MS_DEFAULT } from '@godwit/link'
import type { Security } from '@godwit/seal'
import type { DestinationTerms, DestinationTermsInForce } from '@godwit/session'
import { CREDIT_BYTES } from './lane.ts'
import type { LaneThreads } from './remote-lane.ts'

/** More than one machine has use for; each costs a thread and a receive buffer of 1.25 MiB. */
export const DATA_CHANNELS_MAX_DEFAULT = 16

/** More than a source asks for that is not told to; taken only as older versions are kept. */
export const STORE_BYTES_DEFAULT: number = 64 * MIB

/** What a destination is made with. */
export interface DestinationOptions {
  readonly host: GuestHost
  readonly clock: Clock
  readonly primitives: Primitives
  /** What sources must prove; without it channels are plain. */
  readonly security?: Security
  readonly software: string
  /** Page sizes this side accepts; empty accepts every legal one. */
  readonly pageBytes?: readonly number[]
  /** Most data channels to agree to. Default {@link DATA_CHANNELS_MAX_DEFAULT}. */
  readonly dataChannelsMax?: number
  /**
   * Threads for lanes, one each. Without it they run on the calling thread, as does a lane whose
   * channel cannot be detached, and every lane of a guest whose memory is not shared.
   */
  readonly lanes?: LaneThreads
  /** How a guest's memory is made ready. By default on the calling thread, in pieces. */
  readonly zero?: ZeroMemory
  readonly heartbeatMs?: number
  /**
   * How long a source that was lost in post-copy is waited for, each time. Default `Infinity`; 0:
   * not at all.
   */
  readonly recoverMs?: number
  /** Post-copy was interrupted; the source is waited for. */
  readonly onSuspended?: (error: GodwitError) => void
  /** Most bytes of older versions per data channel. Default {@link STORE_BYTES_DEFAULT}. */
  readonly storeBytes?: number
  /** Run a guest that arrived this long, stop it and tell the source how it ended. */
  readonly runForMs?: number
  readonly usage?: () => UsageMeter
  readonly onStage?: (stage: StageReport) => void
}

/** What a destination offers to any source. */
export function termsOf(options: DestinationOptions): DestinationTerms {
  const { software, pageBytes = [], heartbeatMs = HEARTBEAT_MS_DEFAULT, runForMs } = options
  return {
    software,
    pageBytes,
    dataChannelsMax: options.dataChannelsMax ?? DATA_CHANNELS_MAX_DEFAULT,
    heartbeatMs,
    capabilities: compressionsOf(options.primitives.compressors),
    creditBytes: CREDIT_BYTES,
    storeBytes: options.storeBytes ?? STORE_BYTES_DEFAULT,
    finalAfterMs: runForMs,
  }
}

/** The rest of them comes with HELLO. */
export const termsBeforeHello: DestinationTermsInForce = {
  mode: 'pre-copy',
  verify: false,
  final: false,
  recovers: false,
}

/** Names of capabilities. */
function compressionsOf({ zstd, lz4 }: Compressors): string[] {
  return [...(zstd === undefined ? [] : ['zstd']), ...(lz4 === undefined ? [] : ['lz4'])]
}

/** What a progress line shows. */
export interface DestinationProgress {
  readonly stage: string
  readonly round: number
  readonly pagesDone: number
  readonly pagesTotal: number
  readonly wireBytes: number
  readonly elapsedMs: number
}

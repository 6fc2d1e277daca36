/**
 * What a destination needs to take guests in. Everything that depends on the runtime is handed in.
 *
 * @module
 */
import type {
  Channel,
  Clock,
  GodwitError,
  GuestHost,
  OwnerStore,
  StageReport,
  UsageMeter,
  ZeroMemory,
} from '@godwit/core'
import { MIB } from '@godwit/core'
import type { Compressors, Primitives } from '@godwit/codec'
import { HEARTBEAT_MS_DEFAULT } from '@godwit/link'
import type { Security } from '@godwit/seal'
import type { DestinationTerms, DestinationTermsInForce } from '@godwit/session'
import { STATIC_NONCE_BYTES } from '@godwit/wire'
import { CREDIT_BYTES } from './lane.ts'
import type { IncomingMigration } from './incoming-migration.ts'
import type { LaneThreads } from './remote-lane.ts'
import type { StateRoom } from './state-room.ts'
import type { StaticFinder } from './static-finder.ts'

/** More than one machine has use for; each costs a thread and a receive buffer of 1.25 MiB. */
export const DATA_CHANNELS_MAX_DEFAULT = 16

/** More than a source asks for that is not told to; taken only as older versions are kept. */
export const STORE_BYTES_DEFAULT: number = 64 * MIB

/** What a guest here does while its source is waited for: it runs, or does not yet. */
export type WaitingGuest = 'runs' | 'held'

/** What a destination is made with. */
export interface DestinationOptions {
  readonly host: GuestHost
  readonly clock: Clock
  readonly primitives: Primitives
  /** Cryptographically random bytes: nonces. */
  readonly randomBytes: (byteCount: number) => Uint8Array
  /** What sources must prove; without it channels are plain. */
  readonly security?: Security
  /** Sees what goes over every channel, unsealed; nothing runs on threads then. */
  readonly tap?: (channel: Channel) => Channel
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
  /** Most migrations at once, half of them of one address. Default 16. */
  readonly sessionsMax?: number
  /** What bounds the state packages of all sessions; the agent's own by default. */
  readonly stateRoom?: StateRoom
  /** How a guest's memory is made ready. By default on the calling thread, in pieces. */
  readonly zero?: ZeroMemory
  readonly heartbeatMs?: number
  /**
   * How long a source that was lost is waited for, each time: in post-copy, and after READY, where
   * it may have let the guest go (then at most 10 minutes). Default `Infinity`; 0: not at all.
   */
  readonly recoverMs?: number
  /** The source was lost after READY, and is waited for. */
  readonly onSuspended?: (error: GodwitError, waiting: WaitingGuest) => void
  /** The host has no room for a guest. Resolves with whether there may be some now. */
  readonly makeRoom?: (migration: IncomingMigration) => Promise<boolean>
  /** Where it is written whose a guest is. By default in memory, as long as the agent lives. */
  readonly owners?: OwnerStore
  /** Most bytes of older versions per data channel. Default {@link STORE_BYTES_DEFAULT}. */
  readonly storeBytes?: number
  /** Looks for what a source need not send, since it is here; by default nobody does. */
  readonly static?: StaticFinder
  /** Run a guest that arrived this long, stop it and tell the source how it ended. */
  readonly runForMs?: number
  readonly usage?: () => UsageMeter
  readonly onStage?: (stage: StageReport) => void
  /** A guest runs here now. */
  readonly onRunning?: (migration: IncomingMigration) => void
}

/** What a destination offers to any source. */
export function termsOf(options: DestinationOptions): DestinationTerms {
  const { software, pageBytes = [], heartbeatMs = HEARTBEAT_MS_DEFAULT, runForMs } = options
  const looks = options.static !== undefined
  return {
    software,
    pageBytes,
    dataChannelsMax: options.dataChannelsMax ?? DATA_CHANNELS_MAX_DEFAULT,
    heartbeatMs,
    capabilities: [...compressionsOf(options.primitives.compressors), ...(looks ? ['static'] : [])],
    creditBytes: CREDIT_BYTES,
    storeBytes: options.storeBytes ?? STORE_BYTES_DEFAULT,
    finalAfterMs: runForMs,
    staticNonce: looks ? options.randomBytes(STATIC_NONCE_BYTES) : undefined,
  }
}

/** The rest of them comes with HELLO. */
export const termsBeforeHello: DestinationTermsInForce = {
  mode: 'pre-copy',
  verify: false,
  final: false,
  recovers: false,
  asks: false,
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

/**
 * What a source needs to migrate a guest. Everything that depends on the runtime is handed in.
 *
 * @module
 */
import type {
  Channel,
  Clock,
  DecisionReport,
  Dialler,
  DirtyTracker,
  GodwitError,
  Guest,
  HashName,
  MigrationMode,
  OwnerStore,
  Region,
  StageReport,
  StoreMarks,
  UsageMeter,
  VerifyMode,
} from '@godwit/core'
import type { Primitives } from '@godwit/codec'
import type {
  Auto,
  BandwidthPolicy,
  EncodeSettings,
  FetchName,
  HybridRules,
  SelectSettings,
  StopRule,
  ThrottlePolicy,
} from '@godwit/policy'
import type { Security } from '@godwit/seal'
import type { Final, ImageKey } from '@godwit/wire'
import type { StartLane } from './remote-lanes.ts'
import type { UrgentThreads } from './remote-urgent.ts'
import type { StaticOffering } from './static-offering.ts'

export interface GuestProof {
  readonly stepsBefore: number
  readonly stepsAfter: number
  /** The destination's final memory and registers are those of a run that never moved. */
  readonly continuous: boolean
}

/**
 * What it means that the destination was lost: that nobody knows whose the guest is, that it lacks
 * pages there, or that it died there and nobody is asked any more.
 */
export type SourceLoss = 'in-doubt' | 'post-copy' | 'lost-with-host'

/** The link to the destination, which others may use as well. */
export interface LinkUse {
  /**
   * What others send over it, bytes per second, since the call before.
   *
   * @param ownBytes - everything that this migration has sent and received so far
   */
  usedByOthers(ownBytes: number): number
}

export interface SourceOptions {
  readonly dialler: Dialler
  /** Where control channels are dialled in another way: TLS. */
  readonly controlDialler?: Dialler
  /** What both sides prove to each other; without it channels are plain. */
  readonly security?: Security
  /** Sees what goes over every channel, unsealed; nothing runs on threads then. */
  readonly tap?: (channel: Channel) => Channel
  readonly guest: Guest
  /** What the guest is called, for the destination: 1 to 128 characters. By default nothing. */
  readonly guestName?: string
  readonly clock: Clock
  readonly primitives: Primitives
  /** Cryptographically random bytes: session id and seeds. */
  readonly randomBytes: (byteCount: number) => Uint8Array
  /** By which both sides know the migration; never one that was used before. Default: random. */
  readonly session?: Uint8Array
  readonly software: string
  readonly mode: MigrationMode
  readonly stop: readonly StopRule[]
  /**
   * Which dirty pages a round sends. By default all; with encoding `auto`, where stores are seen,
   * those of round 1 that are not dirty again.
   */
  readonly select?: SelectSettings
  /** When `hybrid` goes on with post-copy; else only when it is asked to. */
  readonly hybrid?: HybridRules
  /** In which order pages follow in post-copy. Default `bubbles`. */
  readonly fetch?: FetchName
  readonly hash: HashName
  readonly verify: VerifyMode
  /** How pages are encoded; what the destination cannot do is left out. */
  readonly encode: EncodeSettings
  /**
   * Contents that the destination may hold already: those go by their numbers, where it does. In
   * the modes with rounds; not with the encoding `raw`.
   */
  readonly static?: readonly StaticOffering[]
  /** Stored images of the guest, newest first, for its next move: the destination gets to know. */
  readonly images?: readonly ImageKey[]
  /** One per region; without them the source scans, comparing with what it sent. */
  readonly trackers: readonly DirtyTracker[] | undefined
  /** What only such a scan goes by, where the rounds have everything that is dirty. */
  readonly marks?: StoreMarks
  readonly pageBytes: number
  /** Data channels to ask for; the destination may agree to fewer. Default 1. */
  readonly lanes?: number
  /**
   * Starts a thread for a lane. Without it, and for a guest whose memory is not shared, lanes run
   * on the calling thread. A thread dials {@link Dialler.address} by itself.
   */
  readonly startLane?: StartLane
  /**
   * Threads for the urgent channel, in the modes that have one. Without them, for a guest whose
   * memory is not shared, and where a connection cannot be given away, it is the calling thread's.
   */
  readonly urgentThreads?: UrgentThreads
  /** Cap on bandwidth while the guest runs, bytes per second; none by default. */
  readonly maxBandwidth?: number
  /** Cap on bandwidth while the guest is paused; by default that of the rounds. */
  readonly pauseBandwidth?: number
  /** Cap on bandwidth of pages that follow in post-copy, but for those that are waited for. */
  readonly postCopyBandwidth?: number
  /** Decides a cap for each round, which {@link maxBandwidth} is the most of. Default: none. */
  readonly bandwidth?: BandwidthPolicy
  /** For policies that look at what others make of the link. */
  readonly linkUse?: LinkUse
  /** Takes time from the guest while it dirties too much. Only for guests that have `throttle`. */
  readonly throttle?: ThrottlePolicy
  /** What policies were chosen by, for the report. */
  readonly chosenBy?: { readonly preset?: string; readonly policy?: string }
  /** Decides round by round, before {@link stop}; in the modes with rounds. */
  readonly auto?: Auto
  readonly onDecision?: (decision: DecisionReport) => void
  readonly heartbeatMs?: number
  /**
   * How long a destination that was lost after the hand-over, while the guest cannot do without
   * it, is tried to be reached again, each time. Default `Infinity`; 0: not at all.
   */
  readonly recoverMs?: number
  /**
   * How often, at most, the guest's state comes back from the destination while its pages follow:
   * the guest can go on here from it when the destination died. In the modes with post-copy; by
   * default never.
   */
  readonly checkpointMs?: number
  /** It was lost then; it is tried to be reached again. Once more for each attempt that fails. */
  readonly onSuspended?: (error: GodwitError, loss: SourceLoss) => void
  /** Where it is written whose the guest is. By default it is nowhere. */
  readonly owners?: OwnerStore
  readonly usage?: UsageMeter
  /**
   * Recomputes how the guest must have ended, after verification found memory equal. May use the
   * source's copy of the memory: it is not needed any more. `digestOf` is the digest FINAL carries.
   */
  readonly prove?: (
    final: Final,
    digestOf: (regions: readonly Region[]) => Promise<Uint8Array>,
  ) => Promise<GuestProof>
  readonly onStage?: (stage: StageReport) => void
}

/** What a progress bar shows. */
export interface SourceProgress {
  readonly stage: string
  readonly round: number
  /** Pages of this round handled so far, and in all. */
  readonly pagesDone: number
  readonly pagesTotal: number
  readonly wireBytes: number
  /** Of the last acknowledged round, bytes per second. */
  readonly dirtyRate: number | undefined
  readonly bandwidth: number
  readonly elapsedMs: number
  /** The last whole one that came back, in post-copy with checkpoints. */
  readonly checkpoint: number | undefined
  /** How much of its time the guest loses now, 0 to 1. */
  readonly throttle: number
}

/** Of the guest. */
export function memoryBytesOf({ guest }: Pick<SourceOptions, 'guest'>): number {
  return guest.regions.reduce((sum, { bytes }) => sum + bytes.length, 0)
}

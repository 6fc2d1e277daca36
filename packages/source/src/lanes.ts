/**
 * The source's data plane as its control plane sees it: some lanes, on this thread or on others.
 *
 * @module
 */
import type { Channel, Clock, Dialler, GodwitError, HashName } from '@godwit/core'
import type { Primitives, SentPages, StaticLookup } from '@godwit/codec'
import type { EncodeSettings } from '@godwit/policy'
import type { EncodingState } from './encoding-state.ts'
import type { LookWork, MemoryScan, ScanJob } from './memory-scan.ts'
import type { LaneRound, RoundWork } from './round-work.ts'
import type { Seals } from './seals.ts'

/** What was agreed, and how large the guest is. */
export interface LaneTerms {
  /** Lanes here, and in all. */
  readonly count: number
  readonly lanes: number
  /** Most bytes of page frames per lane that the destination has not installed. */
  readonly creditBytes: number
  readonly memoryBytes: number
  readonly settings: EncodeSettings
  /** The content store that the destination keeps per lane, at most. */
  readonly storeBytes: number
  /** Whether a look-up may be given to {@link SourceLanes.open}: lanes have room for it. */
  readonly findsStatic: boolean
}

/** All data channels of one migration. */
export interface SourceLanes {
  /** Beside the calling one. */
  readonly threads: number
  /** Makes ready, while the destination reserves memory. */
  prepare(terms: LaneTerms): void
  /**
   * Dials every channel; resolves when the destination answered on all. Rejects otherwise.
   *
   * @param staticPages - what the destination holds anyway, where it holds anything
   */
  open(staticPages?: StaticLookup): Promise<void>
  /** Sends a round on all lanes; resolves with their sum when all was handed to the sockets. */
  sendRound(work: RoundWork): Promise<LaneRound>
  /** There is more to send of a round whose pieces are made while it goes on. */
  goOn(): void
  /**
   * Threads of lanes help to look through memory, between rounds; resolves when they are done. The
   * calling thread does so by itself.
   */
  scan(job: ScanJob): Promise<void>
  /** The same for a sweep, until its round begins and goes on with it. */
  look(work: LookWork): void
  /** Pages handled of the round in progress, or of the last one. */
  readonly pagesDone: number
  /** Everything on the wire so far, both ways; exact when {@link ended}. */
  readonly wireBytes: number
  /** CPU time of threads of their own, up to the end of the last round. */
  readonly cpuSeconds: number
  /** What encoding has come to, up to the end of the last round. */
  readonly encoding: EncodingState | undefined
  /** Changes the cap on bandwidth, of all lanes together, bytes per second. */
  pace(bytesPerSecond: number): void
  /** Ends every channel after what was written; a round in progress rejects. */
  close(): void
  /** Drops every channel at once; a round in progress rejects. */
  destroy(): void
  /** Resolves when every channel is closed in both directions. */
  ended(): Promise<void>
}

/** What lanes are made with. */
export interface LanesOptions {
  readonly dialler: Dialler
  /** Undefined where channels are plain. */
  readonly seals?: Seals | undefined
  /** Where there are no threads. */
  readonly tap?: ((channel: Channel) => Channel) | undefined
  readonly clock: Clock
  readonly primitives: Primitives
  /** The session's id. */
  readonly session: Uint8Array
  /** Of the connection. */
  readonly epoch: number
  readonly hash: HashName
  /** Of page fingerprints. */
  readonly seed: Uint8Array
  readonly pageBytes: number
  /** Per region: what was sent of it. Fingerprints are updated as pages are sent. */
  readonly sent: readonly SentPages[]
  /** Of the calling thread, where nobody reports stores. */
  readonly scan: (() => MemoryScan) | undefined
  /** A channel was lost; may be called again. */
  readonly onLost: (error: GodwitError | undefined) => void
  /** Pieces that are made while a round goes on are about to run out. */
  readonly onHungry: () => void
}

/**
 * The report of one migration (`--json`): the same shape on both sides. Fields whose facts a side
 * does not have are absent, never guessed. Schema id `godwit.report/1`.
 *
 * @module
 */
import type { ErrorCode } from './errors.ts'
import type { MigrationMode } from './mode.ts'

export const REPORT_SCHEMA = 'godwit.report/1'

export type VerifyMode = 'none' | 'fingerprints' | 'sha256'
export type HashName = 'xxh3' | 'xxh64' | 'sha256'
/** How the two sides knew each other. */
export type SecurityName = 'none' | 'psk' | 'tls'
export type Outcome = 'completed' | 'failed' | 'cancelled'

/** One pre-copy round; the last one is sent while the guest is paused. */
export interface RoundReport {
  /** From 1. */
  round: number
  /** Pages of the round's set: every page in round 1, the dirty ones later. */
  pages: number
  /** Dirty pages that were not sent in it: left to later rounds, or to the end. Source only. */
  heldPages?: number
  /** Bytes of all page frames of the round, headers included. */
  bytes: number
  ms: number
  /**
   * Pages found dirty since it began: the next round sends those, or holds some. About so many,
   * where more than 64 MiB are compared with what was sent. Source only.
   */
  dirtyPages?: number
  /** Dirtied bytes per second during the round. Source only. */
  dirtyRate?: number
  /** Bytes of page frames per second. */
  bandwidth: number
  /**
   * The cap on it, as the round began or, where it was changed since, as it ended. Absent where
   * there was none. Source only.
   */
  grantedBandwidth?: number
  /**
   * What comparing memory with what was sent took in the round, of all threads together. Absent
   * where stores are reported, and where it was done before the round. Source only.
   */
  scanMs?: number
  /** How much of its time the guest lost meanwhile, 0 to 1. With a throttle only. Source only. */
  throttle?: number
  /** True for the stop-and-copy round. */
  paused: boolean
}

/** Pages by what was sent for them; exclusive, adding up to the pages of all rounds. */
export interface PageCounts {
  raw: number
  zero: number
  unchanged: number
  /** As another page of the guest. */
  same: number
  /** As an older version, which the destination kept. */
  reference: number
  /** As what differs from the version last sent, or from a similar page. */
  delta: number
  /** By the number of a content that the destination had from elsewhere. */
  static: number
  /** Otherwise raw, in a compressed frame. */
  compressed: number
}

/** What encoding came to, where pages are looked at one by one. Source only. */
export interface EncodingReport {
  /** As `--encode` has it. */
  asked: string
  /** Pages that were dirty again when their turn came, and left to a later round. */
  heldPages: number
  /** Pages that the destination asked for once more. */
  repairedPages: number
  /** Versions last sent, for deltas. */
  cache?: {
    limitBytes: number
    usedBytes: number
    hits: number
    misses: number
    hitRate: number
    /** Deltas that would have been too long. */
    overflows: number
    /** Deltas to another page. */
    similarPages: number
    refused: number
    evicted: number
  }
  /** Older versions, which the destination keeps too. */
  store?: { limitBytes: number; usedBytes: number }
  compression?: {
    algorithm: 'zstd' | 'lz4'
    /** Batches by level; 0: not compressed. */
    batchesByLevel: Record<string, number>
    /** Batches of pages that nothing can make smaller. */
    randomBatches: number
    /** Batches that were not even considered, since the link was faster than any encoder. */
    plainBatches: number
    /** Where it was chosen while running. */
    measured?: { linkBytesPerSecond: number; plainBytesPerSecond: number; plainSize: number }
    reason?: string
  }
}

/** Contents that the destination had before: a map of siblings, or stored images of the guest. */
export interface StaticReport {
  /** Of the first map that was offered; absent where there was none. */
  mode?: 'position' | 'content'
  os?: string
  hypervisor?: string
  mapVersion?: number
  /** Of all sets that were offered; of an image as many as the destination told of. */
  entries: number
  /** Of them, those that the destination said it holds. */
  heldEntries: number
  /** Pages that were sent by their numbers. */
  pages: number
  /** Pages that the destination asked for once more, for whatever reason. Source only. */
  repairedPages?: number
  /** Source: to make the look-up. Destination: to search. */
  ms: number
  /** Why less, or nothing, was offered or found. */
  reason?: string
}

export interface StageReport {
  name: string
  /** Milliseconds since the migration was asked for, by this side's clock. */
  atMs: number
}

export interface StopReport {
  /** The rule that ended pre-copy, or `mode` where the mode has no rounds. */
  rule: string
  [number: string]: number | string
}

/** Pages that threads of the guest had to wait for, when it ran before all were there. */
export interface FaultReport {
  /** Waits; several threads may wait for the same page. */
  count: number
  /** From a thread's touch of a page until it goes on; right within 3 %. */
  p50Us: number
  p99Us: number
  maxUs: number
  /** Time that threads spent waiting, all together. */
  blockedMs: number
}

/** States of the guest that came back to the source in post-copy. */
export interface CheckpointReport {
  /** Whole ones, that were acknowledged. */
  count: number
  pages: number
  /** Bytes of their page frames, headers included. */
  bytes: number
  /** How long the guest stood still for one: the median, right within 3 %, and the longest. */
  pauseP50Ms: number
  pauseMaxMs: number
}

/** Traffic of a service beside the migration, while the guest moved: as long as `totalMs`. */
export interface TrafficReport {
  askedBytesPerSecond: number
  /** What it came to. */
  bytesPerSecond: number
  bytes: number
  ms: number
  /** It ended before the migration did, so the figures are not those of a service beside it. */
  error?: { code: string; text: string }
}

/** The guest went on at the source, after the destination had died in post-copy. */
export interface TakeoverReport {
  /** Whose state it went on from; 0: as it was handed over. */
  checkpoint: number
  /** Steps of the guest in that state; later ones are lost. For guests that count them. */
  steps?: number
  /** How old that state was. */
  ageMs: number
  /** Of ownership: the hand-over had 1. */
  epoch: number
}

/** Steps of the guest between two looks at it, while it ran on this side. */
export interface StepSample {
  /** When it begins, since the migration began for this side. */
  atMs: number
  ms: number
  steps: number
}

/** What was decided while the migration went on, and why. */
export interface DecisionReport {
  /** After which round; 0 before the first. */
  round: number
  /** Since the migration began for this side. */
  atMs: number
  /** One line for people. */
  text: string
}

export interface Report {
  schema: typeof REPORT_SCHEMA
  role: 'source' | 'destination'
  /** By which both sides know it: 16 bytes in hex. */
  sessionId?: string
  outcome: Outcome
  error?: { code: ErrorCode; text: string; phase: string }
  mode?: MigrationMode
  security?: SecurityName
  guest?: { kind: string; options: Record<string, string | number> }
  memoryBytes?: number
  pageBytes?: number
  tracker?: string
  /** Which kernels looked at the pages on this side. */
  kernels?: 'simd' | 'typescript'
  encoders?: string[]
  policies?: Record<string, string>
  totalMs?: number
  reservationMs?: number
  verifyMs?: number
  downtimeMs?: number
  downtime?: { pauseMs: number; pagesMs: number; stateMs: number; resumeMs: number }
  stages: StageReport[]
  wireBytes: number
  sentBytes?: number
  resentBytes?: number
  rounds: RoundReport[]
  pages?: PageCounts
  savedBytes?: Record<string, number>
  /** Pages that the guest gave up: zero bytes at the destination. Source only. */
  droppedPages?: number
  /** Of the preset `auto`, in order. Source only. */
  decisions?: DecisionReport[]
  encoding?: EncodingReport
  static?: StaticReport
  stop?: StopReport
  memory?: { sourceDigest: string; destinationDigest: string; equal: boolean }
  faults?: FaultReport
  recoveries?: number
  checkpoints?: CheckpointReport
  takeover?: TakeoverReport
  competing?: TrafficReport
  /** How fast the guest went, for guests that count their steps. */
  steps?: StepSample[]
  guestProof?: { stepsBefore: number; stepsAfter: number; continuous: boolean }
  cpu?: { sourceSeconds?: number; destinationSeconds?: number }
  overheadBytes?: { source?: number; destination?: number }
}

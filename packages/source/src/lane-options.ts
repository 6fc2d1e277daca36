/**
 * What a lane is made with.
 *
 * @module
 */
import type { PageHasher } from '@godwit/core'
import type { BatchSlot, Compressors, SentPages, StaticLookup, Workspace } from '@godwit/codec'
import type { EncodeSettings, TokenBucket } from '@godwit/policy'
import type { MemoryScan } from './memory-scan.ts'

export interface LaneOptions {
  /** Number of this lane, and how many there are. */
  readonly index: number
  readonly lanes: number
  readonly pageBytes: number
  /** With room for `laneBytes`. */
  readonly workspace: Workspace
  /** Those that `createSlots` makes; the lane's own. */
  readonly slots: readonly BatchSlot[]
  readonly hasher: PageHasher
  /** As agreed with the destination. */
  readonly settings: EncodeSettings
  /** Of this lane. */
  readonly cacheBytes: number
  readonly storeBytes: number
  readonly compressors: Compressors
  /** What the destination holds anyway; undefined where nothing was agreed, or it holds nothing. */
  readonly staticPages?: StaticLookup | undefined
  /** Per region: what was sent of it. Fingerprints are updated as pages are sent. */
  readonly sent: readonly SentPages[]
  /** Most bytes of page frames that the destination has not installed. */
  readonly creditBytes: number
  /** The cap on bandwidth; lanes of one thread share it. */
  readonly pacer: TokenBucket
  /** To the destination and back, at most. */
  readonly roundTripMs: number
  /** The destination is on this machine, or somebody who passes on what comes. */
  readonly isLoopback: boolean
  /** Of this thread, made when it is needed; where nobody reports stores. */
  readonly scan: (() => MemoryScan) | undefined
  /** Pieces that are made while a round goes on are about to run out. */
  readonly onHungry: () => void
}

/** One order of properties for all: code that was optimised in the warm-up is not for others. */
export function sameOptions(options: LaneOptions): LaneOptions {
  const { index, lanes, pageBytes, workspace, slots, hasher, settings, cacheBytes } = options
  const { storeBytes, compressors, staticPages, sent, creditBytes, pacer } = options
  const { roundTripMs, isLoopback, scan, onHungry } = options
  return {
    index,
    lanes,
    pageBytes,
    workspace,
    slots,
    hasher,
    settings: sameSettings(settings),
    cacheBytes,
    storeBytes,
    compressors,
    staticPages,
    sent: sent.map(({ region, fingerprints }) => ({ region, fingerprints })),
    creditBytes,
    pacer,
    roundTripMs,
    isLoopback,
    scan,
    onHungry,
  }
}

function sameSettings(settings: EncodeSettings): EncodeSettings {
  const { text, raw, auto, same, delta, similar, compression, level, classes } = settings
  const { cpuShareMax, cacheBytes, admit, storeBytes } = settings
  const techniques = { raw, auto, same, delta, similar, compression, level, classes }
  return { text, ...techniques, cpuShareMax, cacheBytes, admit, storeBytes }
}

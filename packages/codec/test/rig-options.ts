/**
 * What a rig is made with, what it plays, and what becomes of that.
 *
 * @module
 */
import type { HashName, PageBitmap, Region } from '@godwit/core'
import type { Nak } from '@godwit/wire'
import type { DecodedTotals } from '../src/batch-decoder.ts'
import type { InstalledPages } from '../src/installed-pages.ts'
import type { PageTally } from '../src/page-tally.ts'
import type { StaticLookup } from '../src/static-index.ts'
import type { StaticContents } from '../src/static-pages.ts'
import type { SentFrame } from './sent-frame.ts'

export interface RigOptions {
  /** Of the regions, in bytes. */
  readonly lengths: readonly number[]
  /** As on the command line. */
  readonly encode: string
  readonly lanes?: number
  readonly pageBytes?: number
  readonly hash?: HashName
  /** Of each lane; those of `encode` else. */
  readonly cachePages?: number
  readonly storePages?: number
  /** Most pages of a batch. */
  readonly batchPages?: number
  /** Any page may still come in the round: none can be named by another. */
  readonly mayAllCome?: boolean
  /** Kernels in TypeScript. */
  readonly portable?: boolean
  /** What both ends know by numbers; then, what is asked for once more is sent. */
  readonly staticPages?: {
    readonly lookup: StaticLookup | undefined
    readonly contents: StaticContents
  }
  /** What a region of the destination has beside its memory, where the guest runs early. */
  readonly postCopy?: (region: Region) => Pick<InstalledPages, 'states' | 'placer'>
}

export interface RoundOptions {
  /** Shuffles which lane has which pages, whose turn it is and when frames arrive. */
  readonly seed?: number
  /** Called after every step: a guest that goes on storing. */
  readonly during?: () => void
  /** Whether encoders are told what is dirty again. */
  readonly again?: boolean
  /** Whether they leave that out, then. */
  readonly leaves?: boolean
  /** Per region. */
  readonly untouched?: readonly PageBitmap[]
}

/** What became of a round, over all lanes. */
export interface RoundResult {
  readonly tally: PageTally
  readonly totals: DecodedTotals
  readonly naks: readonly Nak[]
  readonly frames: readonly SentFrame[]
}

/**
 * What lanes are warmed up with. They run before they are needed, so that the first round meets
 * optimised code: a gigabyte takes a fifth of a second, too short a time to compile in.
 *
 * @module
 */
import type { PageHasher, PageStates } from '@godwit/core'
import { KIB, FingerprintTable, MIB, PageBitmap, allocateShared } from '@godwit/core'
import type { SentPages } from './batch-encoder.ts'
import type { InstalledPages } from './installed-pages.ts'
import { Sha256Hasher } from './sha256.ts'
import type { Workspace } from './workspace.ts'

/** What fits into the time that it takes to reserve a gigabyte, about. */
const batchesMax = { encoder: 1600, decoder: 1600 } as const
/** A small guest is over before optimised code is there. */
const bytesPerBatch = 512 * KIB
const madeUpBytes = 4 * MIB

/** How many batches are worth the while. */
export function warmUpBatches(
  what: 'encoder' | 'decoder',
  workspace: Workspace,
  memoryBytes: number,
  hasher: PageHasher,
  verifyHasher?: PageHasher,
): number {
  const byHand = [hasher, verifyHasher].some((one) => one instanceof Sha256Hasher && !one.isNative)
  // Without native code SHA-256 takes all the time there is.
  if (byHand) return 0
  const batches = Math.min(batchesMax[what], Math.floor(memoryBytes / bytesPerBatch))
  const isSlow = hasher.name === 'sha256' || verifyHasher?.name === 'sha256'
  if (isSlow) return batches >>> 2
  return workspace.kernels.active === 'simd' ? batches : batches >>> 3
}

/**
 * Made-up memory to send, all of it dirty: pages that are zero, and others that are like text, like
 * records and like nothing, so that each goes the way of its class.
 */
export function madeUpPages(pageBytes: number, hasher: PageHasher): MadeUp {
  // Guests live in shared memory, for which the compiler specialises.
  const bytes = allocateShared(madeUpBytes)
  const pageCount = madeUpBytes / pageBytes
  const words = new Uint32Array(bytes.buffer)
  const pageWords = pageBytes / 4
  for (let page = 0; page < pageCount; page++) {
    if (page % 16 < 10) fillPage(words.subarray(page * pageWords, (page + 1) * pageWords), page)
  }
  const dirty = PageBitmap.shared(pageCount)
  dirty.addAll()
  const fingerprints = new FingerprintTable(pageCount, hasher.entryBytes)
  return { sent: { region: { id: 0, name: 'warm-up', bytes }, fingerprints }, dirty }
}

/** No two pages alike: those would be references where such are looked for. */
function fillPage(words: Uint32Array, page: number): void {
  words[0] = page + 1
  const kind = (page >>> 4) % 4
  if (kind === 0) return
  // Letters of a small alphabet; or any bytes.
  const [mask, base] = kind < 3 ? [0x07070707, 0x60606060] : [0xffffffff, 0]
  let state = page + 1
  for (let i = 1; i < words.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[i] = (state & mask) | base
  }
}

interface MadeUp {
  readonly sent: SentPages
  readonly dirty: PageBitmap
}

/** Where such pages are installed. */
export function madeUpTarget(
  pageBytes: number,
  verifyHasher?: PageHasher,
  states?: PageStates,
): InstalledPages {
  const bytes = allocateShared(madeUpBytes)
  const pageCount = madeUpBytes / pageBytes
  const fingerprints = verifyHasher && new FingerprintTable(pageCount, verifyHasher.entryBytes)
  const region = { id: 0, name: 'warm-up', bytes }
  return { region, written: allocateShared(pageCount), fingerprints, states }
}

/**
 * Runs the hot paths before they are needed, so that the first round meets optimised code: a
 * gigabyte takes a fifth of a second, too short a time to compile in.
 *
 * @module
 */
import type { Clock, PageHasher } from '@godwit/core'
import { FingerprintTable, KIB, PAGE_BYTES_DEFAULT, PageBitmap, allocateShared } from '@godwit/core'
import { FRAME_HEADER_BYTES } from '@godwit/wire'
import { BatchDecoder, emptyTotals } from './batch-decoder.ts'
import { NO_FEATURES } from './batch-features.ts'
import type { EncodedBatch } from './batch-encoder.ts'
import { BatchEncoder, emptyBatch } from './batch-encoder.ts'
import { BatchSlot } from './batch-slot.ts'
import type { Workspace } from './workspace.ts'

/** After so many, more make no difference; 1600 take the SIMD kernels 80 ms. */
const batchesMax = { encoder: 6400, decoder: 3200 } as const
/** A small guest is over before optimised code is there. */
const bytesPerBatch = 128 * KIB
/** Between two looks at what else there is to do: a few milliseconds. */
const batchesPerStep = 32

/** Encodes or decodes made-up pages, zero and not, again and again. */
export class WarmUp {
  readonly #run: () => void
  #batches: number

  /** @param memoryBytes - of the guest: a small one is not worth a long warm-up */
  constructor(
    what: 'encoder' | 'decoder',
    workspace: Workspace,
    memoryBytes: number,
    hasher: PageHasher,
    verifyHasher?: PageHasher,
  ) {
    // Where SHA-256 takes the time there is nothing to gain, and without native code much to lose.
    const isSlow = hasher.name === 'sha256' || verifyHasher?.name === 'sha256'
    this.#batches = isSlow ? 0 : Math.min(batchesMax[what], Math.floor(memoryBytes / bytesPerBatch))
    if (workspace.kernels.active !== 'simd') this.#batches >>>= 3
    this.#run = this.#batches === 0 ? () => {} : prepare(what, workspace, hasher, verifyHasher)
  }

  /** Goes on for a few milliseconds. @returns whether there is more to do */
  step(): boolean {
    for (let i = 0; i < batchesPerStep && this.#batches > 0; i++, this.#batches--) this.#run()
    return this.#batches > 0
  }
}

/** Goes on with a warm-up while there is nothing else to do. @returns what ends it */
export function warmUpMeanwhile(clock: Clock, warmUp: WarmUp): () => void {
  let isOver = false
  const go = (): void => {
    if (!isOver && warmUp.step()) clock.soon(go)
  }
  clock.soon(go)
  return () => {
    isOver = true
  }
}

/** @returns what encodes, or decodes, one batch */
function prepare(
  what: 'encoder' | 'decoder',
  workspace: Workspace,
  hasher: PageHasher,
  verifyHasher: PageHasher | undefined,
): () => void {
  const pageBytes = PAGE_BYTES_DEFAULT
  const pages = 128
  // Guests live in shared memory, for which the compiler specialises; whoever copies all of it is
  // given a slower way.
  const memory = (): Uint8Array => allocateShared((pages + 1) * pageBytes)
  const region = { id: 0, name: 'warm-up', bytes: memory() }
  for (let page = 0; page < pages; page++) if (page % 16 < 10) region.bytes[page * pageBytes] = 1
  const encoder = new BatchEncoder({ pageBytes, workspace, hasher, raw: false })
  const table = (one: PageHasher): FingerprintTable =>
    new FingerprintTable(pages + 1, one.entryBytes)
  const dirty = new PageBitmap(pages + 1)
  dirty.addAll()
  const sent = { region, fingerprints: table(hasher) }
  const work = { round: 1, sent, dirty, known: false }
  const slot = new BatchSlot(workspace, pageBytes)
  const out: EncodedBatch = emptyBatch()
  const encode = (): void => void encoder.encode(work, 0, pages, slot, out)
  if (what === 'encoder') return encode
  encode()
  const target = { id: 0, name: 'warm-up', bytes: memory() }
  const fingerprints = verifyHasher && table(verifyHasher)
  const installed = { region: target, written: new Uint8Array(pages + 1), fingerprints }
  const decoder = new BatchDecoder({
    pageBytes,
    regions: [installed],
    workspace,
    hasher,
    verifyHasher,
    features: NO_FEATURES,
    storeBytes: 0,
    compressors: {},
  })
  const body = slot.bytes.subarray(out.frameStart + FRAME_HEADER_BYTES, out.frameEnd)
  return () => decoder.decode(body, 1, emptyTotals())
}

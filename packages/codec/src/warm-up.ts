/**
 * Runs the hot paths before they are needed, so that the first round meets optimised code. A
 * gigabyte takes a third of a second; unoptimised code would cost as much again.
 *
 * @module
 */
import type { PageHasher } from '@godwit/core'
import { FingerprintTable, KIB, PAGE_BYTES_DEFAULT, PageBitmap, allocateShared } from '@godwit/core'
import { FRAME_HEADER_BYTES } from '@godwit/wire'
import { BatchDecoder, emptyTotals } from './batch-decoder.ts'
import type { EncodedBatch } from './batch-encoder.ts'
import { BatchEncoder, BatchSlot, emptyBatch } from './batch-encoder.ts'
import type { Workspace } from './workspace.ts'

/** After so many, more make no difference; they take 40 to 80 ms with the SIMD kernels. */
const batchesMax = 1600
const batchBytes = 512 * KIB

/**
 * Encodes or decodes made-up pages, zero and not, again and again. Blocks meanwhile: meant for the
 * time of the reservation.
 *
 * @param memoryBytes - of the guest: a small one is not worth a long warm-up
 */
export function warmUp(
  what: 'encoder' | 'decoder',
  workspace: Workspace,
  memoryBytes: number,
  hasher: PageHasher,
  verifyHasher?: PageHasher,
): void {
  // Where SHA-256 takes the time there is nothing to gain, and without native code much to lose.
  if (hasher.name === 'sha256' || verifyHasher?.name === 'sha256') return
  const most = workspace.kernels === 'simd' ? batchesMax : batchesMax / 8
  const pageBytes = PAGE_BYTES_DEFAULT
  const { copy } = workspace
  const pages = 128
  // Guests live in shared memory, for which the compiler specialises.
  const memory = (): Uint8Array => allocateShared(pages * pageBytes)
  const region = { id: 0, name: 'warm-up', bytes: memory() }
  const target = { id: 0, name: 'warm-up', bytes: memory() }
  for (let page = 0; page < pages; page++) if (page % 16 < 10) region.bytes[page * pageBytes] = 1
  const encoder = new BatchEncoder({ pageBytes, workspace, hasher, raw: false })
  const table = (one: PageHasher): FingerprintTable => new FingerprintTable(pages, one.entryBytes)
  const fingerprints = verifyHasher && table(verifyHasher)
  const installed = { region: target, written: new Uint8Array(pages), fingerprints }
  const decoder = new BatchDecoder({ pageBytes, regions: [installed], hasher, verifyHasher, copy })
  const dirty = new PageBitmap(pages)
  dirty.addAll()
  const sent = { region, fingerprints: table(hasher) }
  const work = { round: 1, sent, dirty, known: false }
  const slot = new BatchSlot(workspace, pageBytes)
  const out: EncodedBatch = emptyBatch()
  const batches = Math.min(most, memoryBytes / batchBytes)
  for (let i = 0; i < batches; i++) {
    if (what === 'encoder' || i === 0) encoder.encode(work, 0, pages, slot, out)
    if (what === 'encoder') continue
    const body = slot.bytes.subarray(out.frameStart + FRAME_HEADER_BYTES, out.frameEnd)
    decoder.decode(body, 1, emptyTotals())
  }
}

/**
 * What a source sends where it is asked for pages once more: them, as they are then.
 *
 * @module
 */
import type { PageHasher } from '@godwit/core'
import { PageBitmap } from '@godwit/core'
import type { Nak } from '@godwit/wire'
import { FRAME_HEADER_BYTES, decodePageRuns } from '@godwit/wire'
import type { SentPages } from '../src/batch-encoder.ts'
import { BatchEncoder, emptyBatch } from '../src/batch-encoder.ts'
import { BatchSlot, batchPages, batchSlotBytes } from '../src/batch-slot.ts'
import { LackingPages } from '../src/lacking-pages.ts'
import type { Workspace } from '../src/workspace.ts'

/** What they take of a workspace. */
export function repairBytes(pageBytes: number): number {
  return batchSlotBytes(pageBytes) + batchPages(pageBytes) * 33 + 128
}

/** Of one lane. */
export class Repairs {
  readonly #sent: readonly SentPages[]
  readonly #slot: BatchSlot
  readonly #encoder: BatchEncoder

  constructor(options: {
    readonly pageBytes: number
    readonly workspace: Workspace
    readonly hasher: PageHasher
    readonly sent: readonly SentPages[]
  }) {
    this.#sent = options.sent
    this.#slot = new BatchSlot(options.workspace, options.pageBytes)
    this.#encoder = new BatchEncoder({ ...options, raw: false })
  }

  /** Batches with what is asked for, and nothing else. */
  bodies(nak: Nak, round: number): readonly Uint8Array[] {
    const sent = this.#sent.find(({ region }) => region.id === nak.region)!
    const dirty = new PageBitmap(sent.fingerprints.entryCount)
    for (const { firstPage, pageCount } of decodePageRuns(nak.runs)) {
      for (let i = 0; i < pageCount; i++) dirty.add(firstPage + i)
    }
    const lacking = new LackingPages(() => dirty.pageCount)
    lacking.add(nak)
    const bodies: Uint8Array[] = []
    const work = { round, sent, dirty, known: false, postCopy: false }
    const batch = emptyBatch()
    for (let page = 0; page < dirty.pageCount; page = batch.nextPage) {
      if (!this.#encoder.encode(work, page, dirty.pageCount, this.#slot, batch)) continue
      const body = this.#slot.bytes.slice(batch.frameStart + FRAME_HEADER_BYTES, batch.frameEnd)
      lacking.take(body)
      bodies.push(body)
    }
    if (!lacking.isEmpty) throw new Error('not all that is lacking was sent')
    return bodies
  }
}

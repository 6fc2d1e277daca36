/**
 * Pages of one checkpoint on their way to the socket, as fast as it takes them.
 *
 * @module
 */
import type { PageBitmap, PageHasher } from '@godwit/core'
import type { SentPages, Workspace } from '@godwit/codec'
import { BatchEncoder, BatchSlot, batchSlotBytes, emptyBatch } from '@godwit/codec'
import type { Link } from '@godwit/link'
import { FrameType, u64ToBytes } from '@godwit/wire'

/** One is taken by the socket while the next one is filled. */
const slotCount = 2

/** What a sender takes of a workspace. */
export const checkpointSenderBytes = (pageBytes: number): number =>
  (slotCount + 1) * batchSlotBytes(pageBytes)

/** Pages of a region that stand still, and those of them that are to be sent. */
export interface StagedPages {
  readonly sent: SentPages
  readonly dirty: PageBitmap
}

export interface CheckpointSenderOptions {
  readonly pageBytes: number
  readonly workspace: Workspace
  readonly hasher: PageHasher
  readonly pages: readonly StagedPages[]
}

/** What was sent. */
export interface SentCheckpoint {
  readonly batches: number
  readonly digest: Uint8Array
  /** Of page frames, headers included. */
  readonly bytes: number
}

/** What is on its way. */
interface Sending {
  readonly link: Link
  readonly number: number
  readonly done: (sent: SentCheckpoint) => void
  region: number
  page: number
  batches: number
  digest: bigint
  bytes: number
}

/** Of one connection, which may keep slots for ever when it is lost; one checkpoint at a time. */
export class CheckpointSender {
  readonly #pages: readonly StagedPages[]
  readonly #encoder: BatchEncoder
  readonly #freeSlots: BatchSlot[]
  readonly #batch = emptyBatch()
  #sending: Sending | undefined

  constructor({ pageBytes, workspace, hasher, pages }: CheckpointSenderOptions) {
    this.#pages = pages
    this.#encoder = new BatchEncoder({ pageBytes, workspace, hasher, raw: false })
    this.#freeSlots = Array.from({ length: slotCount }, () => new BatchSlot(workspace, pageBytes))
  }

  /** @param done - all of it was handed to the socket */
  send(link: Link, number: number, done: (sent: SentCheckpoint) => void): void {
    const nothing = { region: 0, page: 0, batches: 0, digest: 0n, bytes: 0 }
    this.#sending = { link, number, done, ...nothing }
    this.#goOn()
  }

  #goOn(): void {
    const sending = this.#sending
    if (sending === undefined) return
    while (sending.region < this.#pages.length) {
      if (this.#freeSlots.length === 0) return
      this.#sendBatch(sending, this.#pages[sending.region]!)
    }
    // A socket that takes everything at once brings us here again while we send.
    if (this.#sending !== sending) return
    this.#sending = undefined
    const { batches, digest, bytes } = sending
    sending.done({ batches, digest: u64ToBytes(digest), bytes })
  }

  #sendBatch(sending: Sending, { sent, dirty }: StagedPages): void {
    const slot = this.#freeSlots.pop()!
    const batch = this.#batch
    const work = { round: sending.number, sent, dirty, known: false, postCopy: true }
    const hasPages = this.#encoder.encode(work, sending.page, dirty.pageCount, slot, batch)
    sending.page = batch.nextPage
    if (sending.page >= dirty.pageCount) {
      sending.region++
      sending.page = 0
    }
    if (!hasPages) {
      this.#freeSlots.push(slot)
      return
    }
    const { frameStart, frameEnd } = batch
    sending.batches++
    sending.digest = BigInt.asUintN(64, sending.digest + batch.digest)
    sending.bytes += frameEnd - frameStart
    sending.link.sendInPlace(FrameType.Pages, slot.bytes, frameStart, frameEnd, () => {
      this.#freeSlots.push(slot)
      this.#goOn()
    })
  }
}

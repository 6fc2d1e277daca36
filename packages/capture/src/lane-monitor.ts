/**
 * One channel for pages of a capture: its batches are decoded as the destination must have decoded
 * them, and what comes back is compared with that.
 *
 * @module
 */
import { ProtocolError } from '@godwit/core'
import type { BatchDecoder, DecodedTotals } from '@godwit/codec'
import { LackingPages, claimPages, emptyTotals, releasePages } from '@godwit/codec'
import type { Barrier, Credit, Nak } from '@godwit/wire'
import { FRAME_HEADER_BYTES, decodePageRuns, u64FromBytes } from '@godwit/wire'
import { contentRuns } from './batch-runs.ts'
import type { MemoryImage } from './memory-image.ts'
import type { PostCopyMonitor } from './post-copy-monitor.ts'

/** What a lane is made with. */
export interface LaneParts {
  readonly decoder: BatchDecoder
  readonly image: MemoryImage
  readonly postCopy: PostCopyMonitor
  /** Pages come that the guest waits for. */
  readonly isUrgent: boolean
  /** NAK was negotiated. */
  readonly mayNak: boolean
  readonly creditBytes: number | undefined
}

/** The round that batches must be of. */
export interface RoundInForce {
  readonly round: number
  /** The guest runs at the destination. */
  readonly isPostCopy: boolean
}

/** Of one connection. */
export class LaneMonitor {
  /** Those of the round, once its barrier has come. */
  passed: DecodedTotals | undefined
  repairs = 0
  /** Pages of the round whose content is not in the stream. */
  hidden = 0
  readonly #parts: LaneParts
  #totals = emptyTotals()
  readonly #lacking: LackingPages
  /** What the destination must ask for once more. */
  #expected: Nak[] = []
  #sentBytes = 0
  #creditedBytes = 0

  constructor(parts: LaneParts) {
    this.#parts = parts
    this.#lacking = new LackingPages((region) => parts.image.pagesOf(region).written.length)
  }

  /** Why the destination cannot have all of the round, where it cannot. */
  get obstacle(): string | undefined {
    if (this.passed === undefined) return 'a channel had not passed its barrier'
    if (this.#expected.length > 0) return 'a batch was not understood, and not asked for again'
    return this.#lacking.isEmpty ? undefined : 'pages had not come that were asked for once more'
  }

  /** The round was acknowledged. */
  nextRound(): void {
    this.passed = undefined
    this.#totals = emptyTotals()
  }

  /** @throws {GodwitError} as a destination would */
  pages(body: Uint8Array, inForce: RoundInForce): void {
    const { isUrgent, creditBytes } = this.#parts
    this.#sentBytes += FRAME_HEADER_BYTES + body.length
    const openBytes = this.#sentBytes - this.#creditedBytes
    if (!isUrgent && creditBytes !== undefined && openBytes > creditBytes) {
      const text = `${openBytes} bytes of pages are on their way; ${creditBytes} may be`
      throw new ProtocolError('PROTOCOL_STATE', text)
    }
    if (this.passed === undefined) this.#batch(body, inForce)
    else this.#repair(body, inForce)
  }

  #batch(body: Uint8Array, inForce: RoundInForce): void {
    const { image, postCopy, isUrgent } = this.#parts
    const { region, runs, isNamed } = contentRuns(body)
    const target = image.pagesOf(region)
    if (isUrgent) postCopy.checkAsked(region, runs)
    const nak = this.#decode(body, inForce, this.#totals)
    for (const run of runs) image.see(region, run)
    if (nak === undefined) return image.show(region, runs)
    if (isNamed || image.hasHidden) {
      // The destination had it, or asks for it: there is no telling here.
      image.hide(region, runs)
      for (const { firstPage, pageCount } of runs) {
        this.hidden += pageCount
        if (!inForce.isPostCopy) continue
        claimPages(target, firstPage, firstPage + pageCount)
        releasePages(target, firstPage, firstPage + pageCount)
      }
      return
    }
    this.#lacking.add(nak)
    this.#expected.push(nak)
  }

  #repair(body: Uint8Array, inForce: RoundInForce): void {
    this.repairs++
    this.#lacking.take(body)
    this.#decode(body, inForce, emptyTotals())
    const { region, runs } = contentRuns(body)
    this.#parts.image.show(region, runs)
  }

  #decode(body: Uint8Array, inForce: RoundInForce, totals: DecodedTotals): Nak | undefined {
    const { decoder, image, postCopy } = this.#parts
    const { round, isPostCopy } = inForce
    if (isPostCopy) {
      const { region, runs } = contentRuns(body)
      image.pagesOf(region)
      postCopy.remember(region, runs)
    }
    return decoder.decode(body, round, totals, isPostCopy)
  }

  /** @throws {ProtocolError} `PROTOCOL_STATE`, `PROTOCOL_TOTALS` */
  barrier(barrier: Barrier, { round }: RoundInForce): void {
    const { batches, pages, digest } = this.#totals
    if (this.passed !== undefined || barrier.round !== round) {
      const text = `The barrier of round ${barrier.round} came out of turn`
      throw new ProtocolError('PROTOCOL_STATE', text)
    }
    const isSame = barrier.batches === batches && barrier.pages === pages
    if (!isSame || u64FromBytes(barrier.digest) !== digest) {
      const counted = `${barrier.pages} pages in ${barrier.batches} batches`
      const text = `The barrier of round ${round} counts ${counted}; ${pages} in ${batches} came`
      throw new ProtocolError('PROTOCOL_TOTALS', `${text}, or others`)
    }
    this.passed = this.#totals
  }

  /** @throws {ProtocolError} `PROTOCOL_STATE` */
  credit({ bytes }: Credit): void {
    const isLegal = this.#parts.creditBytes !== undefined || this.#parts.isUrgent
    if (!isLegal || bytes < this.#creditedBytes || bytes > this.#sentBytes) {
      const text = `A credit of ${bytes} bytes came after ${this.#creditedBytes}`
      throw new ProtocolError('PROTOCOL_STATE', `${text}; ${this.#sentBytes} were sent`)
    }
    this.#creditedBytes = bytes
  }

  /** @throws {ProtocolError} `PROTOCOL_STATE` {@link CodecError} `CODEC_PAGE_RANGE` */
  nak(nak: Nak, { round, isPostCopy }: RoundInForce): void {
    if (!this.#parts.mayNak || nak.round !== round) {
      const text = `A NAK of round ${nak.round} came in round ${round}, or was not negotiated`
      throw new ProtocolError('PROTOCOL_STATE', text)
    }
    const expected = this.#expected[0]
    if (expected !== undefined && isSame(expected, nak)) {
      this.#expected.shift()
      return
    }
    // The destination may have lost what is still here: then it has nothing of the batch.
    const { image, postCopy } = this.#parts
    const runs = decodePageRuns(nak.runs)
    image.checkRuns(nak.region, runs)
    if (!runs.every((run) => image.hasSeen(nak.region, run))) {
      throw new ProtocolError('PROTOCOL_STATE', 'A NAK names pages that were not sent')
    }
    this.#lacking.add(nak)
    if (isPostCopy) postCopy.takeBack(nak.region, runs)
  }
}

function isSame(a: Nak, b: Nak): boolean {
  const isLike = a.region === b.region && a.runs.length === b.runs.length
  return isLike && a.runs.every((byte, index) => byte === b.runs[index])
}

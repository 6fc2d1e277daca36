/**
 * What became of pages, counted.
 *
 * @module
 */

/** Pages by what was sent for them, exclusively, and the bytes that this saved. */
export interface PageTally {
  /** Pages with an entry in some batch: all below but unchanged and held ones. */
  pages: number
  rawPages: number
  zeroPages: number
  samePages: number
  referencePages: number
  deltaPages: number
  /** Named by numbers of contents that both ends know. */
  staticPages: number
  /** Otherwise raw, in a compressed frame. */
  compressedPages: number
  unchangedPages: number
  /** Left to the next round, which has them in its set: they were dirty again. */
  heldPages: number
  zeroBytes: number
  unchangedBytes: number
  sameBytes: number
  referenceBytes: number
  deltaBytes: number
  staticBytes: number
  /** Payload before compression less payload after it. */
  compressedBytes: number
  /** Payload as it is sent. */
  payloadBytes: number
  /** Of the pages in deltaPages: to another page. */
  similarPages: number
  /** A version was there, but a delta would have been too long. */
  deltaOverflows: number
}

export function emptyTally(): PageTally {
  return {
    pages: 0,
    rawPages: 0,
    zeroPages: 0,
    samePages: 0,
    referencePages: 0,
    deltaPages: 0,
    staticPages: 0,
    compressedPages: 0,
    unchangedPages: 0,
    heldPages: 0,
    zeroBytes: 0,
    unchangedBytes: 0,
    sameBytes: 0,
    referenceBytes: 0,
    deltaBytes: 0,
    staticBytes: 0,
    compressedBytes: 0,
    payloadBytes: 0,
    similarPages: 0,
    deltaOverflows: 0,
  }
}

/**
 * What kind of content a page has, and so how it is worth compressing.
 * After MECOM (Jin et al., CLUSTER 2009), which tells pages of many zeros and of similar words from
 * others; what is done with each class follows from measurement, see `docs/DESIGN.md`.
 *
 * @module
 */

/** Distances at which bytes are compared: those of words, and of records of a few words. */
export const LAGS: readonly [8, 16, 32, 64] = [8, 16, 32, 64]
/** `classify` of the kernels writes so many counts a page. */
export const COUNTS_PER_PAGE: number = LAGS.length

/**
 * `random`: compression only costs time. `records`: bytes repeat at the distance of a word or
 * record, so they are transposed first. `plain`: everything else. `static`: pages that the
 * destination takes out of what it has; it may lack one, and asks for its whole batch then.
 */
export const PageClass = { Plain: 0, Records: 1, Random: 2, Static: 3 } as const
export type PageClass = (typeof PageClass)[keyof typeof PageClass]

/** Random bytes are equal at 1 of 256 places, text at 1 of 15. */
const randomShare = 1 / 128
/** Records of small numbers and pointers have a half and more. */
const recordShare = 0.3
/** Of two distances that do about as well the longer one is taken: columns come out purer. */
const longerShare = 0.97

/**
 * The class of a page.
 *
 * @param counts - {@link COUNTS_PER_PAGE} each: bytes that are equal at each of {@link LAGS}
 * @param at - index of the page's first
 * @param byteCount - of the page, which may be a short one
 */
export function classOf(counts: Uint16Array, at: number, byteCount: number): PageClass {
  let sum = 0
  let most = 0
  for (let i = 0; i < COUNTS_PER_PAGE; i++) {
    const count = counts[at + i]!
    sum += count
    if (count > most) most = count
  }
  if (sum < randomShare * COUNTS_PER_PAGE * byteCount) return PageClass.Random
  return most > recordShare * byteCount ? PageClass.Records : PageClass.Plain
}

/** Base-2 logarithm of the rows to transpose with, for pages whose counts add up to `sums`. */
export function strideOf(sums: Float64Array): number {
  let most = 0
  for (const sum of sums) most = Math.max(most, sum)
  for (let i = COUNTS_PER_PAGE - 1; i > 0; i--) {
    if (sums[i]! >= longerShare * most) return Math.log2(LAGS[i]!)
  }
  return Math.log2(LAGS[0])
}

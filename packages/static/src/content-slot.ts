/**
 * Where a content hash belongs in a table of open addressing. Guests choose their contents, and
 * with them the bits of their hashes, at some cost; which of them meet in a table they cannot know.
 *
 * @module
 */

/** Random, of one table. */
export type Salts = readonly [number, number]

export function drawSalts(): Salts {
  const [a, b] = crypto.getRandomValues(new Uint32Array(2))
  return [a! | 1, b! | 1]
}

/**
 * The slot of the content hash at word `at`.
 *
 * @param slotCount - a power of two, 2 to 2^31
 */
export function slotOf(hashes: Uint32Array, at: number, [a, b]: Salts, slotCount: number): number {
  // Two words of SHA-256. Products have their best bits above.
  const mixed = Math.imul(hashes[at + 1]!, a) + Math.imul(hashes[at + 2]!, b)
  return (mixed >>> (Math.clz32(slotCount) + 1)) & (slotCount - 1)
}

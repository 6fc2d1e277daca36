/**
 * Random numbers of a simulation: the same for the same seed and purpose.
 *
 * @module
 */

/** Numbers from 0 to below 1. */
export type Random = () => number

/**
 * Chris Doty-Humphrey's sfc32. `stream` keeps purposes apart: what one of them draws does not
 * change what another gets.
 */
export function simulationRandom(seed: number, stream: number): Random {
  let a = seed >>> 0
  let b = stream >>> 0
  let c = 0x9e3779b9
  let counter = 1
  const next = (): number => {
    const sum = (a + b + counter++) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return (sum >>> 0) / 2 ** 32
  }
  // Until seeds that differ by a bit have nothing in common.
  for (let i = 0; i < 15; i++) next()
  return next
}

/** A whole number below `limit`. */
export function below(random: Random, limit: number): number {
  return Math.floor(random() * limit)
}

/** Draws indexes of `weights`, each as often as its weight says. */
export function weighted(weights: readonly number[], random: Random): () => number {
  let sum = 0
  const sums = weights.map((weight) => (sum += weight))
  return () => {
    const drawn = random() * sum
    let low = 0
    let high = sums.length - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (drawn < sums[middle]!) high = middle
      else low = middle + 1
    }
    return low
  }
}

/** Shares of Zipf's law: the n-th is 1/n^exponent of the first; they add up to 1. */
export function zipfShares(count: number, exponent: number): readonly number[] {
  const weights = Array.from({ length: count }, (_, i) => (i + 1) ** -exponent)
  const sum = weights.reduce((total, weight) => total + weight, 0)
  return weights.map((weight) => weight / sum)
}

/** Puts `values` into a random order (Fisher and Yates). */
export function shuffle(values: Uint8Array | Int32Array, random: Random): void {
  for (let i = values.length - 1; i > 0; i--) {
    const other = below(random, i + 1)
    const value = values[i]!
    values[i] = values[other]!
    values[other] = value
  }
}

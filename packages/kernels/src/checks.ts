/**
 * What kernels ask of sizes before any work is done; our own mistakes only, as in
 * `Arena.checkRange`.
 *
 * @module
 */

/** What `Kernels.features` writes. */
export const FEATURES_BYTES = 32

/** Counts of 16 bits do for pages of this size. */
const pageBytesMax = 65536
const sampledPageBytesMin = 4096

export function checkPageBytes(pageBytes: number): void {
  if (Number.isInteger(pageBytes) && pageBytes >= 1 && pageBytes <= pageBytesMax) return
  throw new RangeError(`Pages of ${pageBytes} bytes: 1 to ${pageBytesMax} expected`)
}

/** Pages that cut into eight parts of at least 512 bytes. */
export function checkSampledPageBytes(pageBytes: number): void {
  const isPowerOfTwo = (pageBytes & (pageBytes - 1)) === 0
  if (isPowerOfTwo && pageBytes >= sampledPageBytesMin && pageBytes <= pageBytesMax) return
  const range = `${sampledPageBytesMin} to ${pageBytesMax}`
  throw new RangeError(`Pages of ${pageBytes} bytes: a power of two, ${range}, expected`)
}

export function checkStride(stride: number): void {
  if (stride === 8 || stride === 16 || stride === 32 || stride === 64) return
  throw new RangeError(`A stride of ${stride} bytes: 8, 16, 32 or 64 expected`)
}

/** Whether `[a, a + byteCount)` and `[b, b + byteCount)` have no byte in common. */
export function checkApart(a: number, b: number, byteCount: number): void {
  if (Math.abs(a - b) >= byteCount) return
  throw new RangeError(`${byteCount} bytes at ${a} and at ${b} overlap`)
}

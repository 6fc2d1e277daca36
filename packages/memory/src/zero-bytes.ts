/**
 * Zeroing and populating memory. It imports nothing: threads load it that do nothing else.
 *
 * @module
 */

/** Smallest page that any kernel hands out, so stores at this stride reach all of them. */
const kernelPageBytesMin = 4096
const wordBytes = 8

/**
 * Makes `bytes` zero and the kernel populate all of their pages. Nobody else stores to them.
 *
 * @param isFresh - nobody has stored to them since they were allocated: they are zero already, and
 *   one store of zero to each page is enough
 */
export function zeroBytes(bytes: Uint8Array, isFresh: boolean): void {
  if (isFresh) touchPages(bytes)
  else fillWithZeros(bytes)
}

function touchPages(bytes: Uint8Array): void {
  const { length } = bytes
  for (let at = 0; at < length; at += kernelPageBytesMin) bytes[at] = 0
  // Memory that starts inside of a page may end in one more.
  bytes[length - 1] = 0
}

/** By words: V8 fills shared memory element by element, and bytes take six times as long. */
function fillWithZeros(bytes: Uint8Array): void {
  const { buffer, byteOffset, length } = bytes
  const head = (wordBytes - (byteOffset % wordBytes)) % wordBytes
  const wordCount = Math.floor((length - head) / wordBytes)
  if (wordCount < 1) {
    bytes.fill(0)
    return
  }
  bytes.fill(0, 0, head)
  new Float64Array(buffer, byteOffset + head, wordCount).fill(0)
  bytes.fill(0, head + wordCount * wordBytes)
}

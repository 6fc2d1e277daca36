/**
 * The work that threads share when they make memory zero and resident. It imports next to nothing,
 * since every thread loads it.
 *
 * @module
 */
import type { Span } from '@godwit/core'
import { zeroBytes } from '@godwit/memory/zero-bytes'

/** Memory, in chunks that whoever is free takes. */
export interface ZeroJob {
  /** All of the memory, in order, each piece in chunks from its own start. */
  readonly spans: readonly Span[]
  readonly chunkBytes: number
  readonly isFresh: boolean
  /** One word that all share: the first chunk, over all pieces, that nobody has taken yet. */
  readonly next: Int32Array
}

/** A chunk that no memory reaches, and far from where the word overflows. */
const noChunk = 2 ** 30

/** Takes one chunk after the other, until there is none left. */
export function* zeroChunks({ spans, chunkBytes, isFresh, next }: ZeroJob): Generator<void> {
  const take = (): number => Atomics.add(next, 0, 1)
  let first = 0
  let mine = take()
  for (const { buffer, byteOffset, byteLength } of spans) {
    const end = first + Math.ceil(byteLength / chunkBytes)
    for (; mine < end; mine = take()) {
      const at = (mine - first) * chunkBytes
      const length = Math.min(chunkBytes, byteLength - at)
      zeroBytes(new Uint8Array(buffer, byteOffset + at, length), isFresh)
      yield
    }
    first = end
  }
}

/** From now on there is no chunk left. */
export function stopChunks({ next }: ZeroJob): void {
  Atomics.store(next, 0, noChunk)
}

/**
 * Memory of received chunks.
 *
 * @module
 */

/**
 * Gives the memory of a chunk back at once; nobody may use the chunk any more. Left to the garbage
 * collector, chunks pile up by tens of MiB, and every read touches fresh memory instead of what is
 * still in the cache. Chunks that are a part of a larger buffer are left alone: others share it.
 */
export function releaseChunk(chunk: Uint8Array): void {
  const { buffer } = chunk
  const isSole = chunk.length > 0 && chunk.length === buffer.byteLength
  if (isSole && buffer instanceof ArrayBuffer) buffer.transfer(0)
}

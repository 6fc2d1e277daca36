/**
 * Whether a frame left something behind in a decompressor that is kept.
 *
 * @module
 */
import { zstdCompressSync } from 'node:zlib'
import type { Compressor } from '@godwit/codec'
import { must } from './target.ts'

const content = Uint8Array.from({ length: 700 }, (_, i) => (i * i) % 251)
const frame = new Uint8Array(zstdCompressSync(content))

/** Decompresses a frame that is right. @returns whether that is what comes of it */
export function isClean(zstd: Compressor): boolean {
  try {
    return Buffer.compare(zstd.decompress(frame, content.length), content) === 0
  } catch {
    return false
  }
}

/** @throws {Fault} when the frame before changes what this one becomes */
export function checkClean(zstd: Compressor): void {
  const wasClean = isClean(zstd)
  // The next input shall find it clean.
  if (!wasClean) isClean(zstd)
  must(wasClean, 'a frame does not change what the next one becomes')
}

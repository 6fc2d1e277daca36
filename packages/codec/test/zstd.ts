/**
 * Zstandard of Node, done at once.
 *
 * @module
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { CodecError } from '@godwit/core'
import type { Compressor } from '../src/compressor.ts'

const { ZSTD_c_compressionLevel, ZSTD_c_windowLog } = constants

export const zstd: Compressor = {
  parallel: 0,
  compress(input, { level, windowLog }, done) {
    const params: Record<number, number> = { [ZSTD_c_compressionLevel]: level }
    if (windowLog > 0) params[ZSTD_c_windowLog] = windowLog
    done(zstdCompressSync(input, { params }))
  },
  decompress(input, decodedBytes) {
    try {
      return zstdDecompressSync(input, { maxOutputLength: Math.max(1, decodedBytes) })
    } catch {
      throw new CodecError('CODEC_COMPRESSION', 'A zstd frame is not what was stated')
    }
  },
}

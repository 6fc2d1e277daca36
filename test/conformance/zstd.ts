/**
 * Zstandard of Node, for decoders under test.
 *
 * @module
 */
import { constants, zstdDecompressSync } from 'node:zlib'
import type { Compressor } from '@godwit/codec'
import { CodecError } from '@godwit/core'

/** 8 MiB, the largest window of the protocol. */
const windowLogMax = 23

/** Only takes apart. */
export const zstd: Compressor = {
  parallel: 0,
  compress() {
    throw new Error('the vectors are made without it')
  },
  decompress(input, decodedBytes) {
    const output = inflated(input, decodedBytes)
    if (output?.length === decodedBytes) return output
    throw new CodecError('CODEC_COMPRESSION', 'A zstd frame is not what was stated')
  },
}

function inflated(input: Uint8Array, decodedBytes: number): Uint8Array | undefined {
  const params = { [constants.ZSTD_d_windowLogMax]: windowLogMax }
  try {
    return zstdDecompressSync(input, { maxOutputLength: Math.max(1, decodedBytes), params })
  } catch {
    return undefined
  }
}

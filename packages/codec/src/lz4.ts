/**
 * LZ4 blocks by `lz4-wasm`, of which there is a build for Node and one for browsers; the package's
 * `imports` pick it.
 *
 * @module
 */
import { CodecError } from '@godwit/core'
import type { Compressor } from './compressor.ts'

/** The library puts the decoded length in front of a block; on the wire the header has it. */
const sizeBytes = 4
const minMatch = 4
const longLength = 15

/** Loads the library. */
export async function createLz4(): Promise<Compressor> {
  const { compress, decompress } = await import('#lz4')
  return {
    parallel: 0,
    compress(input, _settings, done) {
      done(compress(input).subarray(sizeBytes))
    },
    decompress(input, decodedBytes) {
      checkLz4Block(input, decodedBytes)
      const sized = new Uint8Array(sizeBytes + input.length)
      new DataView(sized.buffer).setUint32(0, decodedBytes, true)
      sized.set(input, sizeBytes)
      return decompress(sized)
    },
  }
}

/**
 * Walks through a block without decoding it: whether it becomes exactly `decodedBytes` and no match
 * reaches behind its start. The library would trap where this throws.
 * Source: LZ4 block format description.
 *
 * @throws {CodecError} `CODEC_COMPRESSION`
 */
export function checkLz4Block(input: Uint8Array, decodedBytes: number): void {
  let at = 0
  let made = 0
  const length = (start: number): number => {
    let sum = start
    if (start < longLength) return sum
    for (;;) {
      if (at >= input.length) throw refused('ends within a length')
      const byte = input[at++]!
      sum += byte
      if (sum > decodedBytes) throw refused('has a run longer than its content')
      if (byte !== 255) return sum
    }
  }
  while (at < input.length) {
    const token = input[at++]!
    const literals = length(token >>> 4)
    at += literals
    made += literals
    if (at > input.length) throw refused('ends within literals')
    if (made > decodedBytes) throw refused('is longer than stated')
    // The last sequence has literals only.
    if (at === input.length) break
    if (at + 2 > input.length) throw refused('ends within an offset')
    const offset = input[at]! | (input[at + 1]! << 8)
    at += 2
    if (offset === 0 || offset > made) throw refused('reaches behind its start')
    made += length(token & 15) + minMatch
    if (made > decodedBytes) throw refused('is longer than stated')
    if (at === input.length) throw refused('ends with a match')
  }
  if (made !== decodedBytes || input.length === 0) throw refused('is shorter than stated')
}

function refused(what: string): CodecError {
  return new CodecError('CODEC_COMPRESSION', `An LZ4 block ${what}`)
}

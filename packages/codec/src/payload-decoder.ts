/**
 * From the payload of a batch on the wire to what its entries speak of.
 *
 * @module
 */
import { CodecError } from '@godwit/core'
import type { BatchHeader } from '@godwit/wire'
import { BATCH_PAYLOAD_BYTES_MAX, BatchCompression } from '@godwit/wire'
import type { Payload } from './batch-decoder.ts'
import type { Compressors } from './compressor.ts'
import type { Workspace } from './workspace.ts'

/** Owns two buffers for payloads; what it returns is valid until the next call. */
export class PayloadDecoder {
  readonly #workspace: Workspace
  readonly #compressors: Compressors
  /** Taken when they are needed: most sessions need neither. */
  #decompressed: Uint8Array | undefined
  #turned: Uint8Array | undefined

  constructor(workspace: Workspace, compressors: Compressors) {
    this.#workspace = workspace
    this.#compressors = compressors
  }

  /** @throws {CodecError} `CODEC_COMPRESSION` */
  decode(
    { payloadBytes, compression, stride, decodedBytes }: BatchHeader,
    body: Uint8Array,
  ): Payload {
    const start = body.length - payloadBytes
    if (compression === BatchCompression.None && stride === 0) {
      return { bytes: body, start, end: body.length }
    }
    const decompressed = (this.#decompressed ??= this.#buffer())
    const input = body.subarray(start)
    if (compression === BatchCompression.None) decompressed.set(input)
    else decompressed.set(this.#decompress(compression, input, decodedBytes))
    if (stride === 0) return { bytes: decompressed, start: 0, end: decodedBytes }
    const turned = (this.#turned ??= this.#buffer())
    const [from, to] = [decompressed.byteOffset, turned.byteOffset]
    this.#workspace.kernels.untranspose(from, decodedBytes, 2 ** stride, to)
    return { bytes: turned, start: 0, end: decodedBytes }
  }

  #buffer(): Uint8Array {
    return this.#workspace.allocate(BATCH_PAYLOAD_BYTES_MAX)
  }

  #decompress(compression: BatchCompression, input: Uint8Array, decodedBytes: number): Uint8Array {
    if (input.length === 0) {
      throw new CodecError('CODEC_COMPRESSION', 'Nothing cannot be decompressed')
    }
    const { zstd, lz4 } = this.#compressors
    const compressor = compression === BatchCompression.Zstd ? zstd : lz4
    const output = compressor!.decompress(input, decodedBytes)
    if (output.length === decodedBytes) return output
    const text = `A batch of ${decodedBytes} bytes decompresses to ${output.length}`
    throw new CodecError('CODEC_COMPRESSION', text)
  }
}

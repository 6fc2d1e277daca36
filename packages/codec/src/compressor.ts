/**
 * Compression of whole batches, as the runtime has it.
 *
 * @module
 */

/** How a batch is to be compressed; what a compressor does not know, it leaves alone. */
export interface CompressionSettings {
  readonly level: number
  /** Base-2 logarithm of how far back matches may reach; 0 for what goes with the level. */
  readonly windowLog: number
}

/** One algorithm. */
export interface Compressor {
  /** Jobs that run at once beside the calling thread; 0: a job is over when its call returns. */
  readonly parallel: number
  /**
   * Compresses `input`, which stays as it is until `done` was called; what `done` gets is borrowed
   * for the call.
   */
  compress(
    input: Uint8Array,
    settings: CompressionSettings,
    done: (output: Uint8Array) => void,
  ): void
  /**
   * Decompresses what a peer sent, which must become exactly `decodedBytes`. No more memory than
   * that is taken, whatever `input` says.
   *
   * @throws {CodecError} `CODEC_COMPRESSION`
   */
  decompress(input: Uint8Array, decodedBytes: number): Uint8Array
}

/** What there is; a side offers and accepts no more. */
export interface Compressors {
  readonly zstd?: Compressor | undefined
  readonly lz4?: Compressor | undefined
}

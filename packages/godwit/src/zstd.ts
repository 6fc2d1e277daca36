/**
 * Zstandard, as Node has it: contexts are kept, and work in buffers that are kept, too. The public
 * functions make new ones for every batch, and collecting those costs more than making them.
 *
 * @module
 */
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { Compressor } from '@godwit/codec'
import { CodecError } from '@godwit/core'

/** What a frame may make this side hold while it is decompressed: 8 MiB. */
const windowLogMax = 23
/** Node refuses smaller output buffers. */
const chunkBytesMin = 64
const { ZSTD_c_compressionLevel, ZSTD_c_windowLog, ZSTD_d_windowLogMax } = constants
const { ZSTD_e_end } = constants

/** The inside of Node's streams: synchronous, and in the caller's memory. */
interface Handle {
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputBytes: number,
    output: Uint8Array,
    outputAt: number,
    outputBytes: number,
  ): void
  onerror: (message: string, errno: number, code: string) => void
}

interface Inside {
  readonly _handle?: Partial<Handle>
  /** Bytes that are left of the output, and of the input. */
  readonly _writeState?: Uint32Array
}

/** One context of Node's, with the parameters that it was made with. */
class Context {
  readonly #handle: Handle
  readonly #left: Uint32Array
  #error: string | undefined

  private constructor(handle: Handle, left: Uint32Array) {
    this.#handle = handle
    this.#left = left
    handle.onerror = (message) => {
      this.#error = message
    }
  }

  /** Undefined where this Node is built in another way. */
  static of(stream: object): Context | undefined {
    const { _handle: handle, _writeState: left } = stream as Inside
    const isAsKnown = typeof handle?.writeSync === 'function' && left instanceof Uint32Array
    return isAsKnown ? new Context(handle as Handle, left) : undefined
  }

  /**
   * One whole frame. @returns bytes of output; -1 when it has no room for all
   *
   * @throws {CodecError}
   */
  run(input: Uint8Array, output: Uint8Array): number {
    this.#error = undefined
    this.#handle.writeSync(ZSTD_e_end, input, 0, input.length, output, 0, output.length)
    this.#throwError()
    return this.#left[1] === 0 ? output.length - this.#left[0]! : -1
  }

  #throwError(): void {
    const error = this.#error
    if (error !== undefined) throw new CodecError('CODEC_COMPRESSION', `zstd: ${error}`)
  }
}

/** Zstandard of this thread. */
export function createNodeZstd(): Compressor {
  const contexts = new Map<string, Context | undefined>()
  let decoder: Context | undefined
  let buffer = new Uint8Array(0)
  const bufferFor = (byteCount: number): Uint8Array => {
    if (buffer.length < byteCount) buffer = new Uint8Array(byteCount)
    return buffer.subarray(0, byteCount)
  }
  return {
    parallel: 0,
    compress(input, settings, done) {
      const key = `${settings.level}/${settings.windowLog}`
      if (!contexts.has(key)) contexts.set(key, createContext(settings))
      const context = contexts.get(key)
      if (context === undefined) {
        done(zstdCompressSync(input, { params: paramsOf(settings) }))
        return
      }
      const output = bufferFor(boundOf(input.length))
      const byteCount = context.run(input, output)
      // More than the bound cannot be; what does not fit goes as it is.
      done(byteCount < 0 ? input : output.subarray(0, byteCount))
    },
    decompress(input, decodedBytes) {
      decoder ??= Context.of(createZstdDecompress({ params: decoderParams }))
      if (decoder === undefined) return decompressAnew(input, decodedBytes)
      if (input.length === 0) throw new CodecError('CODEC_COMPRESSION', 'zstd: nothing is no frame')
      // One byte more shows what would become longer than stated.
      const output = bufferFor(decodedBytes + 1)
      try {
        const byteCount = decoder.run(input, output)
        if (byteCount === decodedBytes) return output.subarray(0, byteCount)
      } catch (error) {
        decoder = undefined
        throw error
      }
      decoder = undefined
      const text = `A batch of ${decodedBytes} bytes is something else when it is decompressed`
      throw new CodecError('CODEC_COMPRESSION', text)
    },
  }
}

interface Settings {
  readonly level: number
  readonly windowLog: number
}

function paramsOf({ level, windowLog }: Settings): Record<number, number> {
  const window = windowLog === 0 ? {} : { [ZSTD_c_windowLog]: windowLog }
  return { [ZSTD_c_compressionLevel]: level, ...window }
}

function createContext(settings: Settings): Context | undefined {
  return Context.of(createZstdCompress({ params: paramsOf(settings) }))
}

const decoderParams: Record<number, number> = { [ZSTD_d_windowLogMax]: windowLogMax }

/** The public way, for a Node that is built in another way. */
function decompressAnew(input: Uint8Array, decodedBytes: number): Uint8Array {
  const chunkSize = Math.max(chunkBytesMin, decodedBytes)
  const options = { params: decoderParams, chunkSize, maxOutputLength: chunkSize }
  try {
    return zstdDecompressSync(input, options)
  } catch (error) {
    const text = 'A batch is not what zstd makes of one'
    throw new CodecError('CODEC_COMPRESSION', text, { cause: error })
  }
}

/** `ZSTD_COMPRESSBOUND`. */
function boundOf(byteCount: number): number {
  const small = 128 * 1024
  return byteCount + (byteCount >>> 8) + (byteCount < small ? (small - byteCount) >>> 11 : 0) + 64
}

/**
 * The kernels: what is done to every page, over byte offsets into memory that they own.
 *
 * @module
 */
import { formatBytes, LimitError } from '@godwit/core'
import { Arena } from './arena.ts'
import { SimdKernels } from './simd-kernels.ts'
import { TypescriptKernels } from './typescript-kernels.ts'
import type { WasmMemory, WasmModule } from './wasm.ts'
import { allocateWasmMemory, compileWasm, instantiateWasm } from './wasm.ts'

/** The binary for memory of its own; whoever has files or the network reads it. */
export const KERNELS_WASM_URL: URL = new URL('../wasm/kernels.wasm', import.meta.url)
/** The same kernels for a shared `WebAssembly.Memory`. */
export const KERNELS_SHARED_WASM_URL: URL = new URL('../wasm/kernels.shared.wasm', import.meta.url)

const wasmPageBytes = 65536

/**
 * Kernels and their memory; one object per thread. `at`, `out` and the like are byte offsets into
 * `bytes`, of any alignment. No call allocates, keeps what it was given or writes anything but its
 * outputs. Fingerprints are XXH3 with 64 bits and a seed, little-endian.
 */
export interface Kernels {
  /** Which ones these are. */
  readonly active: 'simd' | 'typescript'
  /** All of the memory. It neither moves nor grows, so views of it stay good. */
  readonly bytes: Uint8Array
  /** Bytes that {@link allocate} has left. */
  readonly freeBytes: number

  /**
   * Reserves memory for good.
   *
   * @param align - a power of two; default 16
   * @returns the offset of the first byte, never 0
   * @throws {LimitError} `NO_ROOM`
   */
  allocate(byteCount: number, align?: number): number

  /** Reserves and derives what hashing with `seed` needs; once per seed. @returns a `key` */
  createKey(seed: bigint): number

  /** Whether `byteCount` bytes are all zero. */
  isZero(at: number, byteCount: number): boolean

  /** How many of `pageCount` consecutive pages are zero before the first that is not. */
  zeroRun(at: number, pageBytes: number, pageCount: number): number

  /** The fingerprint of any bytes: 8 to `out`. */
  hash(at: number, byteCount: number, key: number, out: number): void

  /** Fingerprints of consecutive pages, the last of which may be short: 8 bytes each to `out`. */
  hashPages(at: number, byteCount: number, pageBytes: number, key: number, out: number): void

  /** The same with two keys, in less time than two passes. */
  hashPages2(
    at: number,
    byteCount: number,
    pageBytes: number,
    keyA: number,
    outA: number,
    keyB: number,
    outB: number,
  ): void

  /**
   * Looks at a staged batch: per page one byte to `flags` (1: zero, else 0), and 8 bytes of
   * fingerprint to `outA`; zero pages have theirs, too. With `keyB`, 8 more to `outB`.
   *
   * @returns how many pages are zero
   */
  pack(
    at: number,
    byteCount: number,
    pageBytes: number,
    flags: number,
    keyA: number,
    outA: number,
    keyB?: number,
    outB?: number,
  ): number

  /**
   * Tells random, text-like and record-like pages apart. For each consecutive page, the last of
   * which may be short, four u16 (little-endian, 8 bytes per page) to `out`: how many of its bytes
   * equal the one 8, 16, 32 and 64 bytes further on in the same page. Of random bytes it is one in
   * 256.
   *
   * @param pageBytes - 1 to 65536
   */
  classify(at: number, byteCount: number, pageBytes: number, out: number): void

  /**
   * Puts the bytes of equal place in their records together: `in[r * stride + c]` goes to
   * `out[c * rows + r]`, with as many rows as fit whole; the bytes after them stay as they are.
   * Input and output, of `byteCount` bytes each, are apart.
   *
   * @param stride - 8, 16, 32 or 64
   */
  transpose(at: number, byteCount: number, stride: number, out: number): void

  /** The inverse of {@link transpose}. */
  untranspose(at: number, byteCount: number, stride: number, out: number): void

  /**
   * Eight samples of one page, by which similar pages find each other: as many u32 (little-endian,
   * 32 bytes) to `out`. The page is cut into eight equal parts and each part into eighths; of part
   * `k`, the 64 bytes that its eighth number `(3 * k + 3) % 8` begins with are hashed with XXH32,
   * seed 0. A sample is 0 where these are all zero and only there: a hash of 0 becomes 1.
   *
   * @param pageBytes - a power of two, 4096 to 65536
   */
  features(at: number, pageBytes: number, out: number): void

  /**
   * Writes how the page at `next` differs from the one at `base`; `byteCount` is 65536 at most.
   *
   * @returns bytes written: 0 for equal pages, -1 when they would be more than `outBytesMax`
   */
  encodeDelta(
    base: number,
    next: number,
    byteCount: number,
    out: number,
    outBytesMax: number,
  ): number

  /**
   * Applies a delta to a page in place. The delta may be a peer's: it is not read beyond its end,
   * and nothing outside the page is written.
   *
   * @returns bytes stored, or a {@link DeltaRefusal} with the page partly changed
   */
  decodeDelta(page: number, pageBytes: number, delta: number, deltaBytes: number): number
}

export interface KernelsOptions {
  /** What is at {@link KERNELS_WASM_URL}, or that compiled; without it, plain TypeScript. */
  readonly wasm?: ArrayBufferLike | ArrayBufferView | WasmModule | undefined
  /** Size of the memory; rounded up to 64 KiB. */
  readonly memoryBytes: number
}

/**
 * Kernels with memory of their own. Where SIMD is missing, their twins in TypeScript do the same,
 * slower; `active` says so.
 *
 * @throws {LimitError} `NO_ROOM` when the machine refuses the memory
 */
export function createKernels(options: KernelsOptions): Kernels {
  const { wasm, memoryBytes } = options
  const module = wasm === undefined ? undefined : compileWasm(wasm)
  const wasmPages = Math.ceil(memoryBytes / wasmPageBytes)
  try {
    if (module === undefined) {
      return new TypescriptKernels(new Arena(new ArrayBuffer(wasmPages * wasmPageBytes)))
    }
    const memory = allocateWasmMemory(wasmPages)
    return new SimdKernels(new Arena(memory.buffer), instantiateWasm(module, memory))
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new LimitError(
      'NO_ROOM',
      `The machine refused ${formatBytes(memoryBytes)} of memory for kernels`,
      { limit: 'addressSpace', value: memoryBytes, maximum: 0 },
      { cause: error },
    )
  }
}

export interface SharedKernelsOptions {
  /** What is at {@link KERNELS_SHARED_WASM_URL}, or that compiled; without it, TypeScript. */
  readonly wasm?: ArrayBufferLike | ArrayBufferView | WasmModule | undefined
  /** A shared `WebAssembly.Memory`, with a guest in it. */
  readonly memory: WasmMemory
  /** `[scratchStart, scratchEnd)` is the kernels' own; the guest must not use it. */
  readonly scratchStart: number
  readonly scratchEnd: number
}

/**
 * Kernels over a guest's memory, to read it in place. What they allocate, keys and outputs, is in
 * the scratch part.
 */
export function createKernelsOver(options: SharedKernelsOptions): Kernels {
  const { wasm, memory, scratchStart, scratchEnd } = options
  const arena = new Arena(memory.buffer, scratchStart, scratchEnd)
  const module = wasm === undefined ? undefined : compileWasm(wasm)
  if (module === undefined) return new TypescriptKernels(arena)
  return new SimdKernels(arena, instantiateWasm(module, memory))
}

/**
 * Memory and hashers of one migration on one thread. What is staged or received lies in the
 * kernels' own memory, so that they look at it in place.
 *
 * @module
 */
import type { HashName, PageHasher } from '@godwit/core'
import { KIB, PAGE_BYTES_DEFAULT } from '@godwit/core'
import type { ContentScratch, CopyBytes, Kernels, Xxh3Scratch } from '@godwit/kernels'
import {
  ContentHasher,
  Xxh3Hasher,
  allocateContentScratch,
  allocateXxh3Scratch,
  createKernels,
} from '@godwit/kernels'
import { batchSlotBytes } from './batch-slot.ts'
import type { OpenFile, Primitives } from './primitives.ts'
import type { Sha256 } from './sha256.ts'
import { Sha256Hasher } from './sha256.ts'
import { Xxh64Hasher } from './xxh64.ts'

/** To stage pages from elsewhere, for keys, for content hashes, and for the warm-up's slot. */
const ownBytes: number = 324 * KIB + batchSlotBytes(PAGE_BYTES_DEFAULT)

/** One per migration; garbage with it. */
export class Workspace {
  readonly #primitives: Primitives
  readonly #kernels: Kernels
  readonly #scratch: Xxh3Scratch
  #contentScratch: ContentScratch | undefined

  /** @param memoryBytes - what will be {@link allocate}d */
  constructor(primitives: Primitives, memoryBytes: number) {
    this.#primitives = primitives
    const wasm = primitives.kernelsWasm
    this.#kernels = createKernels({ wasm, memoryBytes: memoryBytes + ownBytes })
    this.#scratch = allocateXxh3Scratch(this.#kernels)
  }

  /** Copies into or out of this memory, and guests'. */
  get copy(): CopyBytes {
    return this.#primitives.copy
  }

  get sha256(): Sha256 {
    return this.#primitives.sha256
  }

  get openFile(): OpenFile | undefined {
    return this.#primitives.openFile
  }

  /** What is done to pages in this memory; arguments are offsets into its buffer. */
  get kernels(): Kernels {
    return this.#kernels
  }

  /** Memory that hashers of this workspace read without a copy. @throws {LimitError} `NO_ROOM` */
  allocate(byteCount: number): Uint8Array {
    const at = this.#kernels.allocate(byteCount, 64)
    return this.#kernels.bytes.subarray(at, at + byteCount)
  }

  /** Whether `bytes[start, end)`, allocated here, are all zero. */
  isZero(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#kernels.isZero(bytes.byteOffset + start, end - start)
  }

  /** Content hashes of pages in this memory. @param pagesMax - at a time */
  createContentHasher(pageBytes: number, pagesMax: number): ContentHasher {
    const kernels = this.#kernels
    const scratch = (this.#contentScratch ??= allocateContentScratch(kernels))
    const { writeSha } = this.#primitives
    return new ContentHasher({ kernels, scratch, writeSha, pageBytes, pagesMax })
  }

  /** A page hasher of `name`, seeded with 8 little-endian bytes. */
  createHasher(name: HashName, seed: Uint8Array): PageHasher {
    if (name === 'sha256') return new Sha256Hasher(this.#primitives.sha256, seed)
    const value = new DataView(seed.buffer, seed.byteOffset, 8).getBigUint64(0, true)
    if (name === 'xxh64') return new Xxh64Hasher(this.#primitives.xxh64, value)
    return new Xxh3Hasher(this.#kernels, value, this.#scratch, this.copy)
  }
}

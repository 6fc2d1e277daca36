/**
 * The twins of the kernels, over the same kind of memory.
 *
 * @module
 */
import type { Arena } from './arena.ts'
import {
  checkApart,
  checkPageBytes,
  checkSampledPageBytes,
  checkStride,
  FEATURES_BYTES,
} from './checks.ts'
import type { Kernels } from './kernels.ts'
import { classify } from './reference/classify.ts'
import { decodeDelta, encodeDelta } from './reference/delta.ts'
import { features } from './reference/features.ts'
import { transpose, untranspose } from './reference/transpose.ts'
import { XXH3_SCRATCH_WORDS, xxh3 } from './reference/xxh3.ts'
import { isZero } from './reference/zero.ts'
import { KEY_BYTES } from './xxh3-key.ts'

export class TypescriptKernels implements Kernels {
  readonly active = 'typescript'
  readonly bytes: Uint8Array
  readonly #arena: Arena
  readonly #view: DataView
  readonly #words = new Uint32Array(XXH3_SCRATCH_WORDS)
  readonly #keys = new Map<number, DataView>()

  constructor(arena: Arena) {
    this.bytes = arena.bytes
    this.#arena = arena
    this.#view = arena.view
  }

  get freeBytes(): number {
    return this.#arena.freeBytes
  }

  allocate(byteCount: number, align?: number): number {
    return this.#arena.allocate(byteCount, align)
  }

  createKey(seed: bigint): number {
    return this.#arena.createKey(seed)
  }

  isZero(at: number, byteCount: number): boolean {
    this.#arena.checkRange(at, byteCount)
    return isZero(this.#view, at, byteCount)
  }

  zeroRun(at: number, pageBytes: number, pageCount: number): number {
    this.#arena.checkRange(at, pageBytes * pageCount)
    let page = 0
    while (page < pageCount && isZero(this.#view, at + page * pageBytes, pageBytes)) page++
    return page
  }

  hash(at: number, byteCount: number, key: number, out: number): void {
    this.#arena.checkRange(at, byteCount)
    this.#hash(at, byteCount, this.#key(key), out)
  }

  hashPages(at: number, byteCount: number, pageBytes: number, key: number, out: number): void {
    this.#arena.checkRange(at, byteCount)
    const keyView = this.#key(key)
    for (let i = 0, to = out; i < byteCount; i += pageBytes, to += 8) {
      this.#hash(at + i, Math.min(pageBytes, byteCount - i), keyView, to)
    }
  }

  hashPages2(
    at: number,
    byteCount: number,
    pageBytes: number,
    keyA: number,
    outA: number,
    keyB: number,
    outB: number,
  ): void {
    this.hashPages(at, byteCount, pageBytes, keyA, outA)
    this.hashPages(at, byteCount, pageBytes, keyB, outB)
  }

  pack(
    at: number,
    byteCount: number,
    pageBytes: number,
    flags: number,
    keyA: number,
    outA: number,
    keyB = 0,
    outB = 0,
  ): number {
    const pageCount = Math.ceil(byteCount / pageBytes)
    this.#arena.checkRange(flags, pageCount)
    let zeroPages = 0
    for (let page = 0; page < pageCount; page++) {
      const start = page * pageBytes
      const isZeroPage = this.isZero(at + start, Math.min(pageBytes, byteCount - start))
      this.bytes[flags + page] = isZeroPage ? 1 : 0
      if (isZeroPage) zeroPages++
    }
    this.hashPages(at, byteCount, pageBytes, keyA, outA)
    if (keyB !== 0) this.hashPages(at, byteCount, pageBytes, keyB, outB)
    return zeroPages
  }

  classify(at: number, byteCount: number, pageBytes: number, out: number): void {
    checkPageBytes(pageBytes)
    this.#arena.checkRange(at, byteCount)
    this.#arena.checkRange(out, Math.ceil(byteCount / pageBytes) * 8)
    classify(this.bytes, at, byteCount, pageBytes, out)
  }

  transpose(at: number, byteCount: number, stride: number, out: number): void {
    this.#checkTransposition(at, byteCount, stride, out)
    transpose(this.bytes, at, byteCount, stride, out)
  }

  untranspose(at: number, byteCount: number, stride: number, out: number): void {
    this.#checkTransposition(at, byteCount, stride, out)
    untranspose(this.bytes, at, byteCount, stride, out)
  }

  features(at: number, pageBytes: number, out: number): void {
    checkSampledPageBytes(pageBytes)
    this.#arena.checkRange(at, pageBytes)
    this.#arena.checkRange(out, FEATURES_BYTES)
    features(this.#view, at, pageBytes, out)
  }

  encodeDelta(
    base: number,
    next: number,
    byteCount: number,
    out: number,
    outBytesMax: number,
  ): number {
    this.#arena.checkRange(base, byteCount)
    this.#arena.checkRange(next, byteCount)
    this.#arena.checkRange(out, outBytesMax)
    return encodeDelta(this.bytes, base, next, byteCount, out, outBytesMax)
  }

  decodeDelta(page: number, pageBytes: number, delta: number, deltaBytes: number): number {
    this.#arena.checkRange(page, pageBytes)
    this.#arena.checkRange(delta, deltaBytes)
    return decodeDelta(this.bytes, page, pageBytes, delta, deltaBytes)
  }

  #checkTransposition(at: number, byteCount: number, stride: number, out: number): void {
    this.#arena.checkRange(at, byteCount)
    this.#arena.checkRange(out, byteCount)
    checkStride(stride)
    checkApart(at, out, byteCount)
  }

  #hash(at: number, byteCount: number, key: DataView, out: number): void {
    xxh3(this.#view, at, byteCount, key, this.#words)
    this.#view.setUint32(out, this.#words[0]!, true)
    this.#view.setUint32(out + 4, this.#words[1]!, true)
  }

  /** A view of the key block at `key`; there are as many as seeds. */
  #key(key: number): DataView {
    let view = this.#keys.get(key)
    if (view === undefined) {
      view = new DataView(this.#view.buffer, key, KEY_BYTES)
      this.#keys.set(key, view)
    }
    return view
  }
}

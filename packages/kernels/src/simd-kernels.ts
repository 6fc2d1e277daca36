/**
 * The kernels of `assembly/`: offsets are checked here, the work is done there.
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
import type { WasmKernels } from './wasm.ts'
import { KEY_BYTES } from './xxh3-key.ts'

export class SimdKernels implements Kernels {
  readonly active = 'simd'
  readonly bytes: Uint8Array
  readonly #arena: Arena
  readonly #wasm: WasmKernels

  constructor(arena: Arena, wasm: WasmKernels) {
    this.bytes = arena.bytes
    this.#arena = arena
    this.#wasm = wasm
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
    return this.#wasm.isZero(at, byteCount) !== 0
  }

  zeroRun(at: number, pageBytes: number, pageCount: number): number {
    this.#arena.checkRange(at, pageBytes * pageCount)
    return this.#wasm.zeroRun(at, pageBytes, pageCount)
  }

  hash(at: number, byteCount: number, key: number, out: number): void {
    this.#arena.checkRange(at, byteCount)
    this.#checkKey(key, out, 1)
    this.#wasm.hash(at, byteCount, key, out)
  }

  hashPages(at: number, byteCount: number, pageBytes: number, key: number, out: number): void {
    this.#arena.checkRange(at, byteCount)
    this.#checkKey(key, out, Math.ceil(byteCount / pageBytes))
    this.#wasm.hashPages(at, byteCount, pageBytes, key, out)
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
    this.#arena.checkRange(at, byteCount)
    const pageCount = Math.ceil(byteCount / pageBytes)
    this.#checkKey(keyA, outA, pageCount)
    this.#checkKey(keyB, outB, pageCount)
    this.#wasm.hashPages2(at, byteCount, pageBytes, keyA, outA, keyB, outB)
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
    this.#arena.checkRange(at, byteCount)
    this.#arena.checkRange(flags, pageCount)
    this.#checkKey(keyA, outA, pageCount)
    if (keyB !== 0) this.#checkKey(keyB, outB, pageCount)
    return this.#wasm.pack(at, byteCount, pageBytes, flags, keyA, outA, keyB, outB)
  }

  classify(at: number, byteCount: number, pageBytes: number, out: number): void {
    checkPageBytes(pageBytes)
    this.#arena.checkRange(at, byteCount)
    this.#arena.checkRange(out, Math.ceil(byteCount / pageBytes) * 8)
    this.#wasm.classify(at, byteCount, pageBytes, out)
  }

  transpose(at: number, byteCount: number, stride: number, out: number): void {
    this.#checkTransposition(at, byteCount, stride, out)
    this.#wasm.transpose(at, byteCount, stride, out)
  }

  untranspose(at: number, byteCount: number, stride: number, out: number): void {
    this.#checkTransposition(at, byteCount, stride, out)
    this.#wasm.untranspose(at, byteCount, stride, out)
  }

  features(at: number, pageBytes: number, out: number): void {
    checkSampledPageBytes(pageBytes)
    this.#arena.checkRange(at, pageBytes)
    this.#arena.checkRange(out, FEATURES_BYTES)
    this.#wasm.features(at, pageBytes, out)
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
    return this.#wasm.encodeDelta(base, next, byteCount, out, outBytesMax)
  }

  decodeDelta(page: number, pageBytes: number, delta: number, deltaBytes: number): number {
    this.#arena.checkRange(page, pageBytes)
    this.#arena.checkRange(delta, deltaBytes)
    return this.#wasm.decodeDelta(page, pageBytes, delta, deltaBytes)
  }

  #checkTransposition(at: number, byteCount: number, stride: number, out: number): void {
    this.#arena.checkRange(at, byteCount)
    this.#arena.checkRange(out, byteCount)
    checkStride(stride)
    checkApart(at, out, byteCount)
  }

  #checkKey(key: number, out: number, pageCount: number): void {
    this.#arena.checkRange(key, KEY_BYTES)
    this.#arena.checkRange(out, pageCount * 8)
  }
}

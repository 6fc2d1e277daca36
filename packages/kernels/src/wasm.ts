/**
 * The little of WebAssembly that is used here; the DOM's types are not loaded.
 *
 * @module
 */

/** A compiled `WebAssembly.Module`. */
export type WasmModule = object

/** A `WebAssembly.Memory`. */
export interface WasmMemory {
  readonly buffer: ArrayBufferLike
}

/** The kernels as the binary exports them: offsets and counts in, counts or refusals out. */
export interface WasmKernels {
  isZero(at: number, byteCount: number): number
  zeroRun(at: number, pageBytes: number, pageCount: number): number
  hash(at: number, byteCount: number, key: number, out: number): void
  hashPages(at: number, byteCount: number, pageBytes: number, key: number, out: number): void
  hashPages2(
    at: number,
    byteCount: number,
    pageBytes: number,
    keyA: number,
    outA: number,
    keyB: number,
    outB: number,
  ): void
  pack(
    at: number,
    byteCount: number,
    pageBytes: number,
    flags: number,
    keyA: number,
    outA: number,
    keyB: number,
    outB: number,
  ): number
  classify(at: number, byteCount: number, pageBytes: number, out: number): void
  transpose(at: number, byteCount: number, stride: number, out: number): void
  untranspose(at: number, byteCount: number, stride: number, out: number): void
  features(at: number, pageBytes: number, out: number): void
  encodeDelta(
    base: number,
    next: number,
    byteCount: number,
    out: number,
    outBytesMax: number,
  ): number
  decodeDelta(page: number, pageBytes: number, delta: number, deltaBytes: number): number
}

interface WasmNamespace {
  readonly Module: new (bytes: ArrayBufferLike | ArrayBufferView) => WasmModule
  readonly Memory: new (shape: { initial: number; maximum: number }) => WasmMemory
  readonly Instance: new (
    module: WasmModule,
    imports: { env: { memory: WasmMemory } },
  ) => { readonly exports: unknown }
}

function wasmNamespace(): WasmNamespace | undefined {
  return (globalThis as { WebAssembly?: WasmNamespace }).WebAssembly
}

/**
 * Compiles the kernels, unless they are compiled already.
 *
 * @returns undefined where there is no WebAssembly, no SIMD, or a policy against compiling
 */
export function compileWasm(
  wasm: ArrayBufferLike | ArrayBufferView | WasmModule,
): WasmModule | undefined {
  const wasmApi = wasmNamespace()
  if (wasmApi === undefined) return undefined
  if (wasm instanceof wasmApi.Module) return wasm
  try {
    return new wasmApi.Module(wasm as ArrayBufferLike | ArrayBufferView)
  } catch {
    return undefined
  }
}

/** Private memory of that many 64 KiB pages, which does not grow. */
export function allocateWasmMemory(wasmPages: number): WasmMemory {
  return new (wasmNamespace()!.Memory)({ initial: wasmPages, maximum: wasmPages })
}

export function instantiateWasm(module: WasmModule, memory: WasmMemory): WasmKernels {
  const instance = new (wasmNamespace()!.Instance)(module, { env: { memory } })
  return instance.exports as WasmKernels
}

/**
 * Guest memory: regions made here, or wrapped around memory that somebody already has.
 *
 * @module
 */
import {
  COMPARE_ROOM_BYTES,
  formatBytes,
  GIB,
  GodwitError,
  LimitError,
  type Region,
} from '@godwit/core'

/** Largest region: what a 32-bit WebAssembly memory and the wire's page indexes can address. */
export const REGION_BYTES_MAX: number = 4 * GIB

const wasmPageBytes = 65536

/**
 * What memory is made of. `wasm`: a shared `WebAssembly.Memory` (page-aligned, so that the system's
 * own trackers can be used); `shared`: a `SharedArrayBuffer`; `plain`: an `ArrayBuffer`.
 */
export type RegionBacking = 'wasm' | 'shared' | 'plain'

/** Anything with the buffer of a `WebAssembly.Memory`; the DOM's types are not loaded here. */
export interface WasmMemory {
  readonly buffer: ArrayBufferLike
}

interface WasmMemoryConstructor {
  new (shape: { initial: number; maximum: number; shared: boolean }): WasmMemory
}

/** What to allocate; `byteLength` 1 byte to 4 GiB, of any remainder. */
export interface RegionRequest {
  readonly id: number
  readonly name: string
  readonly byteLength: number
  /** Default `wasm`. */
  readonly backing?: RegionBacking
  /** Of backing `wasm`: with room to compare pages in place, where that is not too much for it. */
  readonly comparesInPlace?: boolean
}

/** What the owner of existing memory calls it. */
export interface RegionLabel {
  readonly id: number
  readonly name: string
}

function checkByteLength(name: string, byteLength: number): void {
  if (!Number.isSafeInteger(byteLength) || byteLength < 1) {
    throw new GodwitError('USAGE', `Region "${name}" cannot have ${byteLength} bytes`)
  }
  if (byteLength > REGION_BYTES_MAX) {
    throw new LimitError(
      'LIMIT_EXCEEDED',
      `Region "${name}" has ${formatBytes(byteLength)}; a region has at most ` +
        `${formatBytes(REGION_BYTES_MAX)}, so split it`,
      { limit: 'regionBytesMax', value: byteLength, maximum: REGION_BYTES_MAX },
    )
  }
}

function allocateWasm(byteLength: number, roomBytes = 0): WasmMemory {
  const { WebAssembly } = globalThis as unknown as {
    WebAssembly: { Memory: WasmMemoryConstructor }
  }
  const pages = Math.ceil(byteLength / wasmPageBytes) + Math.ceil(roomBytes / wasmPageBytes)
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
}

function allocateBytes(byteLength: number, backing: RegionBacking): Uint8Array {
  if (backing === 'wasm') return new Uint8Array(allocateWasm(byteLength).buffer, 0, byteLength)
  if (backing === 'shared') return new Uint8Array(new SharedArrayBuffer(byteLength))
  return new Uint8Array(byteLength)
}

/**
 * Allocates a region of zeros. The kernel populates it at the first store to each page; see
 * `zeroBytes`.
 *
 * @throws {GodwitError} `USAGE` when the size is not a positive whole number
 * @throws {LimitError} `LIMIT_EXCEEDED` over 4 GiB, `NO_ROOM` when the machine refuses
 */
export function allocateRegion(request: RegionRequest): Region {
  const { id, name, byteLength } = request
  checkByteLength(name, byteLength)
  try {
    if (request.comparesInPlace === true && byteLength + COMPARE_ROOM_BYTES <= REGION_BYTES_MAX) {
      const memory = allocateWasm(byteLength, COMPARE_ROOM_BYTES)
      return { id, name, bytes: new Uint8Array(memory.buffer, 0, byteLength), memory }
    }
    return { id, name, bytes: allocateBytes(byteLength, request.backing ?? 'wasm') }
  } catch (error) {
    throw new LimitError(
      'NO_ROOM',
      `The machine refused ${formatBytes(byteLength)} of memory for region "${name}"`,
      { limit: 'addressSpace', value: byteLength, maximum: 0 },
      { cause: error },
    )
  }
}

/**
 * Wraps memory that a program already has. The region shares it: nothing is copied. A
 * `WebAssembly.Memory` must not grow while it is being moved.
 *
 * @throws {GodwitError} `USAGE` when the memory is empty
 * @throws {LimitError} `LIMIT_EXCEEDED` over 4 GiB
 */
export function regionOf(
  source: WasmMemory | ArrayBufferLike | Uint8Array,
  label: RegionLabel,
): Region {
  // A typed array has a `buffer` too, so it is looked for first.
  let bytes: Uint8Array
  if (source instanceof Uint8Array) bytes = source
  else bytes = new Uint8Array('buffer' in source ? source.buffer : source)
  checkByteLength(label.name, bytes.byteLength)
  return { id: label.id, name: label.name, bytes }
}

/**
 * All the ways to store to memory that a guest, or a system call on its behalf, may use.
 *
 * @module
 */
import { closeSync, openSync, readSync } from 'node:fs'

export const wasmPageBytes = 65536

/** Bytes at the start of a memory that `copyWithin` and `memory.copy` copy from. */
export const sourceBytes = 1024

/** Bytes stored by the kinds that store any number of them. */
const manyBytes = 48

/** A shared `WebAssembly.Memory`; the DOM's types are not loaded here. */
export interface SharedMemory {
  readonly buffer: SharedArrayBuffer
}

type WasmStore = (at: number, value: number, byteCount: number) => void

interface WebAssemblyApi {
  readonly Memory: new (shape: object) => SharedMemory
  readonly Module: new (code: Uint8Array) => object
  readonly Instance: new (module: object, imports: object) => { exports: Record<string, WasmStore> }
}

const { WebAssembly } = globalThis as unknown as { WebAssembly: WebAssemblyApi }

/** @param pages of 64 KiB */
export function allocateShared(pages: number): SharedMemory {
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
}

/** One memory by every view; addresses count from its start. */
export class StoreMemory {
  readonly buffer: SharedArrayBuffer
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly wasm: Record<string, WasmStore>

  constructor(memory: SharedMemory) {
    this.buffer = memory.buffer
    this.bytes = new Uint8Array(memory.buffer)
    this.view = new DataView(memory.buffer)
    const module = new WebAssembly.Module(storesModule())
    this.wasm = new WebAssembly.Instance(module, { e: { m: memory } }).exports
  }
}

/**
 * A name, how many bytes are stored, and the store; at an address that is a multiple of 8. The
 * content changes when the value (1 .. 99) does, and there was no zero before.
 */
export type StoreKind = readonly [
  name: string,
  lengthBytes: number,
  store: (memory: StoreMemory, at: number, value: number) => void,
]

interface ArrayConstructor<Item> {
  new (buffer: SharedArrayBuffer, at: number, length: number): { [index: number]: Item }
  readonly name: string
  readonly BYTES_PER_ELEMENT: number
}

const numberArrays: readonly ArrayConstructor<number>[] = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
]

const bigArrays: readonly ArrayConstructor<bigint>[] = [BigInt64Array, BigUint64Array]

const arrayKinds: readonly StoreKind[] = [
  ...numberArrays.map((View): StoreKind => {
    const store: StoreKind[2] = ({ buffer }, at, value) => {
      new View(buffer, at, 1)[0] = value
    }
    return [View.name, View.BYTES_PER_ELEMENT, store]
  }),
  ...bigArrays.map((View): StoreKind => {
    const store: StoreKind[2] = ({ buffer }, at, value) => {
      new View(buffer, at, 1)[0] = BigInt(value)
    }
    return [View.name, 8, store]
  }),
  ['fill', manyBytes, ({ bytes }, at, value) => bytes.fill(value, at, at + manyBytes)],
  ['set', manyBytes, ({ bytes }, at, value) => bytes.set(Array(manyBytes).fill(value), at)],
  ['copyWithin', manyBytes, ({ bytes }, at, value) => bytes.copyWithin(at, value, value + 48)],
  ['subarray', 1, ({ bytes }, at, value) => bytes.subarray(at, at + 1).fill(value)],
  ['subarray of a subarray', manyBytes, storeBySubarrays],
  ['Buffer.writeUInt32LE', 4, ({ buffer }, at, v) => Buffer.from(buffer).writeUInt32LE(v, at)],
  ['Buffer.write', manyBytes, storeText],
]

function storeBySubarrays({ bytes }: StoreMemory, at: number, value: number): void {
  const part = bytes.subarray(at - 100).subarray(100, 100 + manyBytes)
  for (let i = 0; i < manyBytes; i++) part[i] = value
}

function storeText({ buffer }: StoreMemory, at: number, value: number): void {
  Buffer.from(buffer).write(String.fromCharCode(32 + value).repeat(manyBytes), at)
}

const viewKinds: readonly StoreKind[] = [
  ['DataView.setInt8', 1, ({ view }, at, value) => view.setInt8(at, value)],
  ['DataView.setUint8', 1, ({ view }, at, value) => view.setUint8(at, value)],
  ['DataView.setInt16', 2, ({ view }, at, value) => view.setInt16(at, value)],
  ['DataView.setUint32', 4, ({ view }, at, value) => view.setUint32(at, value)],
  ['DataView.setFloat32', 4, ({ view }, at, value) => view.setFloat32(at, value, true)],
  ['DataView.setFloat64', 8, ({ view }, at, value) => view.setFloat64(at, value)],
  ['DataView.setBigUint64', 8, ({ view }, at, value) => view.setBigUint64(at, BigInt(value))],
]

function atomicKind(
  name: string,
  store: (words: Int32Array, value: number, before: number) => void,
): StoreKind {
  return [
    `Atomics.${name}`,
    4,
    ({ buffer }, at, value) => {
      const words = new Int32Array(buffer, at, 1)
      store(words, value, words[0]!)
    },
  ]
}

const atomicKinds: readonly StoreKind[] = [
  atomicKind('store', (words, value) => Atomics.store(words, 0, value)),
  atomicKind('add', (words, value) => Atomics.add(words, 0, value)),
  atomicKind('sub', (words, value) => Atomics.sub(words, 0, value)),
  atomicKind('or', (words, _, before) => Atomics.or(words, 0, before + 1)),
  atomicKind('and', (words, _, before) => Atomics.and(words, 0, before - 1)),
  atomicKind('xor', (words, value) => Atomics.xor(words, 0, value)),
  atomicKind('exchange', (words, value, before) => Atomics.exchange(words, 0, before + value)),
  atomicKind('compareExchange', (words, value, before) =>
    Atomics.compareExchange(words, 0, before, before + value),
  ),
  [
    'Atomics.add to 64 bits',
    8,
    ({ buffer }, at, value) => Atomics.add(new BigInt64Array(buffer, at, 1), 0, BigInt(value)),
  ],
  ['Atomics.exchange of a byte', 1, ({ bytes }, at, value) => Atomics.exchange(bytes, at, value)],
]

/** The kernel stores, in the name of this process. */
function readFromFile({ bytes }: StoreMemory, at: number, value: number): void {
  // A file that is there everywhere, and whose first bytes differ from each other.
  const file = openSync(process.execPath, 'r')
  readSync(file, bytes, at, manyBytes, value)
  closeSync(file)
}

/** `local.get n` */
const local = (index: number): readonly number[] => [0x20, index]

/** A plain store: address, value, then the instruction with its alignment and offset 0. */
const plain = (instruction: readonly number[], convert: readonly number[] = []): number[] => [
  ...local(0),
  ...local(1),
  ...convert,
  ...instruction,
  0,
  0,
]

/** Bodies of functions (at, value, byteCount), by the name of the instruction that stores. */
const wasmBodies: Readonly<Record<string, readonly [lengthBytes: number, code: number[]]>> = {
  'i32.store8': [1, plain([0x3a])],
  'i32.store16': [2, plain([0x3b])],
  'i32.store': [4, plain([0x36])],
  'i64.store8': [1, plain([0x3c], [0xad])],
  'i64.store': [8, plain([0x37], [0xad])],
  'f32.store': [4, plain([0x38], [0xb3])],
  'f64.store': [8, plain([0x39], [0xb8])],
  'v128.store': [16, plain([0xfd, 0x0b], [0xfd, 0x11])],
  'memory.fill': [manyBytes, [...local(0), ...local(1), ...local(2), 0xfc, 0x0b, 0]],
  // From the address `value`, which is in the source bytes.
  'memory.copy': [manyBytes, [...local(0), ...local(1), ...local(2), 0xfc, 0x0a, 0, 0]],
  'i32.atomic.store': [4, [...local(0), ...local(1), 0xfe, 0x17, 2, 0]],
  'i32.atomic.rmw.add': [4, [...local(0), ...local(1), 0xfe, 0x1e, 2, 0, 0x1a]],
  'i32.atomic.rmw.xchg': [4, [...local(0), ...local(1), 0xfe, 0x41, 2, 0, 0x1a]],
}

/** Bytes of a section: its number, its length, its contents. LEB128 of lengths below 16384. */
function section(number: number, contents: readonly number[]): number[] {
  return [number, ...leb(contents.length), ...contents]
}

function leb(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, value >>> 7]
}

/** `\\0asm`, version 1. */
const magic: readonly number[] = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]

/**
 * The code of a module that imports a shared memory `e.m` and exports a function
 * `(at, value, byteCount)` for every instruction that stores.
 */
export function storesModule(): Uint8Array {
  const bodies = Object.values(wasmBodies).map(([, code]) => [0, ...code, 0x0b])
  const names = Object.keys(wasmBodies).map((name) => [...Buffer.from(name)])
  const count = bodies.length
  return Uint8Array.from([
    ...magic,
    // Type 0: three i32, no result.
    ...section(1, [1, 0x60, 3, 0x7f, 0x7f, 0x7f, 0]),
    // Memory: shared, 1 to 65536 pages.
    ...section(2, [1, 1, 0x65, 1, 0x6d, 2, 3, 1, 0x80, 0x80, 4]),
    ...section(3, [count, ...bodies.map(() => 0)]),
    ...section(7, [count, ...names.flatMap((name, i) => [...leb(name.length), ...name, 0, i])]),
    ...section(10, [count, ...bodies.flatMap((body) => [...leb(body.length), ...body])]),
  ])
}

export const storeKinds: readonly StoreKind[] = [
  ...arrayKinds,
  ...viewKinds,
  ...atomicKinds,
  ...Object.entries(wasmBodies).map(
    ([name, [lengthBytes]]): StoreKind => [
      `WebAssembly ${name}`,
      lengthBytes,
      ({ wasm }, at, value) => wasm[name]!(at, value, lengthBytes),
    ],
  ),
  ['readSync', manyBytes, readFromFile],
]

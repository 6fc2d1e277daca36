/**
 * A WebAssembly function that stores to memory until a word of it says stop; assembled by hand, so
 * that nothing but the engine stands between its stores and the memory.
 *
 * @module
 */

/**
 * `run(byteLength, stopAt)`: `do { mem[at] = ++value; at = (at + 4100) % byteLength } while
 * (atomic mem[stopAt] == 0)`, over an imported shared memory of 1024 pages.
 */
export const wasmLoop: Uint8Array<ArrayBuffer> = Uint8Array.from([
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  // type 0: (i32, i32) -> ()
  ...[0x01, 0x06, 0x01, 0x60, 0x02, 0x7f, 0x7f, 0x00],
  // import "e" "m": shared memory 1024..1024
  ...[0x02, 0x0b, 0x01, 0x01, 0x65, 0x01, 0x6d, 0x02, 0x03, 0x80, 0x08, 0x80, 0x08],
  // one function of type 0, exported as "run"
  ...[0x03, 0x02, 0x01, 0x00],
  ...[0x07, 0x07, 0x01, 0x03, 0x72, 0x75, 0x6e, 0x00, 0x00],
  // its body: two i32 locals, at (2) and value (3)
  ...[0x0a, 0x2b, 0x01, 0x29, 0x01, 0x02, 0x7f, 0x03, 0x40],
  // value = value + 1
  ...[0x20, 0x03, 0x41, 0x01, 0x6a, 0x21, 0x03],
  // mem[at] = value
  ...[0x20, 0x02, 0x20, 0x03, 0x36, 0x02, 0x00],
  // at = (at + 4100) % byteLength
  ...[0x20, 0x02, 0x41, 0x84, 0x20, 0x6a, 0x20, 0x00, 0x70, 0x21, 0x02],
  // again while the atomic load of mem[stopAt] is 0
  ...[0x20, 0x01, 0xfe, 0x10, 0x02, 0x00, 0x45, 0x0d, 0x00],
  ...[0x0b, 0x0b],
])

/** What a program uses of the engine; the DOM's types are not loaded here. */
export interface SharedMemory {
  readonly buffer: SharedArrayBuffer
}

interface WebAssemblyApi {
  readonly Memory: new (shape: object) => SharedMemory
  instantiate(
    bytes: Uint8Array<ArrayBuffer>,
    imports: object,
  ): Promise<{ instance: { exports: Record<string, unknown> } }>
}

export const { WebAssembly } = globalThis as unknown as { WebAssembly: WebAssemblyApi }

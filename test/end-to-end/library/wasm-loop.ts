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
const wasmHex = [
  '0061736d01000000',
  // type 0: (i32, i32) -> ()
  '01060160027f7f00',
  // import "e" "m": shared memory 1024..1024
  '020b010165016d020380088008',
  // one function of type 0, exported as "run"
  '03020100',
  '0707010372756e0000',
  // its body: two i32 locals, at (2) and value (3)
  '0a2b012901027f0340',
  // value = value + 1
  '200341016a2103',
  // mem[at] = value
  '20022003360200',
  // at = (at + 4100) % byteLength
  '20024184206a2000702102',
  // again while the atomic load of mem[stopAt] is 0
  '2001fe100200450d00',
  '0b0b',
]

export const wasmLoop: Uint8Array<ArrayBuffer> = new Uint8Array(
  Buffer.from(wasmHex.join(''), 'hex'),
)

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

const { WebAssembly: api } = globalThis as unknown as { WebAssembly: WebAssemblyApi }
export const WebAssembly: WebAssemblyApi = api

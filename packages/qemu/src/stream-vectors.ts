/**
 * Streams for tests: what `test-vectors/stream.py` has written, and what came of reading one.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import type { BlockMemory, BlockParts, StreamSetup } from './stream-format.ts'
import { StreamReader } from './stream-reader.ts'

/** A byte, and how often it comes. */
type Run = readonly [byte: number, count: number]

/** Must be read whole. */
export interface GoodStream {
  readonly name: string
  readonly bytes: Uint8Array
  readonly machine: string
  readonly blocks: Readonly<Record<string, number>>
  readonly memory: Readonly<Record<string, readonly Run[]>>
  readonly marked: Readonly<Record<string, readonly number[]>>
  readonly rest: string
}

/** Must be refused, at the record that begins there. */
export interface BadStream {
  readonly name: string
  readonly bytes: Uint8Array
  readonly error: { readonly record: string; readonly at: number }
}

interface Case {
  readonly name: string
  readonly stream: readonly (string | readonly [string, number])[]
  readonly blocks: Readonly<Record<string, number>>
  readonly expect?: Omit<GoodStream, 'name' | 'bytes' | 'blocks'>
  readonly error?: BadStream['error']
}

const url = new URL('../test-vectors/stream.json', import.meta.url)
const { cases } = JSON.parse(readFileSync(url, 'utf8')) as { readonly cases: readonly Case[] }

function bytesOf({ stream }: Case): Uint8Array {
  const parts = stream.map((part) => (typeof part === 'string' ? part : part[0].repeat(part[1])))
  return new Uint8Array(Buffer.from(parts.join(''), 'hex'))
}

export const goodStreams: readonly GoodStream[] = cases.flatMap((one) => {
  const { name, blocks, expect } = one
  return expect === undefined ? [] : [{ name, bytes: bytesOf(one), blocks, ...expect }]
})

export const badStreams: readonly BadStream[] = cases.flatMap((one) => {
  const { name, error } = one
  return error === undefined ? [] : [{ name, bytes: bytesOf(one), error }]
})

function memoryOfPages(pages: number): BlockMemory {
  const notes = { touched: new Uint8Array(pages), marks: new Uint8Array(pages) }
  return { bytes: new Uint8Array(pages * 4096), ...notes }
}

/** What a stream was read into. */
export class ReadStream {
  setup: StreamSetup | undefined
  #blocks: BlockParts = []
  readonly reader: StreamReader

  /** @param partPages - blocks are cut into parts of at most as many */
  constructor(partPages: number = Infinity) {
    this.reader = new StreamReader((setup) => {
      this.setup = setup
      this.#blocks = setup.blocks.map(({ byteLength }) => {
        const parts: BlockMemory[] = []
        for (let left = byteLength / 4096; left > 0; left -= partPages) {
          parts.push(memoryOfPages(Math.min(left, partPages)))
        }
        return parts
      })
      return this.#blocks
    })
  }

  /** The memory of each block, as a whole. */
  get memory(): readonly Uint8Array[] {
    return this.#blocks.map((parts) => Buffer.concat(parts.map(({ bytes }) => bytes)))
  }

  /** The stream in chunks that end at these places. */
  read(bytes: Uint8Array, cuts: readonly number[] = []): this {
    let from = 0
    for (const cut of [...cuts, bytes.length]) {
      // A chunk of its own: nothing behind it may be looked at.
      this.reader.push(bytes.slice(from, cut))
      from = cut
    }
    return this
  }

  /** Pages with a mark, per block. */
  get marked(): readonly (readonly number[])[] {
    return this.#blocks.map((parts) => {
      const marks = parts.flatMap((part) => [...part.marks])
      return marks.flatMap((mark, page) => (mark ? [page] : []))
    })
  }

  get rest(): string {
    return Buffer.concat(this.reader.rest).toString('hex')
  }
}

/** A block's memory, as a vector has it. */
export function memoryOf(runs: readonly Run[]): Uint8Array {
  return Buffer.concat(runs.map(([byte, count]) => Buffer.alloc(count, byte)))
}

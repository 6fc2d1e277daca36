/**
 * What guest memory holds before the guest runs: zeros, text-like log lines, heap-like objects and
 * random words, in runs of 2 MiB, so that the kernel can leave runs of zeros unpopulated.
 *
 * The bytes are fixed: `test/vectors/content.json` pins them. Little-endian hosts only.
 *
 * @module
 */
import { GodwitError } from '@godwit/core'
import { LinearMemory } from './linear-memory.ts'
import { multiplyHigh, remainder64, seedState, Xorshift64 } from './xorshift.ts'

/** Pages of content and of workloads, whatever page size a migration uses. */
export const CONTENT_PAGE_BYTES = 4096
/** Memory of one kind in a row. */
export const CONTENT_RUN_BYTES: number = 2 << 20

/** A line of text is cut at the page's end, so this much may be written past it. */
const lineBytesMax = 320
const lineWordsFrom = 280
const pageWords = CONTENT_PAGE_BYTES / 4
const pagesPerRun = CONTENT_RUN_BYTES / CONTENT_PAGE_BYTES
const HEAP_POINTER_LOW = 0x10000000
const HEAP_POINTER_HIGH = 0x7f3a
const LCG_FACTOR_LOW = 0x4c957f2d
const LCG_FACTOR_HIGH = 0x5851f42d
const LCG_STEP_LOW = 0xf767814f
const LCG_STEP_HIGH = 0x14057b7e

const encoder = new TextEncoder()
const vocabulary: readonly Uint8Array[] = (
  'the of and request session error user to in timeout value connection is for buffer index ' +
  'that with update on as was node cluster replica are this by be not memory migrate from which ' +
  'page or an storage has volume have at queue handler latency state policy checkpoint'
)
  .split(' ')
  .map((word) => encoder.encode(word))
const wordCount = 48
const textDate = encoder.encode('2024-0')
const textInfo = encoder.encode('Z INFO  [worker-')
const textWarn = encoder.encode('Z WARN  [worker-')
const textId = encoder.encode('] id=')
const textPath = encoder.encode(' path=/api/v')
const textDuration = encoder.encode(' dur=')
const textUnit = encoder.encode('ms ')
const hexDigits = encoder.encode('0123456789abcdef')
const digitZero = 48
const dash = 45
const dot = 46
const slash = 47
const colon = 58
const space = 32
const newline = 10
const letterT = 84

/** Percent of memory of each kind; whole numbers that add up to 100. */
export interface ContentMix {
  readonly zero: number
  readonly text: number
  readonly heap: number
  readonly random: number
}

export type ContentKind = keyof ContentMix

/** Which content to make. */
export interface ContentOptions {
  readonly mix: ContentMix
  /** 0 .. 2^53 - 1. */
  readonly seed: number
}

/** `40/30/20/10` -> zero / text / heap / random. @throws {GodwitError} `GUEST_OPTION` */
export function parseContentMix(text: string): ContentMix {
  const match = /^(\d{1,3})\/(\d{1,3})\/(\d{1,3})\/(\d{1,3})$/.exec(text)
  const [zero = 0, text_ = 0, heap = 0, random = 0] = (match ?? []).slice(1).map(Number)
  if (match === null || zero + text_ + heap + random !== 100) {
    throw new GodwitError(
      'GUEST_OPTION',
      `"${text}" is not a content mix; write four percentages that add up to 100, ` +
        'zero/text/heap/random, like 40/30/20/10',
    )
  }
  return { zero, text: text_, heap, random }
}

/** What run number `run` (of 2 MiB) is made of. */
export function contentKindOf(run: number, mix: ContentMix): ContentKind {
  const x = (run * 61) % 100
  if (x < mix.zero) return 'zero'
  if (x < mix.zero + mix.text) return 'text'
  return x < mix.zero + mix.text + mix.heap ? 'heap' : 'random'
}

function putBytes(out: Uint8Array, at: number, piece: Uint8Array): number {
  for (let i = 0; i < piece.length; i++) out[at + i] = piece[i]!
  return at + piece.length
}

function putTwoDigits(out: Uint8Array, at: number, value: number): number {
  const tens = (value / 10) | 0
  out[at] = digitZero + tens
  out[at + 1] = digitZero + value - tens * 10
  return at + 2
}

function putThreeDigits(out: Uint8Array, at: number, value: number): number {
  const hundreds = (value / 100) | 0
  out[at] = digitZero + hundreds
  return putTwoDigits(out, at + 1, value - hundreds * 100)
}

/** 0 .. 9999 without leading zeros. */
function putNumber(out: Uint8Array, at: number, value: number): number {
  if (value >= 1000) {
    const thousands = (value / 1000) | 0
    out[at] = digitZero + thousands
    return putThreeDigits(out, at + 1, value - thousands * 1000)
  }
  if (value >= 100) return putThreeDigits(out, at, value)
  if (value >= 10) return putTwoDigits(out, at, value)
  out[at] = digitZero + value
  return at + 1
}

function putHex(out: Uint8Array, at: number, word: number): number {
  for (let i = 0; i < 8; i++) out[at + i] = hexDigits[(word >>> (28 - 4 * i)) & 15]!
  return at + 8
}

/** Date, time and level: everything that comes from the line's first number. */
function putLineStart(out: Uint8Array, start: number, low: number, high: number): number {
  let at = putBytes(out, start, textDate)
  out[at++] = digitZero + remainder64(low, high, 9) + 1
  out[at++] = dash
  at = putTwoDigits(out, at, ((low >>> 4) & 15) + 10)
  out[at++] = letterT
  at = putTwoDigits(out, at, remainder64((low >>> 9) | (high << 23), high >>> 9, 24))
  out[at++] = colon
  at = putTwoDigits(out, at, remainder64((low >>> 14) | (high << 18), high >>> 14, 60))
  out[at++] = colon
  at = putTwoDigits(out, at, remainder64((low >>> 20) | (high << 12), high >>> 20, 60))
  out[at++] = dot
  at = putThreeDigits(out, at, remainder64((low >>> 26) | (high << 6), high >>> 26, 1000))
  at = putBytes(out, at, ((high >>> 4) & 7) === 0 ? textWarn : textInfo)
  return putNumber(out, at, (high >>> 7) & 15)
}

/** The words at the end of a line, then the newline. */
function putLineWords(out: Uint8Array, start: number, at: number, random: Xorshift64): number {
  let low = random.low
  let high = random.high
  const count = 3 + (low & 7)
  for (let i = 0; i < count && at - start < lineWordsFrom; i++) {
    const carried = multiplyHigh(low, LCG_FACTOR_LOW)
    high = (carried + Math.imul(high, LCG_FACTOR_LOW) + Math.imul(low, LCG_FACTOR_HIGH)) | 0
    const sum = (Math.imul(low, LCG_FACTOR_LOW) >>> 0) + LCG_STEP_LOW
    high = (high + LCG_STEP_HIGH + (sum > 0xffffffff ? 1 : 0)) | 0
    low = sum | 0
    // The smaller of two makes the words at the front of the list more frequent.
    const word = Math.min((high >>> 1) % wordCount, (high >>> 8) % wordCount)
    at = putBytes(out, at, vocabulary[word]!)
    out[at++] = space
  }
  out[at - 1] = newline
  return at
}

function putLine(out: Uint8Array, start: number, random: Xorshift64): number {
  random.next()
  const low = random.low
  const high = random.high
  let at = putBytes(out, putLineStart(out, start, low, high), textId)
  random.next()
  at = putBytes(out, putHex(out, at, random.low), textPath)
  out[at++] = digitZero + ((high >>> 11) & 3) + 1
  out[at++] = slash
  at = putBytes(out, at, vocabulary[(high >>> 13) % wordCount]!)
  out[at++] = slash
  at = putBytes(out, putNumber(out, at, (high >>> 19) % 5000), textDuration)
  at = putBytes(out, putNumber(out, at, high >>> 25), textUnit)
  random.next()
  return putLineWords(out, start, at, random)
}

/** Makes pages of content, one after the other, from one sequence of random numbers. */
export class ContentGenerator {
  /** The heap's next object address: low word, high word. */
  readonly heapPointer: Int32Array = Int32Array.of(HEAP_POINTER_LOW, HEAP_POINTER_HIGH)
  readonly random: Xorshift64
  readonly #buffer = new ArrayBuffer(CONTENT_PAGE_BYTES + lineBytesMax)
  readonly #bytes = new Uint8Array(this.#buffer)
  readonly #words = new Int32Array(this.#buffer, 0, pageWords)
  readonly #page = new Uint8Array(this.#buffer, 0, CONTENT_PAGE_BYTES)

  constructor(seed: number) {
    this.random = new Xorshift64(new Int32Array(2))
    seedState(this.random.state, seed)
  }

  /** The next page of `kind`: 4096 bytes, borrowed until the next call. */
  page(kind: ContentKind): Uint8Array {
    if (kind === 'text') this.#makeText()
    else if (kind === 'heap') this.#makeHeap()
    else if (kind === 'random') this.#makeRandom()
    else this.#page.fill(0)
    return this.#page
  }

  #makeText(): void {
    let at = 0
    while (at < CONTENT_PAGE_BYTES) at = putLine(this.#bytes, at, this.random)
  }

  /** Objects of 64 bytes: a header, small numbers, pointers to near objects. */
  #makeHeap(): void {
    const words = this.#words
    const random = this.random
    let pointerLow = this.heapPointer[0]! >>> 0
    let pointerHigh = this.heapPointer[1]!
    for (let i = 0; i < pageWords; i += 16) {
      random.next()
      const { low, high } = random
      const near = pointerLow + (high & 0xfff8)
      const last = ((high >>> 16) & 3) === 0
      words[i] = low & 7
      words[i + 1] = 0x21
      words[i + 2] = (low >>> 8) & 0xff
      words[i + 3] = 0
      words[i + 4] = low >>> 16
      words[i + 5] = 0
      words[i + 6] = near | 0
      words[i + 7] = pointerHigh + (near > 0xffffffff ? 1 : 0)
      words[i + 8] = 0
      words[i + 9] = 0
      words[i + 10] = (low >>> 24) & 0x3f
      words[i + 11] = 0
      words[i + 12] = 1
      words[i + 13] = 0
      words[i + 14] = last ? pointerLow : 0
      words[i + 15] = last ? pointerHigh : 0
      pointerLow += 64
      if (pointerLow > 0xffffffff) {
        pointerLow -= 0x100000000
        pointerHigh++
      }
    }
    this.heapPointer[0] = pointerLow
    this.heapPointer[1] = pointerHigh
  }

  #makeRandom(): void {
    const words = this.#words
    const random = this.random
    for (let i = 0; i < pageWords; i += 2) {
      random.next()
      words[i] = random.low
      words[i + 1] = random.high
    }
  }
}

/** Where to fill and when to give up. */
export interface FillRange {
  /** Bytes from the start of memory; default all. Whatever page ends behind it is cut. */
  readonly end?: number
  /** Asked before each run; true ends the filling early. */
  readonly shouldStop?: () => boolean
}

/** Fills `memory` from its start with `generator`'s content; zero runs are left as they are. */
export function fillRuns(
  memory: LinearMemory,
  mix: ContentMix,
  generator: ContentGenerator,
  range: FillRange = {},
): void {
  const end = Math.min(memory.byteLength, range.end ?? memory.byteLength)
  for (let run = 0; run * CONTENT_RUN_BYTES < end; run++) {
    if (range.shouldStop?.() === true) return
    const kind = contentKindOf(run, mix)
    if (kind === 'zero') continue
    for (let i = 0; i < pagesPerRun; i++) {
      const at = run * CONTENT_RUN_BYTES + i * CONTENT_PAGE_BYTES
      if (at >= end) break
      const page = generator.page(kind)
      memory.write(at, at + page.length > end ? page.subarray(0, end - at) : page)
    }
  }
}

/**
 * Fills fresh (zero) memory with content. Pieces of memory are filled as if they were one.
 *
 * @param bytes - one piece or several in order; the last page of memory may be short
 */
export function fillContent(
  bytes: Uint8Array | readonly Uint8Array[],
  options: ContentOptions,
): void {
  const memory = new LinearMemory(bytes instanceof Uint8Array ? [bytes] : bytes)
  fillRuns(memory, options.mix, new ContentGenerator(options.seed))
}

/**
 * A reader of QEMU's migration stream that has all of it at hand, slow and plain, written from the
 * grammar in `packages/qemu/src/stream-format.ts`: what the one in chunks must agree with.
 *
 * @module
 */

const pageBytes = 4096
const regionBytesMax = 2n ** 32n
const regionsMax = 1024n
const names = new TextDecoder()

/** What is there when all is read. */
export interface ModelStream {
  readonly machine: string
  readonly blocks: readonly ModelBlock[]
  readonly rest: Uint8Array
}

/** A block of memory. */
export interface ModelBlock {
  readonly name: string
  readonly bytes: Uint8Array
  /** Pages that came, but for zero ones. */
  readonly stored: Set<number>
}

/** What is not a stream that can be taken: a record, and where it begins. */
export class Refusal {
  readonly record: string
  readonly at: number

  constructor(record: string, at: number) {
    this.record = record
    this.at = at
  }
}

/** Memory is refused by what has it: there is too much. */
export const tooMuch: unique symbol = Symbol('too much memory')

/** Numbers of a stream, one after the other. */
class Cursor {
  readonly bytes: Uint8Array
  at = 0
  /** Where numbers end. */
  readonly numbers: number[] = []

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  /** @throws {Refusal} they are not all there */
  need(count: number): void {
    if (this.at + count > this.bytes.length) throw new Refusal('end', this.bytes.length)
  }

  number(byteCount: number): bigint {
    this.need(byteCount)
    let value = 0n
    for (let i = 0; i < byteCount; i++) value = value * 256n + BigInt(this.bytes[this.at++]!)
    this.numbers.push(this.at)
    return value
  }

  part(byteCount: number): Uint8Array {
    this.need(byteCount)
    this.at += byteCount
    return this.bytes.subarray(this.at - byteCount, this.at)
  }

  /** A length of a byte, and as many. @param behind - bytes that must be there as well */
  text(behind = 0): string {
    const from = this.at
    const length = Number(this.number(1))
    this.at = from
    this.need(1 + length + behind)
    this.at = from + 1
    return names.decode(this.part(length))
  }
}

/** One stream. */
export class StreamModel {
  readonly #cursor: Cursor
  readonly #pagesMax: number
  #blocks: ModelBlock[] = []
  #section: bigint | undefined
  #block: ModelBlock | undefined

  /** @param pagesMax - of all blocks together */
  constructor(bytes: Uint8Array, pagesMax: number) {
    this.#cursor = new Cursor(bytes)
    this.#pagesMax = pagesMax
  }

  /** Behind the last byte of each number that {@link read} came to. */
  get numbers(): readonly number[] {
    return this.#cursor.numbers
  }

  /** @returns {@link tooMuch}, or why it is none */
  read(): ModelStream | Refusal | typeof tooMuch {
    try {
      const machine = this.#head()
      let isLast = false
      while (!isLast) isLast = this.#sectionIsLast()
      this.#afterLast()
      const { bytes, at } = this.#cursor
      return { machine, blocks: this.#blocks, rest: bytes.subarray(at) }
    } catch (thrown) {
      if (thrown instanceof Refusal || thrown === tooMuch) return thrown as Refusal
      throw thrown
    }
  }

  #head(): string {
    const cursor = this.#cursor
    cursor.need(8)
    if (cursor.number(4) !== 0x5145564dn) throw new Refusal('magic', 0)
    if (cursor.number(4) !== 3n) throw new Refusal('version', 4)
    cursor.need(5)
    const type = cursor.number(1)
    const length = cursor.number(4)
    if (type !== 7n || length === 0n || length > 128n) throw new Refusal('configuration', 8)
    return names.decode(cursor.part(Number(length)))
  }

  #sectionIsLast(): boolean {
    const cursor = this.#cursor
    const { at } = cursor
    const type = Number(cursor.number(1))
    if (type === 1) this.#first(at)
    else if (type === 2 || type === 3) this.#checkSection(at)
    else if (type === 0) throw new Refusal('end', at)
    else this.#other(type, at)
    this.#records()
    const footerAt = cursor.at
    cursor.need(5)
    if (cursor.number(1) !== 0x7en || cursor.number(4) !== this.#section) {
      throw new Refusal('footer', footerAt)
    }
    return type === 3
  }

  #first(at: number): void {
    const cursor = this.#cursor
    const id = cursor.number(4)
    const name = cursor.text(8)
    const [instance, version] = [cursor.number(4), cursor.number(4)]
    const isMore = this.#section !== undefined
    if (name !== 'ram' || isMore || instance !== 0n) throw new Refusal(name, at)
    if (version !== 4n) throw new Refusal('ram', at)
    this.#section = id
  }

  #checkSection(at: number): void {
    const id = this.#cursor.number(4)
    if (id !== this.#section) throw new Refusal(`section ${id}`, at)
  }

  /** Of a type that must not be there. */
  #other(type: number, at: number): never {
    const cursor = this.#cursor
    if (type === 4) {
      cursor.part(4)
      throw new Refusal(cursor.text(), at)
    }
    if (type === 5) throw new Refusal(cursor.text(), at)
    if (type === 8) {
      cursor.part(4)
      throw new Refusal('command', at)
    }
    throw new Refusal(`section 0x${type.toString(16)}`, at)
  }

  #records(): void {
    const cursor = this.#cursor
    for (;;) {
      const { at } = cursor
      const word = cursor.number(8)
      const flags = Number(word & 0xfffn)
      const address = word - BigInt(flags)
      const kind = flags & ~0x20
      if (kind === 8 || kind === 2) this.#page(kind === 2, flags, address, at)
      else if (flags === 4 && this.#blocks.length === 0 && address > 0n) this.#sizes(address)
      else if (flags !== 0x10) throw new Refusal(recordOf(flags), at)
      else if (this.#blocks.length === 0) throw new Refusal('ram', at)
      else return
    }
  }

  #sizes(all: bigint): void {
    const cursor = this.#cursor
    let left = all
    let regions = 0n
    const sizes = new Map<string, bigint>()
    while (left > 0n) {
      const { at } = cursor
      const name = cursor.text(8)
      const nameBytes = cursor.bytes[at]!
      const size = cursor.number(8)
      const isNamed = nameBytes > 0 && nameBytes <= 128 && sizes.size < 1024
      regions += (size + regionBytesMax - 1n) / regionBytesMax
      if (isNamed && regions > regionsMax) throw tooMuch
      const isRight = size > 0n && size % BigInt(pageBytes) === 0n && size <= left
      if (!isNamed || !isRight || sizes.has(name)) throw new Refusal('sizes', at)
      sizes.set(name, size)
      left -= size
    }
    if (all > BigInt(this.#pagesMax * pageBytes)) throw tooMuch
    this.#blocks = [...sizes].map(([name, size]) => {
      return { name, bytes: new Uint8Array(Number(size)), stored: new Set() }
    })
  }

  #page(isZero: boolean, flags: number, address: bigint, at: number): void {
    const cursor = this.#cursor
    if ((flags & 0x20) === 0) {
      const name = cursor.text()
      this.#block = this.#blocks.find((block) => block.name === name)
      if (this.#block === undefined) throw new Refusal('block', at)
    }
    const block = this.#block
    if (block === undefined || address >= BigInt(block.bytes.length)) throw new Refusal('page', at)
    if (isZero) {
      if (cursor.number(1) !== 0n) throw new Refusal('zero', at)
      block.bytes.fill(0, Number(address), Number(address) + pageBytes)
      return
    }
    block.bytes.set(cursor.part(pageBytes), Number(address))
    block.stored.add(Number(address) / pageBytes)
  }

  /** What comes behind the last part of memory: a device, or the end. */
  #afterLast(): void {
    const cursor = this.#cursor
    const { at } = cursor
    const type = Number(cursor.number(1))
    cursor.at = at
    if (type === 0 || type === 4) return
    cursor.at++
    if (type === 1) {
      cursor.part(4)
      const name = cursor.text(8)
      throw new Refusal(name, at)
    }
    if (type === 2 || type === 3) throw new Refusal(`section ${cursor.number(4)}`, at)
    this.#other(type, at)
  }
}

/** By what a record is named that no stream here has. */
function recordOf(flags: number): string {
  const known = [
    [0x01, 'full'],
    [0x40, 'xbzrle'],
    [0x80, 'hook (rdma)'],
    [0x100, 'compress'],
    [0x200, 'multifd-flush'],
  ] as const
  const found = known.find(([flag]) => (flags & flag) !== 0)
  return found?.[1] ?? `flags 0x${flags.toString(16)}`
}

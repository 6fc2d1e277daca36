import { describe, expect, it } from 'vitest'
import { createCompile } from './compile.ts'
import { allocateControlBlock, registersOf, seedRegisters } from './control-block.ts'
import { seedState, Xorshift64 } from './xorshift.ts'

const pageCount = 40
const windowPages = 8

/** Pages marked by each of so many steps, and memory after them. */
function run(drift: number, steps: number) {
  const bytes = new Uint8Array(pageCount * 4096)
  for (let page = 0; page < pageCount; page++) bytes.fill(page, page * 4096, (page + 1) * 4096)
  const map = new Uint8Array(pageCount)
  const registers = registersOf(allocateControlBlock(1), 0)
  seedRegisters(registers, 3, 0)
  const identity = { kind: 'kcs', options: { wss: windowPages * 4096, drift } }
  const memory = { regions: [bytes], maps: [map], pageBytes: 4096 }
  const guest = createCompile(identity, memory, registers)
  const pages = Array.from({ length: steps }, () => {
    map.fill(0)
    guest.step(1)
    return [...map.keys()].filter((page) => map[page] === 1)
  })
  return { bytes, pages: pages.map(([page, ...others]) => (others.length > 0 ? -1 : page!)) }
}

/** The draws of the guest's thread. */
function drawn(count: number): bigint[] {
  const random = new Xorshift64(new Int32Array(2))
  seedState(random.state, 3, 16)
  return Array.from({ length: count }, () => {
    random.next()
    return (BigInt(random.high >>> 0) << 32n) | BigInt(random.low >>> 0)
  })
}

describe('kcs', () => {
  it('draws pages of its working set, which stays where it is without a drift', () => {
    const { pages } = run(0, 500)
    expect(pages).toEqual(drawn(500).map((word) => Number(word % BigInt(windowPages))))
    expect(new Set(pages).size).toBe(windowPages)
  })

  it('takes in a new page with every tenth step, and moves on by one', () => {
    const steps = 1000
    const { pages } = run(10, steps)
    const words = drawn(steps)
    let first = 0
    const expected = words.map((word, n) => {
      if (n % 10 === 9) return (first++ + windowPages) % pageCount
      return (first + Number(word % BigInt(windowPages))) % pageCount
    })
    expect(pages).toEqual(expected)
    // A hundred pages further, twice around and more.
    expect(first).toBe(100)
  })

  it('a new page is a copy of one drawn, with a stamp in three places', () => {
    const { bytes, pages } = run(100, 1)
    expect(pages).toEqual([windowPages])
    const from = Number(drawn(1)[0]! % BigInt(pageCount))
    const words = new BigUint64Array(bytes.buffer, windowPages * 4096, 512)
    const copied = BigInt(`0x${from.toString(16).padStart(2, '0').repeat(8)}`)
    const place = Number(((BigInt(windowPages) * 2654435761n) >> 7n) & 511n)
    const changed = [...words.keys()].filter((at) => words[at] !== copied)
    const stamps = new Map([
      [place, copied + 1n],
      [(place + 171) & 511, copied + 3n],
      [(place + 397) & 511, 1n],
    ])
    expect(new Set(changed)).toEqual(new Set(stamps.keys()))
    for (const [at, value] of stamps) expect(words[at]).toBe(value)
  })
})

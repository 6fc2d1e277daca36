import type { GuestIdentity } from '@godwit/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { allocateControlBlock, allRegisters, seedRegisters } from './control-block.ts'
import { ContentGenerator } from './content.ts'
import { completeGuest } from './guest-spec.ts'
import { fillMemory } from './initial-memory.ts'
import { splitMemory } from './layout.ts'
import { decodeState, encodeState, stepsOf } from './state-package.ts'
import { seedState, Xorshift64 } from './xorshift.ts'
import { createWorkload, cursorLimitOf, threadCountOf } from './workload.ts'

const pageBytes = 16384

/** A guest without threads of its own: every step is asked for. */
class SteppedGuest {
  readonly identity: GuestIdentity
  readonly regions: Uint8Array[]
  readonly maps: Uint8Array[]
  readonly #registers
  readonly #workloads

  constructor(identity: GuestIdentity, regionBytes: readonly number[]) {
    this.identity = identity
    this.regions = regionBytes.map((bytes) => new Uint8Array(bytes))
    this.maps = regionBytes.map((bytes) => new Uint8Array(Math.ceil(bytes / pageBytes)))
    this.#registers = allRegisters(allocateControlBlock(threadCountOf(identity)))
    this.#registers.forEach((registers, thread) => {
      seedRegisters(registers, Number(identity.options['seed']), thread)
    })
    const memory = { regions: this.regions, maps: this.maps, pageBytes }
    this.#workloads = this.#registers.map((registers, thread) =>
      createWorkload(identity, thread, memory, registers),
    )
  }

  fill(): this {
    fillMemory(this.identity, { regions: this.regions })
    return this
  }

  step(counts: readonly number[]): this {
    this.#workloads.forEach((workload, thread) => {
      const count = counts[thread % counts.length]!
      if (count > 0) workload.step(count)
    })
    return this
  }

  capture(): Uint8Array {
    return encodeState(this.#registers)
  }

  restore(from: SteppedGuest): this {
    from.regions.forEach((bytes, i) => this.regions[i]!.set(bytes))
    const sizes = this.regions.map((bytes) => bytes.byteLength)
    const limits = this.#registers.map((_, i) => cursorLimitOf(this.identity, sizes, i))
    decodeState(from.capture(), this.#registers, limits)
    return this
  }
}

function identityOf(
  kind: string,
  options: Record<string, string | number>,
  sizes: readonly number[],
): GuestIdentity {
  const identity = { kind, options: { content: '0/40/40/20', ...options } }
  return completeGuest(identity, sizes)
}

const kinds: [string, Record<string, string | number>][] = [
  ['idle', { seed: 3 }],
  ['cpu', {}],
  ['memory-read', {}],
  ['memory-write', {}],
  ['memory-write', { wss: 8192, seed: 0 }],
  ['writer', {}],
  ['writer', { order: 'rand', threads: 2 }],
  ['writer', { style: 'page', threads: 2, seed: 9 }],
  ['writer', { style: 'page', order: 'rand', threads: 3 }],
  ['writer', { order: 'clusters', threads: 2 }],
  ['writer', { style: 'page', order: 'clusters' }],
  ['kcs', { wss: 12_288 }],
  ['kcs', { drift: 100, seed: 7 }],
  ['ikcs', { drift: 0 }],
  ['disk', { size: 20_480, seed: 5 }],
  ['network', { seed: 5 }],
  ['network', { wss: 5 * 4096, rate: 1e6 }],
  ['cache', { seed: 5 }],
]
const shapes = [[300_001], [65_536, 70_003], [5_001, 4_095, 40_960]]
const cases = kinds.flatMap(([kind, options]) => shapes.map((sizes) => ({ kind, options, sizes })))

describe.each(cases)('$kind $options in regions of $sizes', ({ kind, options, sizes }) => {
  const identity = identityOf(kind, options, sizes)
  const create = (): SteppedGuest => new SteppedGuest(identity, sizes)

  it('goes on elsewhere as if it had never moved', () => {
    const counts = fc.array(fc.nat(300), { minLength: 3, maxLength: 3 })
    fc.assert(
      fc.property(counts, counts, (before, after) => {
        const first = create().fill().step(before)
        const moved = create().restore(first).step(after)
        const total = before.map((steps, thread) => steps + after[thread]!)
        const stayed = create().fill().step(total)
        moved.regions.forEach((bytes, i) => {
          expect(Buffer.compare(bytes, stayed.regions[i]!)).toBe(0)
        })
        expect(moved.capture()).toEqual(stayed.capture())
        const threads = threadCountOf(identity)
        expect(stepsOf(moved.capture())).toEqual(total.slice(0, threads))
      }),
      { numRuns: 8 },
    )
  })

  it('marks every page that it changes, and changes registers with every step', () => {
    const guest = create().fill()
    const before = guest.regions.map((bytes) => bytes.slice())
    const state = guest.capture()
    guest.step([200])
    expect(guest.capture()).not.toEqual(state)
    let changed = 0
    guest.regions.forEach((bytes, i) => {
      for (let at = 0; at < bytes.length; at += pageBytes) {
        const now = bytes.subarray(at, at + pageBytes)
        const then = before[i]!.subarray(at, at + pageBytes)
        if (Buffer.compare(now, then) === 0) continue
        changed++
        expect(guest.maps[i]![at / pageBytes]).toBe(1)
      }
    })
    const stores = ['writer', 'memory-write', 'kcs', 'ikcs', 'disk', 'network', 'cache']
    expect(changed > 0).toBe(stores.includes(kind))
  })
})

describe('content of memory', () => {
  it('does not depend on how memory is cut', () => {
    const whole = new SteppedGuest(identityOf('idle', {}, [500_000]), [500_000]).fill()
    const sizes = splitMemory(500_000, 100_001).map((region) => region.byteLength)
    expect(sizes).toEqual([100_001, 100_001, 100_001, 100_001, 99_996])
    const cut = new SteppedGuest(identityOf('idle', {}, sizes), sizes).fill()
    expect(Buffer.concat(cut.regions).equals(whole.regions[0]!)).toBe(true)
  })

  it.each([
    ['few', 'heap'],
    ['page', 'random'],
  ] as const)('goes on into the working set of style %s with %s pages', (style, kind) => {
    const sizes = [9 * 4096 + 5]
    const options = { style, wss: 3 * 4096, content: '0/100/0/0', seed: 8 }
    const { regions } = new SteppedGuest(identityOf('writer', options, sizes), sizes).fill()
    const generator = new ContentGenerator(8)
    const kinds = [...Array<'text'>(6).fill('text'), kind, kind, kind]
    const pages = kinds.map((each) => generator.page(each).slice())
    expect(Buffer.concat([...pages, Buffer.alloc(5)]).equals(regions[0]!)).toBe(true)
  })

  it('cuts big memory evenly', () => {
    const sizes = splitMemory(5 * 2 ** 30).map((region) => [region.name, region.byteLength])
    expect(sizes).toEqual([
      ['ram0', 2.5 * 2 ** 30],
      ['ram1', 2.5 * 2 ** 30],
    ])
    expect(splitMemory(5000)).toEqual([{ id: 0, name: 'ram', byteLength: 5000 }])
  })
})

describe('writer, against a plain model with bigint', () => {
  const sizes = [20 * 4096]
  const wssPages = 7
  const start = (20 - wssPages) * 4096

  it('stores few words where the page number says', () => {
    const identity = identityOf('writer', { wss: wssPages * 4096 }, sizes)
    const guest = new SteppedGuest(identity, sizes).fill()
    const model = new BigUint64Array(guest.regions[0]!.slice(start).buffer)
    // Carries into the high half must happen, too.
    model.fill(0xffffffffn)
    guest.regions[0]!.set(new Uint8Array(model.buffer), start)
    for (let counter = 1; counter <= 30; counter++) {
      const index = (counter - 1) % wssPages
      const place = Number(((BigInt(index) * 2654435761n) >> 7n) & 511n)
      const page = model.subarray(index * 512)
      page[place]! += 1n
      page[(place + 171) & 511]! += 3n
      page[(place + 397) & 511] = BigInt(counter)
    }
    guest.step([13]).step([17])
    const now = guest.regions[0]!.slice(start)
    expect(Buffer.compare(now, new Uint8Array(model.buffer))).toBe(0)
  })

  it('rewrites pages with a part of the pool and a fresh random word', () => {
    const draws = (stream: number, count: number): BigUint64Array => {
      const random = new Xorshift64(new Int32Array(2))
      seedState(random.state, 5, stream)
      return BigUint64Array.from({ length: count }, () => {
        random.next()
        return (BigInt(random.high >>> 0) << 32n) | BigInt(random.low >>> 0)
      })
    }
    const pool = draws(1, 1 << 17)
    const words = draws(16, 5)
    const options = { wss: wssPages * 4096, style: 'page', seed: 5 }
    const guest = new SteppedGuest(identityOf('writer', options, sizes), sizes).step([5])
    const now = new BigUint64Array(guest.regions[0]!.buffer, start)
    words.forEach((word, page) => {
      const from = Number((word >> 40n) & 0x1ffffn & ~511n)
      const expected = pool.slice(from, from + 512).map((value) => value ^ word)
      expect(now.slice(page * 512, page * 512 + 512)).toEqual(expected)
    })
  })

  it('goes through clusters in order, one drawn at the end of the last', () => {
    const pages = 150
    const identity = identityOf('writer', { wss: pages * 4096, order: 'clusters', seed: 4 }, [
      pages * 4096,
    ])
    const random = new Xorshift64(new Int32Array(2))
    seedState(random.state, 4, 16)
    const visits: number[] = []
    // Of 64, 64 and 22 pages.
    for (let first = 0; visits.length < 1000; ) {
      for (let page = first; page < Math.min(first + 64, pages); page++) visits.push(page)
      random.next()
      const word = (BigInt(random.high >>> 0) << 32n) | BigInt(random.low >>> 0)
      first = Number(word % 3n) * 64
    }
    const guest = new SteppedGuest(identity, [pages * 4096]).fill()
    const counters = new BigUint64Array(guest.regions[0]!.buffer)
    const visited: number[] = []
    for (let step = 1; step <= 1000; step++) {
      guest.step([1])
      const isLast = (page: number): boolean => {
        const place = Number(((BigInt(page) * 2654435761n) >> 7n) & 511n)
        return counters[page * 512 + ((place + 397) & 511)] === BigInt(step)
      }
      visited.push([...Array(pages).keys()].find(isLast)!)
    }
    expect(visited).toEqual(visits.slice(0, 1000))
    expect(new Set(visited).size).toBe(pages)
  })

  it('keeps every thread in its own part', () => {
    const identity = identityOf('writer', { wss: wssPages * 4096, threads: 2 }, sizes)
    const dirty = (counts: number[]): number[] => {
      const guest = new SteppedGuest(identity, sizes).fill()
      const before = guest.regions[0]!.slice()
      guest.step(counts)
      return [...Array(20).keys()].filter((page) => {
        const at = page * 4096
        const now = guest.regions[0]!.subarray(at, at + 4096)
        return Buffer.compare(now, before.subarray(at, at + 4096)) !== 0
      })
    }
    expect(dirty([100, 0])).toEqual([13, 14, 15])
    expect(dirty([0, 100])).toEqual([16, 17, 18, 19])
  })
})

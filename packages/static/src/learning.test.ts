import { GodwitError } from '@godwit/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { learn, sampleOf } from '../test/guests.ts'
import { PageKind, allocatePageHashes } from './content-hash.ts'
import { Learning, SAMPLE_PAGES_MAX } from './learning.ts'
import type { StaticMap } from './static-map.ts'

const pair = { os: 'os', hypervisor: 'h' }

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
/** Which page an entry is, by its hash. */
const names = new Map(
  Array.from({ length: 30 }, (_, i) => [hex(sampleOf([i + 1]).hashes), i + 1] as const),
)

/** Entries at page ids, and others, by the numbers of their pages. */
function contentsOf(map: StaticMap): { positions: [number, number][]; others: number[] } {
  const count = map.hashes.length / 32
  const numbers = Array.from({ length: count }, (_, i) => {
    return names.get(hex(map.hashes.subarray(i * 32, (i + 1) * 32)))!
  })
  const positions = [...map.positions].map((page, i): [number, number] => [page, numbers[i]!])
  return { positions, others: numbers.slice(map.positions.length) }
}

/** The rule as it reads. */
function expected(guests: readonly (readonly number[])[], minimum: number) {
  const shortest = Math.min(...guests.map((guest) => guest.length))
  const positions = guests[0]!
    .slice(0, shortest)
    .map((number, page): [number, number] => [page, number])
    .filter(([page, number]) => number > 0 && guests.every((guest) => guest[page] === number))
  const there = new Set(positions.map(([, number]) => number))
  const others = [...new Set(guests.flat())].filter((number) => {
    const count = guests.filter((guest) => guest.includes(number)).length
    return number > 0 && count >= minimum && !there.has(number)
  })
  return { positions, others }
}

const someGuests = fc.array(fc.array(fc.nat(30), { minLength: 1, maxLength: 40 }), {
  minLength: 2,
  maxLength: 5,
})

function typed(call: () => unknown): GodwitError | undefined {
  try {
    call()
    return undefined
  } catch (thrown) {
    if (thrown instanceof GodwitError) return thrown
    throw thrown
  }
}

describe('learning', () => {
  it('finds what all guests have at a page id, and what enough of them have anywhere', () => {
    fc.assert(
      fc.property(someGuests, fc.constantFrom(2, 3), (guests, minimumSamples) => {
        const map = learn({ ...pair, minimumSamples }, guests).map()
        const isEnough = guests.length >= minimumSamples
        const right = isEnough ? expected(guests, minimumSamples) : undefined
        expect(map && contentsOf(map)).toEqual(right)
      }),
    )
  })

  it('finds the same in any order of samples', () => {
    const shuffled = someGuests.chain((guests) =>
      fc.tuple(
        fc.constant(guests),
        fc.shuffledSubarray(guests, { minLength: guests.length, maxLength: guests.length }),
      ),
    )
    fc.assert(
      fc.property(shuffled, ([guests, others]) => {
        const [a, b] = [guests, others].map((some) => contentsOf(learn(pair, some).map()!))
        expect(b!.positions).toEqual(a!.positions)
        expect(new Set(b!.others)).toEqual(new Set(a!.others))
      }),
    )
  })

  it('goes on from what was stored as if it had never stopped', () => {
    fc.assert(
      fc.property(someGuests, fc.nat(4), (guests, stop) => {
        const whole = learn(pair, guests)
        const first = learn(pair, guests.slice(0, stop))
        const resumed = Learning.resume(first.encode())
        for (const guest of guests.slice(stop)) resumed.add(sampleOf(guest))
        expect(resumed.encode()).toEqual(whole.encode())
        expect(resumed.map()).toEqual(whole.map())
        expect(resumed.version).toBe(guests.length)
      }),
    )
  })

  it('keeps contents of a guest beside each other', () => {
    const map = learn(pair, [
      [1, 2, 3, 4, 5],
      [9, 5, 4, 3, 2, 8],
      [8, 9],
    ]).map()!
    expect(contentsOf(map)).toEqual({ positions: [], others: [2, 3, 4, 5, 9, 8] })
  })

  it('tells what a sample brought', () => {
    const learning = learn(pair, [[1, 2, 2, 0, 0, 5]])
    expect(learning.add(sampleOf([1, 2, 3, 3, 0, 6, 7]))).toEqual({
      pageCount: 7,
      zeroPages: 1,
      contents: 5,
      newContents: 3,
      positions: 2,
      forgotten: 0,
    })
    expect(learning.sampleCount).toBe(2)
  })

  it('goes on with the versions of a pair that is learned anew', () => {
    const learning = Learning.begin({ ...pair, pageBytes: 4096, version: 7 })
    for (let i = 0; i < 2; i++) learning.add(sampleOf([1]))
    expect(learning.map()).toMatchObject({ version: 9, sampleCount: 2 })
  })

  it('takes no short page for anything', () => {
    const sample = sampleOf([1, 2])
    sample.kinds[1] = PageKind.short
    const learning = Learning.begin({ ...pair, pageBytes: 4096 })
    for (let i = 0; i < 2; i++) learning.add(sample)
    expect(contentsOf(learning.map()!)).toEqual({ positions: [[0, 1]], others: [] })
  })
})

describe('what is learned', () => {
  const limits = { candidatesMax: 3, contentsMax: 4 }

  it('forgets the oldest of what one guest had', () => {
    const learning = learn(
      pair,
      [
        [1, 2],
        [3, 4],
      ],
      limits,
    )
    // 1 is forgotten, 2 and 4 are not.
    learning.add(sampleOf([2]))
    expect(learning.add(sampleOf([1, 4])).newContents).toBe(1)
    expect(contentsOf(learning.map()!).others).toEqual([2, 4])
  })

  it('forgets what the fewest guests had, of what is static', () => {
    const learning = learn(
      pair,
      [
        [1, 2, 3],
        [1, 2, 3],
        [0, 0, 1],
      ],
      limits,
    )
    expect(learning.add(sampleOf([4, 5])).forgotten).toBe(0)
    // Five, of which one has to go: 2 is the oldest that two guests had.
    expect(learning.add(sampleOf([5, 4, 1])).forgotten).toBe(1)
    expect(contentsOf(learning.map()!).others).toEqual([1, 3, 4, 5])
  })

  it('has no page id of what was forgotten', () => {
    const learning = learn(pair, [[1, 2, 3, 4, 5]], limits)
    expect(learning.add(sampleOf([1, 2, 3, 4, 5])).positions).toBe(3)
    expect(contentsOf(learning.map()!)).toEqual({
      positions: [
        [2, 3],
        [3, 4],
        [4, 5],
      ],
      others: [],
    })
  })

  it('does not grow with guests that have nothing in common', () => {
    const learning = learn(pair, [], limits)
    let most = 0
    for (let i = 0; i < 20; i++) {
      learning.add(sampleOf([i * 4 + 1, i * 4 + 2, i * 4 + 3, i * 4 + 4]))
      most = Math.max(most, learning.encode().length)
    }
    expect(most).toBeLessThan(3 * 32 + 80)
  })

  it('has room for as many contents again after it forgot some', () => {
    const pages = [1, 2, 3, 4, 5, 6, 7, 8]
    const learning = learn(pair, [pages, pages], { candidatesMax: 8, contentsMax: 4 })
    const others = sampleOf(pages.map((number) => number + 10))
    expect(learning.add(others)).toMatchObject({ contents: 8, newContents: 8, forgotten: 0 })
    expect(contentsOf(learning.map()!).others).toEqual([5, 6, 7, 8])
  })

  it('comes back from its bytes, or is refused, whatever was done to them', () => {
    const state = learn(pair, [
      [1, 2, 3, 0, 4, 5, 6],
      [1, 2, 3, 0, 5, 4],
    ]).encode()
    expect(Learning.resume(state).encode()).toEqual(state)
    for (let length = 0; length < state.length; length++) {
      const error = typed(() => Learning.resume(state.subarray(0, length)))
      expect(error?.code).toBe('FILE_UNREADABLE')
    }
    const change = fc.tuple(fc.nat(state.length - 1), fc.nat(255))
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const bytes = state.slice()
        for (const [at, value] of changes) bytes[at] = value
        const error = typed(() => {
          const learning = Learning.resume(bytes)
          learning.add(sampleOf([1, 2]))
          learning.map()
          learning.encode()
        })
        const codes = [undefined, 'FILE_UNREADABLE', 'LIMIT_EXCEEDED', 'USAGE']
        expect(codes).toContain(error?.code)
      }),
      { numRuns: 1000 },
    )
  })

  it('is refused where a page id has what not all samples had', () => {
    const state = learn(pair, [
      [1, 2],
      [1, 3],
    ]).encode()
    // Before the three hashes: the page id is of a run of one, which begins with content 0.
    const at = state.length - 3 * 32 - 2
    expect([...state.subarray(at, at + 2)]).toEqual([1, 0])
    state[at + 1] = 1
    const error = typed(() => Learning.resume(state))
    expect(error).toMatchObject({
      code: 'FILE_UNREADABLE',
      message: expect.stringMatching(/not all samples agree/),
    })
  })

  it('is not learned from pages of another size, from too many, or into names too long', () => {
    const learning = learn(pair, [[1]])
    const other = allocatePageHashes(1, 8192)
    expect(typed(() => learning.add(other))?.code).toBe('USAGE')
    const many = { ...other, pageBytes: 4096, kinds: new Uint8Array(SAMPLE_PAGES_MAX + 1) }
    expect(typed(() => learning.add(many))?.code).toBe('LIMIT_EXCEEDED')
    expect(learning.sampleCount).toBe(1)
    const long = { ...pair, os: 'ä'.repeat(65), pageBytes: 4096 }
    expect(typed(() => Learning.begin(long))?.code).toBe('USAGE')
    const single = { ...pair, pageBytes: 4096, minimumSamples: 1 }
    expect(typed(() => Learning.begin(single))?.code).toBe('USAGE')
  })
})

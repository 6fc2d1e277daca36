import type { Clock, PageBitmap } from '@godwit/core'
import { systemClock } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import { createMemory } from './made-up-memory.ts'
import { MemoryWatch } from './memory-watch.ts'
import { PIECE_WORDS, Taken, takePiece, takenWords } from './round-work.ts'
import { CHUNK_PAGES } from './sweep.ts'

/** Time, and whose turn it is, by hand. */
function createClock() {
  let nowMs = 0
  const timers = new Set<{ readonly dueMs: number; readonly task: () => void }>()
  const waiting: (() => void)[] = []
  const clock: Clock = {
    nowMs: () => nowMs,
    after(delayMs, task) {
      const timer = { dueMs: nowMs + delayMs, task }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    soon: (task) => void waiting.push(task),
  }
  const advance = (ms: number): void => {
    nowMs += ms
    for (const timer of timers) {
      if (timer.dueMs > nowMs || !timers.delete(timer)) continue
      timer.task()
    }
  }
  /** Others have had their turn. */
  const goOn = async (): Promise<void> => {
    for (const task of waiting.splice(0)) task()
    await new Promise<void>((resolve) => systemClock.soon(resolve))
  }
  return { clock, advance, goOn, timers, waiting }
}

function watching(pageCounts: readonly number[], zeros: readonly number[] = []) {
  const time = createClock()
  const looks: string[] = []
  const memory = createMemory(pageCounts, (region, page) => looks.push(`${region}/${page}`))
  const addZeros = (region: number, into: PageBitmap): void => {
    if (region === 0) for (const page of zeros) into.add(page)
  }
  const watch = new MemoryWatch(memory.scan(addZeros), time.clock)
  return { ...memory, ...time, watch, takeLooks: () => looks.splice(0) }
}

/** Stores to the first page of some chunks of region 0, which is looked at. */
function storeTo(store: (region: number, page: number) => void, chunks: readonly number[]): void {
  for (const chunk of chunks) store(0, chunk * CHUNK_PAGES)
}

describe('before round 1', () => {
  it('says where the guest stores to, by how often it was seen', () => {
    const { watch, store, advance, timers, takeLooks } = watching([8 * CHUNK_PAGES, 40])
    watch.begin()
    expect(takeLooks()).toEqual([
      ...Array.from({ length: 128 }, (_, at) => `0/${at * 32}`),
      '1/0',
      '1/32',
    ])
    storeTo(store, [3, 5])
    store(0, 3 * CHUNK_PAGES + 64)
    // Between the pages that are looked at.
    store(0, 6 * CHUNK_PAGES + 1)
    store(1, 32)
    advance(249)
    expect(takeLooks()).toEqual([])
    advance(1)
    storeTo(store, [5])
    advance(250)
    expect(watch.end()!.map((hits) => [...hits])).toEqual([[0, 0, 0, 2, 1, 2, 0, 0], [1]])
    expect(timers.size).toBe(0)
  })

  it.each([
    {
      does: 'leaves a gap',
      looks: [
        [2, 3],
        [6, 7],
      ],
      hot: [2, 3, 4, 5, 6, 7],
    },
    {
      does: 'leaves a long gap',
      looks: [
        [1, 2],
        [9, 10],
      ],
      hot: [0, 1, 2, 3, 9, 10],
    },
    {
      does: 'has not been around',
      looks: [
        [4, 5],
        [6, 7],
      ],
      hot: [3, 4, 5, 6, 7, 8],
    },
    {
      does: 'is at an end',
      looks: [
        [0, 1],
        [2, 3],
      ],
      hot: [0, 1, 2, 3, 4],
    },
    {
      does: 'has been around',
      looks: [
        [4, 5],
        [6, 7],
        [4, 5],
      ],
      hot: [4, 5, 6, 7],
    },
    { does: 'stands still', looks: [[], []], hot: [] },
  ])('says where a guest may be next that $does', ({ looks, hot }) => {
    const { watch, store, advance } = watching([12 * CHUNK_PAGES])
    watch.begin()
    for (const chunks of looks) {
      storeTo(store, chunks)
      advance(250)
    }
    const hotChunks = (): number[] => {
      const [hits] = watch.end()!
      return [...hits!.keys()].filter((chunk) => hits![chunk]! > 0)
    }
    expect(hotChunks()).toEqual(hot)
    // Asked again it says the same.
    expect(hotChunks()).toEqual(hot)
  })

  it('says nothing before there were two looks, and looks no more then', () => {
    const { watch, store, advance, takeLooks } = watching([8 * CHUNK_PAGES])
    expect(watch.end()).toBeUndefined()
    watch.begin()
    expect(takeLooks()).toEqual([])
    const other = watching([8 * CHUNK_PAGES])
    other.watch.begin()
    storeTo(store, [1])
    expect(other.watch.end()).toBeUndefined()
    other.takeLooks()
    other.advance(1000)
    advance(1000)
    expect([takeLooks(), other.takeLooks()]).toEqual([[], []])
  })

  it('does not look at pages that nobody has touched', () => {
    const { watch, takeLooks } = watching([200], [0, 1, 64, 65])
    watch.begin()
    expect(takeLooks()).toEqual(['0/32', '0/96', '0/128', '0/160', '0/192'])
  })

  it('waits longer where looks take long', async () => {
    const { watch, advance, goOn, takeLooks } = watching([64 * CHUNK_PAGES])
    watch.begin()
    while (takeLooks().length > 0) {
      advance(100)
      await goOn()
    }
    // Two turns after the first, of 100 ms each, and a fifth of the time at most.
    advance(999 - 300)
    await goOn()
    expect(takeLooks()).toEqual([])
    advance(301)
    await goOn()
    expect(takeLooks().length).toBeGreaterThan(0)
  })

  it('lets others have their turn, and ends in the middle of a look', async () => {
    const { watch, goOn, waiting, timers, takeLooks } = watching([64 * CHUNK_PAGES])
    watch.begin()
    expect([takeLooks().length, waiting.length]).toEqual([511, 1])
    await goOn()
    expect([takeLooks().length, waiting.length]).toEqual([512, 1])
    watch.end()
    await goOn()
    expect([takeLooks().length, waiting.length, timers.size]).toEqual([0, 0, 0])
  })
})

describe('in round 1', () => {
  const chunks = 16

  /** All of region 0 goes last, chunk by chunk, after two pieces of something else. */
  function following() {
    const watched = watching([chunks * CHUNK_PAGES])
    const { watch, store, advance } = watched
    watch.begin()
    storeTo(store, [...Array(chunks).keys()])
    advance(250)
    const hot = watch.end()!
    expect([...hot[0]!]).toEqual(Array(chunks).fill(1))
    watched.takeLooks()
    const tail = Array.from({ length: chunks }, (_, chunk) => {
      return [0, chunk * CHUNK_PAGES, (chunk + 1) * CHUNK_PAGES]
    })
    const pieces = Uint32Array.from([[1, 0, 7], [1, 7, 9], ...tail].flat())
    const work = { pieces, taken: takenWords(2) }
    watch.follow(work)
    /** Which piece of the tail would be the first one now. */
    const turn = (): number => work.taken[Taken.Turn]!
    return { ...watched, work, turn }
  }

  it.each([
    ['the end of a long row', [4, 5, 6, 7, 8, 9], 8],
    ['the longest row', [1, 2, 3, 6, 7, 8, 9, 12], 8],
    ['a row that goes round', [14, 15, 0, 1], 0],
    ['a row that ends with the last piece', [12, 13, 14, 15], 14],
    ['a row of one', [5], 5],
    ['all but one', Array.from(Array(chunks).keys()).filter((chunk) => chunk !== 7), 5],
  ])('what goes last begins a little behind the stores: %s', (_name, stored, expected) => {
    const { store, advance, turn, takeLooks } = following()
    expect(turn()).toBe(0)
    expect(takeLooks()).toHaveLength(chunks * 16)
    storeTo(store, stored)
    advance(99)
    expect([turn(), takeLooks().length]).toEqual([0, 0])
    advance(1)
    expect([turn(), takeLooks().length]).toEqual([expected, chunks * 16])
  })

  it('goes on following, and stays where it was when nothing tells where to', () => {
    const { store, advance, turn } = following()
    storeTo(store, [9, 10, 11])
    advance(100)
    expect(turn()).toBe(10)
    advance(100)
    expect(turn()).toBe(10)
    storeTo(store, [...Array(chunks).keys()])
    advance(100)
    expect(turn()).toBe(10)
    storeTo(store, [12, 13, 14])
    advance(100)
    expect(turn()).toBe(13)
  })

  it('looks no more once the first of it was taken', () => {
    const { store, advance, turn, work, timers, takeLooks } = following()
    takeLooks()
    expect([takePiece(work), takePiece(work)]).toEqual([0, PIECE_WORDS])
    storeTo(store, [9, 10, 11])
    advance(100)
    expect([turn(), takeLooks().length]).toEqual([10, chunks * 16])
    expect(takePiece(work)).toBe((2 + 10) * PIECE_WORDS)
    storeTo(store, [3, 4, 5])
    advance(100)
    expect([turn(), takeLooks(), timers.size]).toEqual([10, [], 0])
  })

  it('ends with the round', () => {
    const { watch, store, advance, turn, timers, takeLooks } = following()
    takeLooks()
    watch.end()
    storeTo(store, [9, 10, 11])
    advance(1000)
    expect([turn(), takeLooks(), timers.size]).toEqual([0, [], 0])
  })

  it('follows nobody who stores all over a large memory', () => {
    const count = 257
    const { watch, takeLooks, timers } = watching([count * CHUNK_PAGES])
    const pieces = Uint32Array.from({ length: count * PIECE_WORDS }, (_, at) => {
      const chunk = Math.floor(at / PIECE_WORDS)
      return [0, chunk * CHUNK_PAGES, (chunk + 1) * CHUNK_PAGES][at % PIECE_WORDS]!
    })
    watch.follow({ pieces, taken: takenWords(0) })
    expect([takeLooks().length, timers.size]).toEqual([0, 0])
    watch.follow({ pieces: pieces.subarray(PIECE_WORDS), taken: takenWords(0) })
    expect([takeLooks().length, timers.size]).toEqual([256 * 16, 1])
  })

  it('has nothing to look at where the guest stores nowhere', () => {
    const { watch, timers, takeLooks } = watching([CHUNK_PAGES])
    watch.follow({ pieces: Uint32Array.of(0, 0, CHUNK_PAGES), taken: takenWords(1) })
    expect([takeLooks(), timers.size]).toEqual([[], 0])
  })

  it('looks at what goes last only, although a look at all was going on', async () => {
    const { watch, store, advance, goOn, waiting, timers, takeLooks } = watching([64 * CHUNK_PAGES])
    const look = async (): Promise<void> => {
      while (waiting.length > 0) await goOn()
    }
    watch.begin()
    await look()
    storeTo(store, [1])
    advance(250)
    await look()
    advance(250)
    takeLooks()
    // In the middle of the third look.
    expect(waiting).toHaveLength(1)
    expect(watch.end()![0]![1]).toBe(1)
    const pieces = Uint32Array.of(0, CHUNK_PAGES, 2 * CHUNK_PAGES)
    watch.follow({ pieces, taken: takenWords(0) })
    expect(takeLooks()).toHaveLength(16)
    await goOn()
    expect([takeLooks(), waiting.length, timers.size]).toEqual([[], 0, 1])
    watch.end()
    expect(timers.size).toBe(0)
  })
})

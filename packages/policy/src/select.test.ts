import { GodwitError } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import { parseEncode } from './encoding.ts'
import {
  SELECT_NAMES,
  checkSelect,
  parseSelect,
  parseSending,
  selectByDefault,
} from './select-option.ts'

/** Pages that fit three words, so that borders of words are among them. */
const wordCount = 3

function wordsOf(pages: readonly number[]): Uint32Array {
  const words = new Uint32Array(wordCount)
  for (const page of pages) words[page >>> 5]! |= 1 << (page & 31)
  return words
}

function pagesOf(words: Uint32Array): number[] {
  const pages = Array.from({ length: wordCount * 32 }, (_, page) => page)
  return pages.filter((page) => ((words[page >>> 5]! >>> (page & 31)) & 1) === 1)
}

/**
 * What a selector sends after each round, where the guest stored to these pages in it; what it
 * holds is lacking in the next one, too.
 */
function play(text: string, trace: readonly (readonly number[])[]): number[][] {
  const selector = parseSelect(text).create([wordCount])
  let held: number[] = []
  return trace.map((fresh) => {
    const lacking = wordsOf([...held, ...fresh])
    const send = new Uint32Array(wordCount).fill(0xffffffff)
    selector.select(0, wordsOf(fresh), lacking, send)
    const sent = pagesOf(send)
    held = pagesOf(lacking).filter((page) => !sent.includes(page))
    return sent
  })
}

describe('scripted traces, by hand', () => {
  it('all-dirty: whatever is dirty', () => {
    expect(play('all-dirty', [[1, 70], [1], [], [31, 32]])).toEqual([[1, 70], [1], [], [31, 32]])
  })

  it('clark-wws: the same between rounds, and a look at the bitmap in all of them, or some', () => {
    expect(play('clark-wws', [[1, 70], [1]])).toEqual([[1, 70], [1]])
    const peeks = (text: string) =>
      [1, 2, 3].map((round) => parseSelect(text).create([1]).peeks(round))
    expect(peeks('clark-wws')).toEqual([true, true, true])
    expect(peeks('clark-wws,rounds=2')).toEqual([true, true, false])
    expect(peeks('all-dirty')).toEqual([false, false, false])
    expect(parseSelect('clark-wws,every=7ms').create([1]).peekMs).toBe(7)
  })

  it('second-chance: after two rounds without a store', () => {
    // 1 is stored to in rounds 1 and 2: rounds 3 and 4 are clean, so it goes after 4.
    // 40 is stored to in round 1 only, and goes after 3. 2 never rests.
    const trace = [[1, 2, 40], [1, 2], [2], [2], [2]]
    expect(play('second-chance', trace)).toEqual([[], [], [40], [1], []])
    expect(play('second-chance,rounds=1', trace)).toEqual([[], [40], [1], [], []])
  })

  it('history: what was dirtied in 5 of the last 8 rounds is held, until it cools down', () => {
    // 1 in each of rounds 1 to 5: hot after 5. Afterwards it is clean; of the last 8 rounds it has
    // five up to round 8 (1..8), and four in round 9 (2..9): then it goes.
    const hot = [[1, 9], [1], [1], [1], [1, 9], [], [], [], []]
    expect(play('history', hot)).toEqual([[1, 9], [1], [1], [1], [9], [], [], [], [1]])
    expect(play('history,rounds=3,hits=2', [[1], [1], [], [1], [], []])).toEqual([
      [1],
      [],
      [],
      [],
      [1],
      [],
    ])
  })

  it('history-send: what was dirtied so often goes, and its count begins anew', () => {
    expect(play('history-send,rounds=4,hits=2', [[1, 2], [1], [1], [], [1, 2], [2]])).toEqual([
      [],
      [1],
      [],
      [],
      [1],
      [2],
    ])
    const five = [[65], [65], [65], [65], [65], [65]]
    expect(play('history-send', five)).toEqual([[], [], [], [], [65], []])
  })

  it('ppc: held above 0.5, which is the last round and another one', () => {
    // After round 1: p = 1/2, which is not above. After 2: 1/2 + 1/4 = 0.75. After 3, clean:
    // 1/4 + 1/8 = 0.375. After 4, dirty again: 1/2 + 1/8 + 1/16 = 0.6875.
    expect(play('ppc', [[33], [33], [], [33], []])).toEqual([[33], [], [33], [], [33]])
    // Round 1 is the eighth last after round 8: 1/2 + 1/256; after round 9 it is forgotten.
    const late = (gap: number) => play('ppc', [[3], ...Array<number[]>(gap).fill([]), [3]]).at(-1)
    expect([late(6), late(7)]).toEqual([[], [3]])
    expect(play('ppc,threshold=0.75', [[3], [3], [3]])).toEqual([[3], [3], []])
    expect(play('ppc,threshold=0', [[3], []])).toEqual([[], []])
    // 0.375 is 1.5 quarters: one quarter is not above it, two are.
    expect(play('ppc,rounds=2,threshold=0.375', [[3], [], []])).toEqual([[], [3], []])
  })

  it('flag: dirtied in two rounds, be they far apart, and held for good', () => {
    const trace = [[1, 64], [], [1], [], [], [64], [2]]
    expect(play('flag', trace)).toEqual([[1, 64], [], [], [], [], [], [2]])
    expect(play('flag,times=3', [[5], [5], [5], []])).toEqual([[5], [5], [], []])
    expect(play('flag,times=1', [[5], [6]])).toEqual([[], []])
  })

  it('tpo: a look at the bitmap in round 1, history in those after it', () => {
    const trace = [[1, 9], [1], [1], [1], [1, 9], [], [], [], []]
    expect(play('tpo', trace)).toEqual(play('history', trace))
    const selector = parseSelect('tpo').create([1])
    expect([selector.peeks(1), selector.peeks(2)]).toEqual([true, false])
  })

  it('classes: whatever is dirty; the guest says what it can do without', () => {
    expect(play('classes', [[1], [2]])).toEqual([[1], [2]])
    expect(parseSelect('classes').create([1]).drops).toEqual(['free', 'cache'])
    expect(parseSelect('classes,drop=free').create([1]).drops).toEqual(['free'])
  })

  it('regions are told apart', () => {
    const selector = parseSelect('flag').create([1, 1])
    const send = new Uint32Array(1)
    const sent = [0, 1, 0].map((region) => {
      selector.select(region, Uint32Array.of(4), Uint32Array.of(4), send)
      return send[0]
    })
    // The third time is the second one in region 0.
    expect(sent).toEqual([4, 4, 0])
  })
})

describe('--select', () => {
  it.each([
    ['all-dirty', 'all-dirty'],
    ['clark-wws', 'clark-wws,rounds=all,every=50ms'],
    ['clark-wws,every=5ms', 'clark-wws,rounds=all,every=5ms'],
    ['second-chance', 'second-chance,rounds=2'],
    ['history', 'history,rounds=8,hits=5'],
    ['history-send,hits=3', 'history-send,rounds=8,hits=3'],
    ['ppc,threshold=0.25', 'ppc,rounds=8,threshold=0.25'],
    ['flag', 'flag,times=2'],
    ['tpo', 'tpo,rounds=8,hits=5'],
    ['classes', 'classes,drop=free+cache'],
  ])('%s is %s', (text, full) => {
    expect(parseSelect(text).text).toBe(full)
    expect(parseSelect(full).text).toBe(full)
  })

  it.each([
    ['', 'there are all-dirty, clark-wws'],
    ['ppp', '"ppp" is not a page selector; there are all-dirty'],
    ['toString', 'is not a page selector'],
    ['all-dirty,rounds=2', 'all-dirty has no "rounds"; there is none'],
    ['history,round=2', 'history has no "round"; there is rounds, hits'],
    ['history,hits=9', 'hits=9: it is a whole number from 1 to 8'],
    ['history,rounds=31', 'from 1 to 30'],
    ['history,rounds', '"rounds" is not OPTION=VALUE'],
    ['history,rounds=2,rounds=3', 'each option once'],
    ['ppc,threshold=1', 'threshold=1: it is a number from 0'],
    ['ppc,threshold= ', 'threshold= : it is'],
    ['ppc,threshold=x', 'threshold=x'],
    ['ppc,__proto__=1', 'ppc has no "__proto__"'],
    ['flag,times=0', 'from 1 to 16'],
    ['clark-wws,every=0ms', 'from 1ms to 10s'],
    ['clark-wws,rounds=none', 'rounds=none'],
    ['classes,drop=kernel', 'classes that can be dropped are free, cache'],
  ])('refuses %j: %s', (text, why) => {
    const refused = expect.objectContaining({
      code: 'USAGE',
      message: expect.stringContaining(why),
    })
    expect(() => parseSelect(text)).toThrow(refused)
  })

  it('and --encode have defaults that go together', () => {
    const both = (select?: string, encode?: string) => parseSending(select, encode)
    expect(both().encode.text).toBe('none')
    expect(both('ppc').encode.text).toBe('none')
    expect(both('tpo').encode.text).toBe('delta')
    expect(both('tpo', 'none').encode.text).toBe('none')
    const auto = parseEncode('auto')
    expect(selectByDefault(auto, true).text).toBe('clark-wws,rounds=1,every=50ms')
    expect(selectByDefault(auto, false).text).toBe('all-dirty')
    expect(selectByDefault(parseEncode('none'), true).text).toBe('all-dirty')
  })

  it.each(SELECT_NAMES)('%s needs rounds, if it chooses between pages', (name) => {
    const refused = (['pre-copy', 'hybrid', 'stop-copy', 'post-copy'] as const).filter((mode) => {
      try {
        checkSelect(mode, parseSelect(name))
        return false
      } catch (thrown) {
        return thrown instanceof GodwitError && thrown.code === 'USAGE'
      }
    })
    const isFine = name === 'classes' || name === 'all-dirty'
    expect(refused).toEqual(isFine ? [] : ['stop-copy', 'post-copy'])
  })
})

/**
 * All selectors beside a slow, obvious one that looks at pages one by one.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SELECT_NAMES, parseSelect } from './select-option.ts'

const pageCount = 70
const wordCount = 3
type Pages = ReadonlySet<number>

/** Whether a page that is lacking goes, by the rounds in which it was dirtied, newest first. */
type Rule = (rounds: readonly boolean[], forget: () => void) => boolean

function hits(rounds: readonly boolean[], last: number): number {
  return rounds.slice(0, last).filter(Boolean).length
}

interface Twin {
  readonly text: string
  readonly rule: Rule
}

const small = (most: number): fc.Arbitrary<number> => fc.integer({ min: 1, max: most })

const twins: Readonly<Record<string, fc.Arbitrary<Twin>>> = {
  'all-dirty': fc.constant({ text: 'all-dirty', rule: () => true }),
  'clark-wws': fc.constant({ text: 'clark-wws', rule: () => true }),
  classes: fc.constant({ text: 'classes', rule: () => true }),
  'second-chance': small(5).map((last) => ({
    text: `second-chance,rounds=${last}`,
    rule: (rounds) => hits(rounds, last) === 0,
  })),
  ...Object.fromEntries(
    ['history', 'tpo'].map((name) => [
      name,
      fc.tuple(small(30), small(30)).map(([a, b]) => {
        const [last, least] = [Math.max(a, b), Math.min(a, b)]
        const rule: Rule = (rounds) => hits(rounds, last) < least
        return { text: `${name},rounds=${last},hits=${least}`, rule }
      }),
    ]),
  ),
  'history-send': fc.tuple(small(30), small(5)).map(([a, b]) => {
    const [last, least] = [Math.max(a, b), Math.min(a, b)]
    const rule: Rule = (rounds, forget) => {
      const isDue = hits(rounds, last) >= least
      if (isDue) forget()
      return isDue
    }
    return { text: `history-send,rounds=${last},hits=${least}`, rule }
  }),
  ppc: fc.tuple(small(30), fc.integer({ min: 0, max: 99 })).map(([last, percent]) => {
    const rule: Rule = (rounds) => {
      const p = rounds.slice(0, last).reduce((sum, is, i) => sum + (is ? 2 ** -(i + 1) : 0), 0)
      return p <= percent / 100
    }
    return { text: `ppc,rounds=${last},threshold=${percent / 100}`, rule }
  }),
  flag: small(6).map((times) => ({
    text: `flag,times=${times}`,
    rule: (rounds) => hits(rounds, Infinity) < times,
  })),
}

const pages = fc.uniqueArray(fc.integer({ min: 0, max: pageCount - 1 }), { maxLength: pageCount })
const traces = fc.array(fc.oneof(pages, fc.constantFrom([], [0, 31, 32, 63, 64, 69], [5, 6, 7])), {
  minLength: 1,
  maxLength: 40,
})

function wordsOf(set: Pages): Uint32Array {
  const words = new Uint32Array(wordCount)
  for (const page of set) words[page >>> 5]! |= 1 << (page & 31)
  return words
}

function setOf(words: Uint32Array): Pages {
  const all = Array.from({ length: wordCount * 32 }, (_, page) => page)
  return new Set(all.filter((page) => ((words[page >>> 5]! >>> (page & 31)) & 1) === 1))
}

/** What is sent after each round; checks that nothing is lost on the way. */
function play(text: string, trace: readonly (readonly number[])[]): Pages[] {
  const selector = parseSelect(text).create([wordCount])
  /** Pages whose last store no round has sent. */
  let lacking: Pages = new Set()
  return trace.map((fresh) => {
    lacking = new Set([...lacking, ...fresh])
    const send = new Uint32Array(wordCount).fill(0xa5a5a5a5)
    const inputs = [wordsOf(new Set(fresh)), wordsOf(lacking)] as const
    selector.select(0, inputs[0], inputs[1], send)
    expect([setOf(inputs[0]), setOf(inputs[1])]).toEqual([new Set(fresh), lacking])
    const sent = setOf(send)
    expect([...sent].filter((page) => !lacking.has(page))).toEqual([])
    lacking = new Set([...lacking].filter((page) => !sent.has(page)))
    return sent
  })
}

/** The same, page by page. */
function playTwin(rule: Rule, trace: readonly (readonly number[])[]): Pages[] {
  const histories = Array.from({ length: pageCount }, (): boolean[] => [])
  const lacking = new Set<number>()
  return trace.map((fresh) => {
    for (const page of fresh) lacking.add(page)
    for (const [page, rounds] of histories.entries()) rounds.unshift(fresh.includes(page))
    const sent = [...lacking].filter((page) => {
      const rounds = histories[page]!
      return rule(rounds, () => rounds.fill(false))
    })
    for (const page of sent) lacking.delete(page)
    return new Set(sent)
  })
}

describe.each(SELECT_NAMES)('%s', (name) => {
  it('sends what a look at every page would send, and loses nothing', () => {
    fc.assert(
      fc.property(twins[name]!, traces, ({ text, rule }, trace) => {
        expect(play(text, trace)).toEqual(playTwin(rule, trace))
      }),
    )
  })

  it('is the same every time', () => {
    fc.assert(
      fc.property(traces, (trace) => {
        expect(play(name, trace)).toEqual(play(name, trace))
      }),
      { numRuns: 20 },
    )
  })

  it('lets all go that rest, or none of them ever', () => {
    const { patienceRounds } = parseSelect(name).create([wordCount])
    fc.assert(
      fc.property(traces, (trace) => {
        const rest = Array<number[]>(patienceRounds + 1).fill([])
        const later = Array<number[]>(40).fill([])
        const sent = play(name, [...trace, ...rest, ...later]).slice(trace.length + rest.length)
        expect(sent.flatMap((set) => [...set])).toEqual([])
      }),
      { numRuns: 20 },
    )
  })
})

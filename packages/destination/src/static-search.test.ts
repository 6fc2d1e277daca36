import type { Clock } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import { StaticSearch } from './static-search.ts'

/** Has one timer, which rings when it is told to. */
class OneTimer implements Clock {
  delayMs: number | undefined
  #task: (() => void) | undefined

  nowMs(): number {
    return 0
  }

  after(delayMs: number, task: () => void): () => void {
    this.delayMs = delayMs
    this.#task = task
    return () => {
      this.#task = undefined
    }
  }

  soon(task: () => void): void {
    task()
  }

  get isSet(): boolean {
    return this.#task !== undefined
  }

  ring(): void {
    this.#task?.()
  }
}

/** A search whose end is told by the test. */
function begin(): {
  clock: OneTimer
  search: StaticSearch<string>
  signal: AbortSignal
  find: PromiseWithResolvers<readonly string[]>
} {
  const clock = new OneTimer()
  const find = Promise.withResolvers<readonly string[]>()
  let signal: AbortSignal | undefined
  const search = new StaticSearch(clock, 500, (given) => {
    signal = given
    return find.promise
  })
  return { clock, search, signal: signal!, find }
}

describe('a search', () => {
  it('ends with what was found, and leaves no timer', async () => {
    const { clock, search, find } = begin()
    expect(clock.delayMs).toBe(500)
    find.resolve(['a', 'b'])
    expect(await search.result).toEqual({ found: ['a', 'b'] })
    expect(clock.isSet).toBe(false)
  })

  it('that finds nothing has not failed', async () => {
    const { search, find } = begin()
    find.resolve([])
    expect(await search.result).toEqual({ found: [] })
  })

  it('is not waited for when it is out of time, and is told', async () => {
    const { clock, search, signal, find } = begin()
    expect(signal.aborted).toBe(false)
    clock.ring()
    const result = { found: [], failure: 'nothing was found within 500 ms' }
    expect(await search.result).toEqual(result)
    expect(signal.aborted).toBe(true)
    find.resolve(['late'])
    expect(await search.result).toEqual(result)
  })

  it('that is out of time may fail as it likes', async () => {
    const { clock, search, find } = begin()
    clock.ring()
    find.reject(new Error('stopped'))
    expect(await search.result).toHaveProperty('failure', 'nothing was found within 500 ms')
  })

  it.each([
    [
      'at once',
      () => {
        throw new Error('no such index')
      },
    ],
    ['later', () => Promise.reject(new Error('no such index'))],
  ])('that fails %s has found nothing', async (_, find) => {
    const clock = new OneTimer()
    const search = new StaticSearch(clock, 500, find)
    expect(await search.result).toEqual({ found: [], failure: 'no such index' })
    expect(clock.isSet).toBe(false)
  })

  it('that is cancelled ends at once, with nothing', async () => {
    const { clock, search, signal, find } = begin()
    search.cancel()
    find.resolve(['late'])
    expect(await search.result).toEqual({ found: [] })
    expect(signal.aborted).toBe(true)
    expect(clock.isSet).toBe(false)
  })

  it('that is over keeps what it found when it is cancelled', async () => {
    const { search, find } = begin()
    find.resolve(['a'])
    await search.result
    search.cancel()
    expect(await search.result).toEqual({ found: ['a'] })
  })
})

import { Client } from 'memjs'
import { afterEach, describe, expect, it } from 'vitest'
import { endRelayed, hop, startRelayed } from './memcached-hops.ts'

afterEach(endRelayed)

const keyCount = 100_000
/** Requests that are on their way at a time. */
const inFlight = 500
const hopCount = 3

const keyOf = (i: number): string => `key:${i}`
const valueOf = (i: number): string => `value ${i} `.repeat(1 + (i % 8))

/** Does it for all keys, so many at a time. @param at - told how many are done */
async function forAll(
  work: (i: number) => Promise<void>,
  at: (done: number) => void = () => {},
): Promise<void> {
  let next = 0
  let done = 0
  const one = async (): Promise<void> => {
    while (next < keyCount) {
      await work(next++)
      at(++done)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, one))
}

describe('memjs', () => {
  it('writes 100,000 keys during three hops, and reads every one back', async () => {
    const { guest, relay } = await startRelayed(64 * 2 ** 20)
    // An answer that does not come fails the test: nothing is asked twice.
    const client = Client.create(`127.0.0.1:${relay.place.port}`, { timeout: 10, retries: 0 })
    const begun = Array.from({ length: hopCount }, () => Promise.withResolvers<void>())
    let written = 0
    const writing = forAll(
      async (i) => {
        if (!(await client.set(keyOf(i), valueOf(i), { expires: 0 }))) throw new Error('not set')
      },
      (done) => {
        written = done
        // A hop begins at each quarter.
        const quarter = Math.floor((4 * done) / keyCount)
        if (quarter >= 1 && quarter <= hopCount) begun[quarter - 1]!.resolve()
      },
    )
    let owner = guest
    for (const { promise } of begun) {
      await promise
      const before = written
      owner = await hop(owner, relay, { stop: 'downtime=20ms' })
      expect(written).toBeGreaterThan(before)
    }
    await writing
    await forAll(async (i) => {
      const { value } = await client.get(keyOf(i))
      if (value?.toString() !== valueOf(i)) throw new Error(`${keyOf(i)} is ${String(value)}`)
    })
    client.close()
  }, 60_000)
})

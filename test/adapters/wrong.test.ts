/**
 * Every case of the suite finds an adapter that breaks its promise.
 */
import { AssertionError } from 'node:assert'
import { readFileSync } from 'node:fs'
import type { AdapterUnderTest } from 'godwit/adapter-suite'
import { adapterCases } from 'godwit/adapter-suite'
import { expect, it } from 'vitest'
import { ledger } from './ledger.ts'
import { wrongTrackers } from './wrong-trackers.ts'
import { wrongGuests, wrongHosts } from './wrong.ts'

const wrong = [...wrongGuests, ...wrongTrackers, ...wrongHosts]

// Cases that measure time may be fooled by a machine that is busy, but hardly twice.
it.each(wrong)('%s: %s', { retry: 1 }, async (name, _, change) => {
  const adapter: AdapterUnderTest = { ...change(ledger), timeoutMs: 2000 }
  const one = adapterCases(adapter).find((each) => each.name === name)!
  await expect(one.play()).rejects.toThrow(AssertionError)
})

it('there is a wrong adapter for every case', () => {
  const names = adapterCases(ledger).map(({ name }) => name)
  expect(new Set(wrong.map(([name]) => name))).toEqual(new Set(names))
})

it('the documentation has every case', () => {
  const text = readFileSync(new URL('../../docs/ADAPTERS.md', import.meta.url), 'utf8')
  const rows = adapterCases(ledger).map(({ name, promise }) => `| \`${name}\` | ${promise} |`)
  expect(text.split('\n').filter((line) => /^\| `\w+\/[\w-]+` \|/.test(line))).toEqual(rows)
})

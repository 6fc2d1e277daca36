import type { CaseResult } from '@godwit/conformance'
import {
  conclude,
  destinationCases,
  formatFailure,
  sourceCases,
  testDestination,
  testSource,
} from '@godwit/conformance'
import type { Receiver } from 'godwit'
import { afterEach, describe, expect, it } from 'vitest'
import { isLong, startDestination, startSource } from './agents.ts'

/** What failed, with all that was said. */
function failures(results: readonly CaseResult[]): string {
  return results
    .filter(({ outcome }) => outcome === 'fail')
    .map(formatFailure)
    .join('\n')
}

const every = isLong ? 1 : 83
/** Sessions whose guest has a thread take their time. */
const everyLive = isLong ? 7 : 83
const writer = { kind: 'writer', options: { rate: 1000 } }

/** Where there is nothing but waiting, or variants of what others show already. */
const slow = /^(preface\/slow|terms\/(silence|patience|heartbeats)|rounds\/forgotten)/

/** Where it matters that the guest has threads. */
const live = /^(post-copy\/(demand|played)|recovery\/asked-again|reverse|rounds\/(minimal|final))/

describe('a destination of Godwit', { timeout: 600_000 }, () => {
  let receiver: Receiver | undefined
  afterEach(() => receiver?.close())

  async function play(
    kind: 'plain' | 'workload',
    isPlayed: (name: string) => boolean,
  ): Promise<readonly CaseResult[]> {
    receiver = await startDestination(kind)
    const [host, port] = receiver.address.split(':') as [string, string]
    const cases = destinationCases.filter(({ name }) => isPlayed(name))
    const chosen =
      kind === 'plain'
        ? { guest: { kind, options: {} }, every }
        : { guest: writer, every: everyLive }
    const results = await testDestination({ host, port: Number(port), cases, ...chosen })
    expect(failures(results)).toBe('')
    return results
  }

  it('keeps all clauses', async () => {
    const results = await play('plain', (name) => !slow.test(name) && !live.test(name))
    const skipped = results.filter(({ outcome }) => outcome === 'skipped')
    expect(skipped.map(({ name }) => name)).toEqual(['naks/own-store'])
    const conformance = conclude('destination', 'here', results)
    expect(conformance.totals.fail).toBe(0)
    expect(conformance.clauses.find(({ clause }) => clause === 'C10.5')).toMatchObject({
      outcome: 'pass',
      cases: ['recovery/played'],
    })
  })

  it('keeps those that a running guest shows', async () => {
    const results = await play('workload', (name) => isLong || live.test(name))
    expect(results.filter(({ outcome }) => outcome !== 'pass')).toEqual([])
  })
})

describe('a source of Godwit', { timeout: 600_000 }, () => {
  async function play(encode: string, only: RegExp): Promise<readonly CaseResult[]> {
    const cases = sourceCases.filter(({ name }) => only.test(name) && (isLong || !slow.test(name)))
    return testSource({ host: '127.0.0.1', port: 0, cases, every, start: startSource(encode) })
  }

  it('keeps all clauses', async () => {
    const results = await play('none', /./)
    expect(failures(results)).toBe('')
    const skipped = results.filter(({ outcome }) => outcome === 'skipped')
    const small = ['credit/window', 'naks/', 'whole/(names|deltas|zstd|lz4)']
    const unasked = skipped.filter(({ name }) => !new RegExp(`^(${small.join('|')})`).test(name))
    expect(unasked.map(({ name }) => name)).toEqual([])
  })

  it.each([
    ['same,delta,zstd', /^(whole|naks|recovery\/(played|twice))/],
    ['same,lz4', /^whole\/(names|lz4|pre-copy)/],
  ])('keeps them however it encodes pages: %s', async (encode, only) => {
    expect(failures(await play(encode, only))).toBe('')
  })

  it('keeps the window of credit', async () => {
    const cases = sourceCases.filter(({ name }) => name === 'credit/window')
    const start = startSource('raw', 12 << 20)
    const results = await testSource({ host: '127.0.0.1', port: 0, cases, start })
    expect(results).toEqual([
      { name: 'credit/window', clauses: expect.anything(), outcome: 'pass' },
    ])
  })
})

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Report, RoundReport, StepSample } from '@godwit/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Document } from './document.ts'
import { DOCUMENTS_MAX, readDocument } from './document.ts'
import { renderPage } from './page.ts'
import { ROUNDS_SHOWN_MAX } from './rounds.ts'

const fixtures = new URL('../../../test/report/fixtures/', import.meta.url)

function fixture(name: string): Document {
  return readDocument(name, readFileSync(new URL(name, fixtures), 'utf8'))
}

const bare: Report = {
  schema: 'godwit.report/1',
  role: 'source',
  outcome: 'completed',
  stages: [],
  wireBytes: 1000,
  memoryBytes: 2000,
  rounds: [],
}
const told = (report: Partial<Report>, name = 'a.json'): Document => ({
  kind: 'migration',
  name,
  report: { ...bare, ...report },
})

/** Text between tags, in one line. */
function textOf(page: string): string {
  const body = page.slice(page.indexOf('<body>'))
  return body
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll('&lt;', '<')
    .replaceAll(/[\s\u00a0]+/g, ' ')
}

describe('the page', () => {
  it('says in one sentence how it went', () => {
    expect(textOf(renderPage([fixture('pre-copy-source.json')]))).toContain(
      'Completed. A writer guest of 256 MiB moved by pre-copy in 1.63 s and stood still for ' +
        '24 ms; 189.9 MiB went over the wire, 74.2 % of its memory.',
    )
    expect(textOf(renderPage([fixture('cancelled.json')]))).toContain(
      'Cancelled; the guest goes on at the source. A writer guest of 256 MiB was to move by ' +
        'pre-copy, and got as far as reservation, 59 ms after its start; 709 B had gone over ' +
        'the wire, < 0.1 % of its memory. CANCELLED in reservation: ' +
        'The migration was cancelled: it took longer than 700 ms',
    )
  })

  it('shows both sides of a session as one run', () => {
    const files = ['pre-copy-destination.json', 'pre-copy-source.json'].map(fixture)
    const text = textOf(renderPage(files))
    expect(text).not.toContain('Comparison')
    expect(text).toContain('It counted 189.9 MiB on the wire, as the source counted')
  })

  it('says where the sides counted differently', () => {
    const sessionId = 'a'.repeat(32)
    const files = [told({ sessionId }), told({ sessionId, role: 'destination', wireBytes: 999 })]
    expect(textOf(renderPage(files))).toContain(
      'It counted 999 B on the wire, not the 1000 B of the source',
    )
  })

  it('says what is missing', () => {
    const text = textOf(renderPage([told({})]))
    expect(text).toContain('Guest throughput not recorded')
    expect(text).toContain('Downtime not recorded')
    expect(text).toContain('Memory not verified')
  })

  it('draws stages and the pause where they were', () => {
    const page = renderPage([
      told({
        stages: [
          { name: 'pre-copy', atMs: 100 },
          { name: 'stop-and-copy', atMs: 300 },
          { name: 'activation', atMs: 350 },
          { name: 'verification', atMs: 1000 },
        ],
        downtimeMs: 50,
        downtime: { pauseMs: 5, pagesMs: 25, stateMs: 10, resumeMs: 10 },
      }),
    ])
    const bar = (title: string): string =>
      new RegExp(`x="([\\d.]+%)" width="([\\d.]+%)" y="22%" height="56%"><title>${title}<`)
        .exec(page)!
        .slice(1)
        .join()
    expect(bar('pre-copy: 200\u00a0ms')).toBe('10%,20%')
    expect(bar('the guest stands still: 50\u00a0ms')).toBe('30%,5%')
    expect(bar('last pages: 25\u00a0ms')).toBe('10%,50%')
    expect(bar('going on there: 10\u00a0ms')).toBe('80%,20%')
  })

  it('draws the last round of a hybrid migration behind the switch', () => {
    const round = { pages: 1, bytes: 100, bandwidth: 5e4, paused: false }
    const hybrid = {
      mode: 'hybrid',
      stages: [
        { name: 'pre-copy', atMs: 0 },
        { name: 'stop-and-copy', atMs: 200 },
        { name: 'post-copy', atMs: 300 },
        { name: 'verification', atMs: 1000 },
      ],
      rounds: [
        { ...round, round: 1, ms: 150 },
        { ...round, round: 2, ms: 600 },
      ],
    } as const
    const marks = (report: Partial<Report>): string[][] =>
      [
        ...renderPage([told(report)]).matchAll(
          /class="mark (live|follow)" x="([\d.]+%)" width="([\d.]+%)"[^>]*><title>round/g,
        ),
      ].map(([, ...parts]) => parts)
    const stages = hybrid.stages.map((stage) => ({ ...stage }))
    expect(marks({ ...hybrid, stages, rounds: [...hybrid.rounds] })).toEqual([
      ['live', '0%', '15%'],
      ['follow', '30%', '60%'],
    ])
    // It was lost before its pages were there.
    const lost = { ...hybrid, stages, rounds: [hybrid.rounds[0]], outcome: 'failed' } as const
    expect(marks({ ...lost, rounds: [...lost.rounds] })).toEqual([['live', '0%', '15%']])
  })

  it('shows stages of any name', () => {
    const names = ['__proto__', 'constructor', 'toString']
    const stages = names.map((name, i) => ({ name, atMs: 100 * i }))
    const page = renderPage([told({ stages })])
    for (const name of names) expect(textOf(page)).toContain(name)
    expect(page).not.toMatch(/class="mark [^"]*(?:object|function)/i)
    expect(page).toContain('class="mark after"')
  })

  it('divides pages and bytes as they were sent', () => {
    const none = { same: 0, reference: 0, delta: 0, static: 0, unchanged: 0 }
    const page = renderPage([
      told({
        pages: { ...none, raw: 25, zero: 50, compressed: 25 },
        savedBytes: { zero: 500, zstd: 200 },
        sentBytes: 250,
        resentBytes: 50,
      }),
    ])
    const bars = [...page.matchAll(/class="mark (\w+)" x="([\d.]+%)" width="([\d.]+%)"/g)]
    expect(bars.map(([, ...parts]) => parts.join(' '))).toEqual([
      'raw 0% 25%',
      'compressed 25% 25%',
      'zero 50% 50%',
      'sent 0% 30%',
      'compressed 30% 20%',
      'zero 50% 50%',
    ])
    const text = textOf(page)
    expect(text).toContain('raw sent with their bytes 25 25.0 % ')
    expect(text).toContain('zero all zeros 50 50.0 % 500 B')
    expect(text).toContain('all rounds 100 700 B payload sent 300 B')
    expect(text).toContain('None as delta, same, reference, static, unchanged.')
  })

  it('marks the best of those that completed', () => {
    const page = renderPage([
      told({ downtimeMs: 30, totalMs: 900 }, 'x.json'),
      told({ downtimeMs: 20, totalMs: 900 }, 'y.json'),
      told({ downtimeMs: 10, totalMs: 100, outcome: 'failed', wireBytes: 1 }, 'z.json'),
    ])
    const text = textOf(page)
    expect(text).toContain('2 of 3 migrations completed. Least: 20 ms of downtime (y).')
    expect(text).toContain('Downtime 30 ms 20 ms best 10 ms Total 900 ms 900 ms 100 ms')
    expect(text.match(/ best /g)).toHaveLength(1)
  })

  it('shows so many rounds and no more', () => {
    const round = { pages: 1, bytes: 100, ms: 2, bandwidth: 5e4, paused: false }
    const rounds = Array.from(
      { length: ROUNDS_SHOWN_MAX + 440 },
      (_, i): RoundReport => ({ ...round, round: i + 1 }),
    )
    const page = renderPage([told({ rounds })])
    const fields = [...page.matchAll(/data-field="rounds\.(\d+)\.pages"/g)].map(([, i]) =>
      Number(i),
    )
    expect(fields).toHaveLength(ROUNDS_SHOWN_MAX)
    expect(fields.slice(29, 31)).toEqual([29, 470])
    expect(textOf(page)).toContain('440 more, together 440 43.0 KiB 880 ms')
    expect(textOf(page)).toContain('Rounds 500 500 pages')
  })

  it('shows what was granted and taken where there was a cap or a throttle', () => {
    const round = { round: 1, pages: 1, bytes: 100, ms: 2, bandwidth: 5e4, paused: false }
    const bare = textOf(renderPage([told({ rounds: [round] })]))
    expect(bare).toContain('Round Pages Bytes Time Bandwidth 1 1 100 B 2.00 ms 50.0 kB/s')
    const traffic = { askedBytesPerSecond: 2e6, bytesPerSecond: 1e6, bytes: 1, ms: 1 }
    const held = { ...round, grantedBandwidth: 6e4, throttle: 0.2 }
    const text = textOf(renderPage([told({ rounds: [held], competing: traffic })]))
    expect(text).toContain(
      'Bandwidth Granted Throttle 1 1 100 B 2.00 ms 50.0 kB/s 60.0 kB/s 20.0 %',
    )
    expect(text).toContain('Competing traffic 1.00 MB/s asked for 2.00 MB/s')
  })

  it('says what auto decided, and when', () => {
    const decisions = [{ round: 2, atMs: 900, text: 'switch-over: <b>1 MiB</b> left' }]
    const text = textOf(renderPage([told({ decisions })]))
    expect(text).toContain('Decisions after round 2 , 900 ms switch-over: <b&gt;1 MiB</b&gt; left')
  })

  it('tells how fast the guest was before, meanwhile, and at the destination', () => {
    const stages = [
      { name: 'preparation', atMs: 0 },
      { name: 'pre-copy', atMs: 200 },
      { name: 'stop-and-copy', atMs: 400 },
    ]
    const sample = (atMs: number, steps: number): StepSample => ({ atMs, ms: 100, steps })
    const sessionId = '00'.repeat(16)
    const steps = [sample(0, 50), sample(100, 50), sample(200, 20), sample(300, 30)]
    const source = told({ sessionId, stages, downtimeMs: 100, totalMs: 300, steps })
    const role = 'destination'
    const there = { sessionId, role, steps: [sample(1000, 40)] } satisfies Partial<Report>
    const page = renderPage([source, told(there, 'b.json')])
    expect(textOf(page)).toContain(
      'Guest throughput before the first round 500 steps/s while it moved 250 steps/s (50 %) ' +
        'at the destination 400 steps/s (80 %)',
    )
    // It went on at 500 ms of the source's clock; the plot ends 100 ms later.
    expect(page).toMatch(/x="83\.33%" width="16\.67%"[^>]*><title>at the destination, 500.ms/)
  })

  it('draws as many steps as there is room for, however many a file has', () => {
    const steps = Array.from({ length: 200_000 }, (_, i) => ({ atMs: i, ms: 1, steps: 2 }))
    const page = renderPage([told({ steps })])
    expect(page.length).toBeLessThan(1_000_000)
    expect(textOf(page)).toContain('before the first round 2,000 steps/s')
  })

  it('is bounded, however many rounds there were', () => {
    const round = { pages: 1, bytes: 100, ms: 2, bandwidth: 5e4, paused: false }
    const rounds = Array.from({ length: 200_000 }, (_, i) => ({ ...round, round: i + 1 }))
    const page = renderPage([told({ rounds, stages: [{ name: 'pre-copy', atMs: 0 }] })])
    expect(page.length).toBeLessThan(100_000)
    expect(textOf(page)).toContain('200,000 rounds')
  })

  it('shows benchmarks, those of one metric on one axis', () => {
    const machine = { cpu: 'c', cores: 2, memoryBytes: 2 ** 34, kernel: '6.1', node: 'v24' }
    const one = { metric: 'rate', unit: 'bytes/s' } as const
    const page = renderPage([
      {
        kind: 'benchmark',
        name: 'b.json',
        result: {
          schema: 'godwit.bench/1',
          name: 'loopback',
          machine,
          cases: [
            { ...one, name: 'x', values: [1e9, 2e9, 4e9], median: 2e9, min: 1e9, max: 4e9 },
            {
              ...one,
              name: 'y',
              values: [1e9],
              median: 1e9,
              min: 1e9,
              max: 1e9,
              against: { name: 'x', median: 2e9 },
              ratio: 0.5,
              bar: { op: '>=', value: 0.8 },
              pass: false,
            },
            {
              ...one,
              name: 'z',
              values: [],
              median: 0,
              min: 0,
              max: 0,
              bar: { op: '<=', value: 1.1 },
              pass: false,
            },
          ],
        },
      },
    ])
    const text = textOf(page)
    expect(text).toContain('1 benchmark')
    expect(text).toContain('c, 2 cores, 16 GiB, Linux 6.1, Node v24.')
    expect(text).toContain(
      'x rate 2.00 GB/s 1.00 GB/s to 4.00 GB/s 2.00 GB/s 1.00 GB/s 4.00 GB/s 3',
    )
    expect(text).toContain('1.00 GB/s 1 0.50 of x ≥ 0.8 missed')
    expect(text).toContain('z rate not measured 0 ≤ 1.1 missed')
    const bars = [...page.matchAll(/class="mark ([\w ]+)" x="([\d.]+%)" width="([\d.]+%)"/g)]
    expect(bars.map(([, ...parts]) => parts.join(' '))).toEqual([
      'other 0% 50%',
      'sent thin 25% 75%',
      'other 0% 25%',
    ])
  })

  it('shows what the grid of a paper came to, and every bar', () => {
    const figures = { metric: 'TT', unit: 'ms', values: [5], median: 5, min: 5, max: 5 }
    const plain = Array.from({ length: 300 }, (_, i) => ({ ...figures, name: `cell-${i}` }))
    const bar = { op: '<=', value: 1.1 }
    const claim = {
      where: 'section 2',
      quote: 'less',
      way: 'new',
      against: 'base',
      metric: 'total',
      says: { kind: 'less' },
    }
    const result = {
      schema: 'godwit.bench/1',
      name: 'paper g',
      machine: { cpu: 'c', cores: 2, memoryBytes: 2 ** 34, kernel: '6.1', node: 'v24' },
      cases: [...plain, { ...figures, name: 'the-last', bar, pass: false }],
      paper: {
        cells: [],
        findings: [{ group: 'idle', claim, ruling: 'contradicts', percents: [20, 21, 22] }],
        recommendations: { groups: [{ group: 'idle', way: 'base' }] },
        runs: [{ cell: 'idle, new', repeat: 2, failure: 'it broke' }],
      },
    }
    const text = textOf(renderPage([readDocument('g.json', JSON.stringify(result))]))
    expect(text).toContain('less +21.0 % (+20.0 ... +22.0) CONTRADICTS THE PAPER')
    expect(text).toContain('idle base')
    expect(text).toContain('idle, new 3 it broke')
    expect(text).toMatch(/Bars .*the-last TT 5.00 ms <= 1.1 MISSED/)
    expect(text).toContain('100 more cases are left out')
    expect(text).toMatch(/the-last TT 5\.00 ms .* ≤ 1\.10? ms missed/)
  })

  it('takes from 1 to so many files', () => {
    const files = Array.from({ length: DOCUMENTS_MAX }, (_, i) => told({}, `${i}.json`))
    expect(() => renderPage([])).toThrow(expect.objectContaining({ code: 'USAGE' }))
    expect(() => renderPage(files)).not.toThrow()
    expect(() => renderPage([...files, told({})])).toThrow(/from 1 to 32 reports, not 33/)
  })

  it('has a policy that allows its style and nothing else', () => {
    const page = renderPage([told({})])
    const [, policy] = /Content-Security-Policy" content="([^"]*)"/.exec(page)!
    const [, style] = /<style>([^]*?)<\/style>/.exec(page)!
    const hash = createHash('sha256').update(style!).digest('base64')
    expect(policy).toBe(
      `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`,
    )
    expect(page).not.toMatch(/<script|<link|<img|<iframe|\sstyle=|\son\w+=|https?:|@import|url\(/)
  })
})

describe('a hostile report', () => {
  const evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>\u202e'
  /** Tags with their attributes' names. */
  const tagsOf = (page: string): ReadonlySet<string> =>
    new Set(
      [...page.matchAll(/<(\/?[a-z!][^\s>]*)((?:\s+[\w-]+(?:="[^"]*")?)*)\s*\/?>/gi)].map(
        ([, tag, attributes]) => `${tag} ${attributes!.replaceAll(/="[^"]*"/g, '').trim()}`,
      ),
    )
  const hostile = (text: string, count: number): Partial<Report> => ({
    outcome: 'failed',
    error: { code: 'INTERNAL', text, phase: text },
    guest: { kind: text, options: { [text]: text, n: count } },
    tracker: text,
    encoders: [text],
    policies: { [text]: text, stop: text },
    stages: [
      { name: text, atMs: count },
      { name: 'pre-copy', atMs: 0 },
    ],
    stop: { rule: text, [text]: text, dirtyPages: count },
    savedBytes: { [text]: 1 },
    rounds: [
      {
        round: 1,
        pages: 1,
        bytes: 1,
        ms: count,
        bandwidth: count,
        dirtyRate: count,
        paused: false,
      },
      { round: 1, pages: 1, bytes: 1, ms: count, bandwidth: count, paused: true },
    ],
    totalMs: count,
    downtimeMs: count,
    downtime: { pauseMs: count, pagesMs: count, stateMs: count, resumeMs: 0 },
    faults: { count: 1, p50Us: count, p99Us: count, maxUs: count, blockedMs: count },
    cpu: { sourceSeconds: count },
  })
  const usual = tagsOf(renderPage([told(hostile('a', 1), 'a.json'), told({}, 'b.json')]))

  it('puts no tag or attribute of its own on the page', () => {
    const page = renderPage([told(hostile(evil, 1), evil), told({}, 'b.json')])
    expect([...tagsOf(page)].filter((tag) => !usual.has(tag))).toEqual([])
    expect(page).toContain('&lt;script&gt;')
    expect(page).not.toMatch(/<script|<img|\u202e/)
  })

  it('has no text or number that breaks it', () => {
    const number = fc.oneof(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }), fc.nat())
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), number, (text, count) => {
        const page = renderPage([told(hostile(text, count), text), told({}, 'b.json')])
        expect([...tagsOf(page)].filter((tag) => !usual.has(tag))).toEqual([])
        const body = page.slice(page.indexOf('<body>')).replaceAll(text, '')
        expect(/.{0,40}(?:NaN|undefined|\[object)/.exec(body)?.[0]).toBeUndefined()
        expect(/.{0,40}(?:x|y|width|height)="(?:NaN|-)/.exec(page)?.[0]).toBeUndefined()
      }),
      { numRuns: 60 },
    )
  })
})

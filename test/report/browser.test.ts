import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readDocument, renderPage } from '@godwit/report'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Look } from './browser.ts'
import { chromiumPath, open, startBrowser } from './browser.ts'

const directory = mkdtempSync(join(tmpdir(), 'godwit-report-'))
afterAll(() => rmSync(directory, { recursive: true }))

const pair = ['pre-copy-source.json', 'pre-copy-destination.json']
const all = [...pair, 'delta.json', 'post-copy.json', 'hybrid.json', 'cancelled.json']

function fixtureText(name: string): string {
  return readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8')
}

/** A page of these reports as a file. */
function write(names: readonly string[]): string {
  const file = join(directory, `${names.length}-${names[0]}.html`)
  writeFileSync(file, renderPage(names.map((name) => readDocument(name, fixtureText(name)))))
  return file
}

const hostile = join(directory, 'hostile.html')
const evil =
  '<script>document.title = "run"; fetch("http://127.0.0.1:9/")</script><img src="x.png">'

/** The value at a path like `rounds.0.bytes`. */
function at(value: unknown, path: string): unknown {
  return path.split('.').reduce((found, key) => (found as Record<string, unknown>)[key], value)
}

/** Numbers of a report that must stand on the page. */
function pathsOf(report: Record<string, unknown>): readonly string[] {
  const top = ['totalMs', 'downtimeMs', 'reservationMs', 'verifyMs', 'wireBytes', 'sentBytes']
  const { rounds, stages, downtime, pages, faults } = report as Record<string, object[] | object>
  const of = (name: string, value: object = {}): readonly string[] =>
    Object.entries(value)
      .filter(([, number]) => typeof number === 'number' && number > 0)
      .map(([key]) => `${name}.${key}`)
  return [
    ...top.filter((name) => name in report),
    ...(rounds as object[]).flatMap((round, i) =>
      of(`rounds.${i}`, round).filter((path) => !path.endsWith('.round')),
    ),
    ...(stages as object[]).flatMap((stage, i) => of(`stages.${i}`, stage)),
    ...of('downtime', downtime),
    ...of('pages', pages),
    ...of('faults', faults),
  ]
}

const isMissing = chromiumPath === undefined
let browser: Browser
beforeAll(async () => {
  if (!isMissing) browser = await startBrowser()
})
afterAll(async () => {
  if (!isMissing) await browser.close()
})

describe.skipIf(isMissing)('a page in a browser (package chromium)', () => {
  it.each<[string, Look]>([
    ['wide', { widthPixels: 1200 }],
    ['dark', { widthPixels: 1200, theme: 'dark' }],
    ['a tablet', { widthPixels: 700 }],
    ['a phone', { widthPixels: 360 }],
    ['a phone at night', { widthPixels: 360, theme: 'dark' }],
    ['paper', { widthPixels: 794, medium: 'print' }],
  ])('fits %s, without network, and has nothing to say', async (_name, look) => {
    for (const names of [pair, all]) {
      const { page, said, requests } = await open(browser, write(names), look)
      const widths = await page.evaluate('[document.documentElement.scrollWidth, innerWidth]')
      expect(widths).toEqual([look.widthPixels, look.widthPixels])
      expect(said).toEqual([])
      expect(requests).toEqual([page.url()])
      await page.context().close()
    }
  })

  it('is light and dark as the reader likes it, and light on paper', async () => {
    const file = write(pair)
    const grounds: unknown[] = []
    const looks: Look[] = [
      { widthPixels: 800 },
      { widthPixels: 800, theme: 'dark' },
      { widthPixels: 800, theme: 'dark', medium: 'print' },
    ]
    for (const look of looks) {
      const { page } = await open(browser, file, look)
      grounds.push(await page.evaluate('getComputedStyle(document.body).backgroundColor'))
      await page.context().close()
    }
    expect(grounds).toEqual(['rgb(255, 255, 255)', 'rgb(20, 23, 27)', 'rgb(255, 255, 255)'])
  })

  it('runs nothing of a hostile report', async () => {
    const report = JSON.parse(fixtureText('delta.json')) as {
      guest: { kind: string }
      policies: object
    }
    report.guest.kind = evil
    report.policies = { [evil]: evil }
    writeFileSync(hostile, renderPage([readDocument(`${evil}.json`, JSON.stringify(report))]))
    const { page, said, requests } = await open(browser, hostile, { widthPixels: 360 })
    expect(await page.title()).toContain('<script>')
    expect(await page.evaluate(`document.querySelectorAll('script, img').length`)).toBe(0)
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360)
    expect([said, requests]).toEqual([[], [page.url()]])
    await page.context().close()
  })
})

describe.skipIf(isMissing)('what a page in a browser tells (package chromium)', () => {
  it('has the figures of the reports, every one', async () => {
    const { page } = await open(browser, write(all), { widthPixels: 1000 })
    const figures = (await page.evaluate(`[...document.querySelectorAll('data[data-field]')].map(
      (one) => [+one.closest('[data-report]').dataset.report, one.dataset.field, one.value])`)) as [
      number,
      string,
      string,
    ][]
    const reports = all.map((name) => JSON.parse(fixtureText(name)) as Record<string, unknown>)
    for (const [index, path, value] of figures) {
      expect([path, Number(value)]).toEqual([path, at(reports[index], path)])
    }
    for (const [index, report] of reports.entries()) {
      // Of the other side of a pair only what the source does not know is shown.
      const shown = new Set(figures.filter(([i]) => i === index).map(([, path]) => path))
      const due = pathsOf(report).filter((path) => index !== 1 || /^(?:stages|wire)/.test(path))
      expect(due.filter((path) => !shown.has(path))).toEqual([])
    }
    await page.context().close()
  })

  it('draws what it tells: bars are as long as their figures say', async () => {
    const { page } = await open(browser, write(['delta.json']), { widthPixels: 1000 })
    const report = JSON.parse(fixtureText('delta.json')) as { pages: Record<string, number> }
    const widths = (await page.evaluate(`(() => {
      const headings = [...document.querySelectorAll('h2')]
      const heading = headings.find((one) => one.textContent === 'Pages by encoding')
      const bar = heading.parentElement.querySelector('svg')
      return [...bar.querySelectorAll('rect')].map((mark) =>
        [mark.classList[1], mark.getBoundingClientRect().width / bar.getBoundingClientRect().width])
    })()`)) as [string, number][]
    const total = Object.values(report.pages).reduce((sum, count) => sum + count, 0)
    expect(widths.map(([name]) => name)).toEqual([
      'raw',
      'compressed',
      'delta',
      'unchanged',
      'zero',
    ])
    for (const [name, width] of widths) expect(width).toBeCloseTo(report.pages[name]! / total, 3)
    await page.context().close()
  })

  it('can be read by those who do not see it', async () => {
    const { page } = await open(browser, write(all), { widthPixels: 1000 })
    const bare = await page.evaluate(`[
      ...[...document.querySelectorAll('svg:not([aria-hidden=true]):not([role=img][aria-label])')],
      ...[...document.querySelectorAll('table')].filter((one) => one.caption?.textContent === ''),
      ...[...document.querySelectorAll('.scroll:not([tabindex="0"][role=region][aria-label])')],
    ].map((one) => one.outerHTML)`)
    expect(bare).toEqual([])
    const levels = (await page.evaluate(
      `[...document.querySelectorAll('h1,h2,h3')].map((one) => Number(one.tagName[1]))`,
    )) as number[]
    expect(levels[0]).toBe(1)
    for (const [i, level] of levels.slice(1).entries()) expect(level - levels[i]!).toBeLessThan(2)
    await page.context().close()
  })
})

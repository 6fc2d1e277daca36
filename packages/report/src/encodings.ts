/**
 * Pages by what was sent for them, and what that saved.
 *
 * @module
 */
import type { PageCounts, Report } from '@godwit/core'
import { bytesText, countText, figure, shareText } from './figure.ts'
import type { DataRow } from './data-table.ts'
import { dataTable, explained } from './data-table.ts'
import type { Markup } from './markup.ts'
import { html, nothing, plainText } from './markup.ts'
import type { Share } from './section.ts'
import { stacked, swatch } from './section.ts'
import { trackTable } from './track.ts'

type Encoding = keyof PageCounts

/** In the order of the bars: what travels first. */
const meanings: Readonly<Record<Encoding, string>> = {
  raw: 'sent with their bytes',
  compressed: 'otherwise raw, in a compressed batch',
  delta: 'what differs from a version or page that is there',
  same: 'as another page of the guest',
  reference: 'as an older version, which is there',
  static: 'by the number of a content that is there',
  unchanged: 'marked dirty, but as sent before',
  zero: 'all zeros',
}

/** All encodings, in the order of the bars. */
export const ENCODINGS = Object.keys(meanings) as readonly Encoding[]

/** The name in `savedBytes` of what an encoding saved. */
const savers: Readonly<Record<string, readonly string[]>> = { compressed: ['zstd', 'lz4'] }

function savedBy(encoding: Encoding, saved: Readonly<Record<string, number>>): string | undefined {
  return (savers[encoding] ?? [encoding]).find((name) => Object.hasOwn(saved, name))
}

/** Pages as parts of a bar. */
export function pageShares(pages: PageCounts): readonly Share[] {
  return ENCODINGS.filter((encoding) => pages[encoding] > 0).map((encoding) => ({
    color: encoding,
    title: `${encoding}: ${countText(pages[encoding])} pages`,
    value: pages[encoding],
  }))
}

/** The bytes of those pages: what went, and what did not have to. */
function byteShares({ sentBytes = 0, resentBytes = 0, savedBytes = {} }: Report): readonly Share[] {
  const sent = sentBytes + resentBytes
  const saved = ENCODINGS.flatMap((encoding): Share[] => {
    const name = savedBy(encoding, savedBytes)
    const value = name === undefined ? 0 : savedBytes[name]!
    if (value === 0) return []
    return [{ color: encoding, title: `saved by ${name}: ${bytesText(value)}`, value }]
  })
  const payload = { color: 'sent', title: `payload sent: ${bytesText(sent)}`, value: sent }
  return sent === 0 ? saved : [payload, ...saved]
}

/** Two bars and their table. */
export function encodingParts(report: Report & { readonly pages: PageCounts }): Markup {
  const { pages, savedBytes } = report
  const bytes = savedBytes === undefined ? [] : byteShares(report)
  const rows = [
    { name: 'Pages', marks: stacked(pageShares(pages)), cells: [], isDivided: true },
    { name: 'Bytes', marks: stacked(bytes), cells: [], isDivided: true },
  ]
  const bars = trackTable({
    caption: 'Pages of all rounds, and their bytes: what went, and what did not have to',
    rows: rows.filter(({ marks }) => marks.length > 0),
  })
  return html`${bars}${encodingTable(report)}`
}

function encodingTable(report: Report & { readonly pages: PageCounts }): Markup {
  const { pages, savedBytes = {} } = report
  const used = ENCODINGS.filter((encoding) => pages[encoding] > 0)
  const total = used.reduce((sum, encoding) => sum + pages[encoding], 0)
  const idle = ENCODINGS.filter((encoding) => pages[encoding] === 0)
  const rows = used.map((encoding): DataRow => {
    const saver = savedBy(encoding, savedBytes)
    const saved =
      saver === undefined ? '' : figure(savedBytes[saver]!, bytesText, `savedBytes.${saver}`)
    return {
      name: explained(html`${swatch(encoding)}${encoding}`, meanings[encoding]),
      cells: [
        figure(pages[encoding], countText, `pages.${encoding}`),
        figure(pages[encoding] / total, shareText),
        saved,
      ],
    }
  })
  const table = dataTable(
    'Pages by encoding',
    ['Sent as', 'Pages', 'Share', 'Bytes saved'],
    [...rows, ...otherRows(savedBytes), ...totalRows(report, total)],
  )
  const others = idle.length === 0 ? nothing : html`<p class="note">None as ${idle.join(', ')}.</p>`
  return html`${table}${others}`
}

/** What encoders saved that later releases may have. */
function otherRows(savedBytes: Readonly<Record<string, number>>): readonly DataRow[] {
  const known = new Set(ENCODINGS.map((encoding) => savedBy(encoding, savedBytes) ?? ''))
  return Object.entries(savedBytes)
    .filter(([name, bytes]) => !known.has(name) && bytes > 0)
    .slice(0, ENCODINGS.length)
    .map(([name, bytes]) => ({
      name: plainText(name),
      cells: ['', '', figure(bytes, bytesText)],
    }))
}

function totalRows(report: Report, pages: number): readonly DataRow[] {
  const { savedBytes = {}, sentBytes, resentBytes = 0 } = report
  const saved = Object.values(savedBytes).reduce((sum, bytes) => sum + bytes, 0)
  const total: DataRow = {
    name: 'all rounds',
    cells: [figure(pages, countText), '', figure(saved, bytesText)],
    kind: 'total',
  }
  if (sentBytes === undefined) return [total]
  const sent = figure(sentBytes + resentBytes, bytesText)
  return [total, { name: html`${swatch('sent')}payload sent`, cells: ['', '', sent] }]
}

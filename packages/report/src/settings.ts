/**
 * How a migration was asked for and what was agreed: modes, policies, guest, security.
 *
 * @module
 */
import type { DecisionReport, EncodingReport, Report, StaticReport, StopReport } from '@godwit/core'
import { stopText } from '@godwit/core'
import {
  bytesText,
  countText,
  durationText,
  figure,
  formatOf,
  shareText,
  wordsOf,
} from './figure.ts'
import type { Markup, Part } from './markup.ts'
import { html, nothing, plainText } from './markup.ts'
import type { Fact } from './section.ts'
import { factTable, unseen } from './section.ts'

/** Most options, policies or numbers of one kind that are shown. */
export const ENTRIES_SHOWN_MAX = 40

const securities = {
  none: 'none: in the clear, nobody asked who the other is',
  psk: 'pre-shared key, everything encrypted',
  tls: 'TLS with certificates on both sides',
}

/** What ended rounds, and the numbers it went by. */
export function stopParts(stop: StopReport, policy: string | undefined): Markup {
  const text = stopText(stop)
  // A rule of a later release may lack the numbers that the sentence is made of.
  const words = text.includes('NaN') ? nothing : html`: ${plainText(text)}`
  const numbers = entriesOf(stop).filter(([name]) => name !== 'rule')
  return html`<p>Rule <strong>${plainText(stop.rule)}</strong>${words}.</p>
${factTable(unseen('What it looked at'), [
  ...numbers.map(
    ([name, value]): Fact => [plainText(wordsOf(name)), scalar(name, value, `stop.${name}`)],
  ),
  ...(policy === undefined ? [] : [['rules in force', plainText(policy)] as const]),
])}`
}

function scalar(name: string, value: number | string, field: string): Part {
  return typeof value === 'number' ? figure(value, formatOf(name), field) : plainText(value)
}

function entriesOf<T>(record: Readonly<Record<string, T>>): readonly (readonly [string, T])[] {
  return Object.entries(record).slice(0, ENTRIES_SHOWN_MAX)
}

/** Everything that was set or agreed. */
export function settings(report: Report): Markup {
  const { guest, encoding, static: known, decisions } = report
  return html`<div class="columns">
${factTable('Migration', migrationFacts(report))}
${guest === undefined ? nothing : factTable('Guest', guestFacts(guest))}
${encoding === undefined ? nothing : factTable('Encoding', encodingFacts(encoding))}
${known === undefined ? nothing : factTable('Static pages', staticFacts(known))}
${decisions === undefined ? nothing : factTable('Decisions', decisionFacts(decisions))}</div>
`
}

function decisionFacts(decisions: readonly DecisionReport[]): readonly Fact[] {
  return decisions.slice(0, ENTRIES_SHOWN_MAX).map(({ round, atMs, text }): Fact => {
    const after = figure(round, countText, 'decisions.round')
    const time = figure(atMs, durationText, 'decisions.atMs')
    return [html`after round ${after}, ${time}`, plainText(text)]
  })
}

function migrationFacts(report: Report): readonly Fact[] {
  const { mode, security, tracker, kernels, encoders, policies = {}, sessionId } = report
  const list = encoders?.slice(0, ENTRIES_SHOWN_MAX).map(plainText).join(', ')
  const texts: readonly (readonly [string, string | undefined])[] = [
    ['mode', mode],
    ['security', security && securities[security]],
    ['encoders', list],
    ['tracker', tracker],
    ['kernels', kernels],
    ...entriesOf(policies),
    ['session', sessionId],
  ]
  return texts
    .flatMap(([name, text]): Fact[] =>
      text === undefined ? [] : [[plainText(name), plainText(text)]],
    )
    .concat(droppedFacts(report))
}

function droppedFacts({ droppedPages }: Report): readonly Fact[] {
  if (droppedPages === undefined) return []
  return [['pages given up', figure(droppedPages, countText, 'droppedPages')]]
}

function guestFacts({ kind, options }: NonNullable<Report['guest']>): readonly Fact[] {
  const facts = entriesOf(options).map(
    ([name, value]): Fact => [
      plainText(name),
      scalar(name, value, `guest.options.${plainText(name)}`),
    ],
  )
  return [['kind', plainText(kind)], ...facts]
}

function encodingFacts(encoding: EncodingReport): readonly Fact[] {
  const { asked, heldPages, repairedPages, cache, store, compression } = encoding
  const number = (field: string, value: number, format = countText): Markup =>
    figure(value, format, `encoding.${field}`)
  const facts: Fact[] = [
    ['asked for', plainText(asked)],
    ['pages dirty again, and held back', number('heldPages', heldPages)],
    ['pages sent once more', number('repairedPages', repairedPages)],
  ]
  if (cache !== undefined) {
    const used = number('cache.usedBytes', cache.usedBytes, bytesText)
    facts.push(
      ['cache of versions', html`${used} of ${bytesText(cache.limitBytes)}`],
      ['hits', html`${number('cache.hits', cache.hits)}, ${shareText(cache.hitRate)}`],
      ['misses', number('cache.misses', cache.misses)],
      ['deltas to other pages', number('cache.similarPages', cache.similarPages)],
      ['deltas too long', number('cache.overflows', cache.overflows)],
    )
  }
  if (store !== undefined) {
    const used = number('store.usedBytes', store.usedBytes, bytesText)
    facts.push(['store of older versions', html`${used} of ${bytesText(store.limitBytes)}`])
  }
  if (compression !== undefined) facts.push(...compressionFacts(compression))
  return facts
}

function compressionFacts(
  compression: NonNullable<EncodingReport['compression']>,
): readonly Fact[] {
  const { algorithm, reason, batchesByLevel } = compression
  const levels = entriesOf(batchesByLevel).map(([level, count]): Fact => {
    const name = level === '0' ? 'batches not compressed' : `batches at level ${plainText(level)}`
    return [name, countText(count)]
  })
  const why: Fact[] = reason === undefined ? [] : [['why', plainText(reason)]]
  return [['compression', algorithm], ...why, ...levels]
}

function staticFacts(known: StaticReport): readonly Fact[] {
  const { mode, os, hypervisor, mapVersion, entries, heldEntries, pages, reason } = known
  const map: Fact[] =
    os === undefined
      ? []
      : [
          [
            'map',
            plainText(`${mapVersion ?? ''} of ${os} on ${hypervisor ?? '?'}, by ${mode ?? '?'}`),
          ],
        ]
  const why: Fact[] = reason === undefined ? [] : [['why not more', plainText(reason)]]
  return [
    ...map,
    ['contents offered', figure(entries, countText, 'static.entries')],
    ['of them there', figure(heldEntries, countText, 'static.heldEntries')],
    ['pages sent by number', figure(pages, countText, 'static.pages')],
    ...why,
  ]
}

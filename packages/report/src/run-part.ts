/**
 * One run: everything that its reports tell.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import { encodingParts } from './encodings.ts'
import { figures, tiles } from './facts.ts'
import { bytesText, durationText, figure } from './figure.ts'
import type { Markup, Part } from './markup.ts'
import { html, nothing, plainText } from './markup.ts'
import { pacePart } from './pace.ts'
import { faultTable, pauseTable } from './pause.ts'
import { rateChart, roundTable } from './rounds.ts'
import type { Run, Told } from './run.ts'
import type { Level } from './section.ts'
import { section } from './section.ts'
import { settings, stopParts } from './settings.ts'
import { timeline } from './timeline.ts'
import { outcomeTitle, toneOf, verdict } from './verdict.ts'

const roundsNote =
  'Rounds are drawn one after another from the beginning of their stage: a report has how long ' +
  'each took, not when it began.'
const paceNote =
  'In the steps that the guest itself counts, looked at ten times a second or less; where there ' +
  'is no bar it stood still, or nobody looked.'
const ratesNote =
  'Bandwidth counts bytes of page frames; the dirty rate counts bytes of guest memory, before ' +
  'anything makes them fewer. So rounds may get shorter although it is above the bandwidth.'

function errorPart({ error }: Report): Markup {
  if (error === undefined) return nothing
  const { code, phase, text } = error
  const where = html`<strong>${code}</strong> in ${plainText(phase)}`
  return html`<p class="error">${where}: ${plainText(text)}</p>
`
}

/** The verdict; an error stands below it. */
export function verdictPart({ report }: Told): Markup {
  const title = html`<strong class="${toneOf(report)}">${outcomeTitle(report)}.</strong>`
  return html`<p class="verdict">${title} ${verdict(report)}</p>
${errorPart(report)}`
}

/** All sections of a run. @param level - of their headings */
export function runParts(run: Run, level: Level): Markup {
  const { main, destination } = run
  const { report } = main
  const { stages, rounds, pages, downtime, downtimeMs, stop, faults, policies } = report
  const part = (title: string, body: Part, note?: Part): Markup =>
    body === nothing ? nothing : section(level, title, body, note)
  const isConverging = rounds.length > 1
  const time = stages.length === 0 ? nothing : timeline(report, clockOf(report))
  const pause =
    downtime === undefined || downtimeMs === undefined ? nothing : pauseTable(downtime, downtimeMs)
  const waits = faults === undefined ? nothing : faultTable(faults)
  const rule =
    stop === undefined || stop.rule === 'mode' ? nothing : stopParts(stop, policies?.['stop'])
  const pace = pacePart(report, destination?.report)
  const list = rounds.length === 0 ? nothing : roundTable(rounds)
  return html`<div data-report="${main.index}">
${tiles(report)}
${part('Figures', figures(report))}
${part('Where the time went', time, rounds.length === 0 ? nothing : roundsNote)}
${
  isConverging ? part('Rounds', html`${rateChart(rounds)}${list}`, ratesNote) : part('Rounds', list)
}
${part('Guest throughput', pace ?? nothing, paceNote)}
${part('Pages by encoding', pages === undefined ? nothing : encodingParts({ ...report, pages }))}
<div class="columns wide">
${part('The pause', pause)}
${part('Waits for pages', waits)}
${part('Why rounds ended', rule)}</div>
${part('Settings and security', settings(report))}</div>
${destination === undefined ? nothing : destinationPart(report, destination, level)}`
}

function clockOf({ role }: Report): string {
  return `Stages by the clock of the ${role}`
}

/** What the other side of the same session tells that the source does not know. */
function destinationPart(source: Report, { index, name, report }: Told, level: Level): Markup {
  const { wireBytes, reservationMs, stages } = report
  const agreement =
    wireBytes === source.wireBytes
      ? html`<span class="good">as the source counted</span>`
      : html`<span class="bad">not the ${bytesText(source.wireBytes)} of the source</span>`
  const bytes = figure(wireBytes, bytesText, 'wireBytes')
  const room =
    reservationMs === undefined
      ? nothing
      : html` It took ${figure(reservationMs, durationText, 'reservationMs')} to make room.`
  const time = stages.length === 0 ? nothing : timeline(report, clockOf(report))
  const body = html`<div data-report="${index}"><p>${plainText(name)} is of the same session: \
${outcomeTitle(report)}. It counted ${bytes} on the wire, ${agreement}.${room}</p>
${errorPart(report)}${time}</div>`
  return section(level, 'As the destination tells it', body)
}

/**
 * The figures of a run: the few that matter most, then all of them.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import { bytesText, countText, durationText, figure, rateText, shareText } from './figure.ts'
import type { Markup, Part } from './markup.ts'
import { html, nothing } from './markup.ts'
import type { Fact } from './section.ts'
import { factTable } from './section.ts'

const missing: Markup = html`<span class="missing">not recorded</span>`

/** Four large figures. */
export function tiles(report: Report): Markup {
  const { downtimeMs, totalMs, wireBytes, memoryBytes = 0, rounds, faults } = report
  const share =
    memoryBytes === 0 ? nothing : html`${shareText(wireBytes / memoryBytes)} of the guest's memory`
  const waits = faults === undefined ? nothing : html`, ${countText(faults.count)} waits for pages`
  const pages = rounds.reduce((sum, round) => sum + round.pages, 0)
  return html`<dl class="tiles">
${tile('Downtime', downtimeMs, durationText, 'the guest stood still')}
${tile('Total', totalMs, durationText, 'from the first round to the end')}
${tile('On the wire', wireBytes, bytesText, share)}
${tile('Rounds', rounds.length, countText, html`${countText(pages)} pages${waits}`)}
</dl>
`
}

function tile(
  name: string,
  value: number | undefined,
  format: (value: number) => string,
  note: Part,
): Markup {
  if (value === undefined) return html`<div><dt>${name}</dt><dd class="value">${missing}</dd></div>`
  return html`<div><dt>${name}</dt><dd class="value">${figure(value, format)}</dd>\
<dd class="about">${note}</dd></div>`
}

/** All figures, in three tables. */
export function figures(report: Report): Markup {
  return html`<div class="columns figures">
${factTable('Time', timeFacts(report))}
${factTable('Traffic', trafficFacts(report))}
${factTable('Proof and cost', proofFacts(report))}</div>
`
}

type Listed = readonly [
  name: string,
  field: string,
  value: number | undefined,
  format: (value: number) => string,
]

function listed(rows: readonly Listed[]): readonly Fact[] {
  return rows.flatMap(([name, field, value, format]): Fact[] =>
    value === undefined ? [] : [[name, figure(value, format, field)]],
  )
}

function timeFacts(report: Report): readonly Fact[] {
  const { checkpoints, takeover, steps } = report
  return [
    ...listed([
      ['Total', 'totalMs', report.totalMs, durationText],
      ['Downtime', 'downtimeMs', report.downtimeMs, durationText],
      ['Reservation, before', 'reservationMs', report.reservationMs, durationText],
      ['Verification, after', 'verifyMs', report.verifyMs, durationText],
      ['Reconnections', 'recoveries', report.recoveries, countText],
      ['Checkpoint pause, median', 'checkpoints.pauseP50Ms', checkpoints?.pauseP50Ms, durationText],
      [
        'Checkpoint pause, longest',
        'checkpoints.pauseMaxMs',
        checkpoints?.pauseMaxMs,
        durationText,
      ],
      ['Age of the state taken over', 'takeover.ageMs', takeover?.ageMs, durationText],
    ]),
    ...(steps === undefined ? [['Guest throughput', missing] as const] : []),
  ]
}

function trafficFacts(report: Report): readonly Fact[] {
  const { wireBytes, memoryBytes = 0, checkpoints, competing } = report
  const share: Fact[] =
    memoryBytes === 0 ? [] : [['Of guest memory', figure(wireBytes / memoryBytes, shareText)]]
  return [
    ...listed([['On the wire, both ways', 'wireBytes', wireBytes, bytesText]]),
    ...share,
    ...listed([
      ['Guest memory', 'memoryBytes', report.memoryBytes, bytesText],
      ['Page', 'pageBytes', report.pageBytes, bytesText],
      ['Payload of round 1', 'sentBytes', report.sentBytes, bytesText],
      ['Payload of later rounds', 'resentBytes', report.resentBytes, bytesText],
      ['Checkpoints', 'checkpoints.count', checkpoints?.count, countText],
      ['Their bytes', 'checkpoints.bytes', checkpoints?.bytes, bytesText],
      ['Competing traffic', 'competing.bytesPerSecond', competing?.bytesPerSecond, rateText],
      ['asked for', 'competing.askedBytesPerSecond', competing?.askedBytesPerSecond, rateText],
    ]),
  ]
}

function proofFacts(report: Report): readonly Fact[] {
  const { memory, guestProof, cpu, overheadBytes } = report
  const seconds = (value: number): string => durationText(1e3 * value)
  const verified: Fact[] =
    memory === undefined
      ? [['Memory', html`<span class="missing">not verified</span>`]]
      : [['Memory', judged(memory.equal, 'equal', 'different')]]
  const computed: Fact[] =
    guestProof === undefined
      ? []
      : [['Computation', judged(guestProof.continuous, 'continuous', 'not continuous')]]
  return [
    ...verified,
    ...computed,
    ...listed([
      ['Steps, source', 'guestProof.stepsBefore', guestProof?.stepsBefore, countText],
      ['Steps, destination', 'guestProof.stepsAfter', guestProof?.stepsAfter, countText],
      ['CPU, source', 'cpu.sourceSeconds', cpu?.sourceSeconds, seconds],
      ['CPU, destination', 'cpu.destinationSeconds', cpu?.destinationSeconds, seconds],
      ['Agent memory, source', 'overheadBytes.source', overheadBytes?.source, bytesText],
      [
        'Agent memory, destination',
        'overheadBytes.destination',
        overheadBytes?.destination,
        bytesText,
      ],
    ]),
  ]
}

function judged(isGood: boolean, yes: string, no: string): Markup {
  return isGood ? html`<span class="good">${yes}</span>` : html`<span class="bad">${no}</span>`
}

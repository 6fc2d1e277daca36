/**
 * The figures of a simulation as a table, with what they rest on.
 *
 * @module
 */
import type { PolicyResult, Simulation, SimulationOptions } from '@godwit/catalog'
import { STATIC_BYTES_MEASURED, STATIC_SHARE_SOURCE, simulationDefaults } from '@godwit/catalog'
import { formatBytes, formatCount } from '@godwit/core'
import { formatTable } from './plain-table.ts'
import { formatPercent } from './simulation-settings.ts'

const head = [
  'placement + routing',
  'migrations',
  'for load',
  'sibling',
  'saved',
  'saved, capped',
  'in rack',
  'path cost',
  'uneven',
  'pair on',
  'refused',
]

/** Several lines, without a line feed at the end. */
export function formatSimulation({ options, policies }: Simulation): string {
  const table = formatTable(head, policies.map(rowOf), head.slice(1))
  return [table, '', ...notesOf(options)].join('\n')
}

function rowOf(result: PolicyResult): string[] {
  const { placement, routing, migrations, rebalanced, withoutDestination, refused, end } = result
  return [
    `${placement} + ${routing}`,
    formatCount(migrations),
    formatCount(rebalanced),
    formatShare(result.siblingShare),
    formatSaved(result.savedBytes, result.savedShare),
    formatSaved(result.savedBytesCapped, result.savedShareCapped),
    formatShare(result.rackShare),
    result.pathCostMean.toFixed(2),
    formatShare(end.loadVariation),
    formatShare(result.coverage),
    `${formatCount(refused)} + ${formatCount(withoutDestination)}`,
  ]
}

function formatSaved(bytes: number, share: number): string {
  return `${formatBytes(bytes)} ${formatShare(share).padStart(5)}`
}

/** With as many digits in every row. */
function formatShare(share: number): string {
  return `${(100 * share).toFixed(1)}%`
}

function notesOf(options: SimulationOptions): readonly string[] {
  const { zeroShare, staticShare } = options
  const isMeasured =
    zeroShare === simulationDefaults.zeroShare &&
    staticShare.join() === simulationDefaults.staticShare.join()
  const [low, high] = staticShare.map(formatPercent)
  const capped = formatBytes(STATIC_BYTES_MEASURED)
  return [
    'for load: migrations from machines over the load; the others are from machines being emptied',
    'sibling: migrations with a guest of the pair at the destination',
    `saved: of the non-zero memory of those guests; ${formatPercent(zeroShare)} of the pages are ` +
      `zero, ${low} to ${high} of`,
    `  the others static, as ${isMeasured ? 'measured:' : 'given'}`,
    ...(isMeasured ? [`  ${STATIC_SHARE_SOURCE}`] : []),
    `saved, capped: if no guest shares more than ${capped}, the most that those measured did`,
    'in rack, path cost: migrations that stay in their rack; mean sum of link costs',
    'uneven: standard deviation of the load of machines, of its mean, in the end',
    'pair on: machines that have the pair, in the end, mean over guests',
    'refused: launches + migrations that no machine had room for',
  ]
}

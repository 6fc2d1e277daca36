/**
 * What `godwit catalog place` and `route` say: the choice, and why not the others.
 *
 * @module
 */
import type { Candidate, Path, Ranked, Ranking } from '@godwit/catalog'
import { formatBytes, formatRate } from '@godwit/core'
import { formatTable } from './plain-table.ts'

type Choice = Candidate & { readonly path?: Path | undefined }

/** Several lines, without a line feed at the end; of the machines `limit` are shown. */
export function formatRanking(ranking: Ranking<Choice>, limit: number): string {
  const { ranked, refused } = ranking
  const [chosen] = ranked
  const all = [...ranked, ...refused]
  const hasPaths = all.some(({ path }) => path !== undefined)
  const pathHead = hasPaths ? ['path'] : []
  const head = ['', 'machine', 'of pair', 'running', 'stored', ...pathHead, 'load', 'free', 'why']
  const rows = all
    .slice(0, limit)
    .map((one, i) => [i < ranked.length ? `${i + 1}.` : '-', ...cellsOf(one, hasPaths)])
  const right = ['of pair', 'running', 'stored', 'path', 'load', 'free']
  const lines = chosen === undefined ? [] : [`${chosenText(chosen)}\n`]
  if (rows.length > 0) lines.push(formatTable(head, rows, right))
  if (all.length > limit) lines.push(`and ${all.length - limit} more; see --limit`)
  return lines.join('\n')
}

function cellsOf(one: Ranked<Choice>, hasPaths: boolean): string[] {
  return [
    one.machine,
    String(one.ofPair),
    String(one.siblings),
    String(one.images),
    ...(hasPaths ? [one.path === undefined ? '' : String(one.path.cost)] : []),
    one.load.toFixed(2),
    formatBytes(one.freeBytes),
    one.reason.text,
  ]
}

function chosenText({ machine, address, reason, path }: Ranked<Choice>): string {
  const { against, text } = reason
  const lines = [
    `to ${machine}${address === null ? '' : `, ${address}`}`,
    against === undefined ? text : `before ${against}: ${text}`,
  ]
  if (path !== undefined && Number.isFinite(path.bandwidthBytesPerSecond)) {
    const rate = formatRate(path.bandwidthBytesPerSecond)
    lines.push(`path ${path.machines.join(' > ')}: cost ${path.cost}, slowest link ${rate}`)
  }
  return lines.join('\n')
}

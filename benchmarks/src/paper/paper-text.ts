/**
 * A grid's result for a terminal, and as Markdown for documents.
 *
 * @module
 */
import Table from 'cli-table3'
import { formatMachine } from '../result.ts'
import type { PaperResult } from './paper-result.ts'
import { formatConclusion, formatSetting, tablesOf } from './paper-table.ts'

export function formatPaper(result: PaperResult): string {
  const tables = tablesOf(result).map(({ title, head, rows }) => {
    const table = new Table({ head: [...head], style: { head: [], border: [] } })
    table.push(...rows.map((row) => [...row]))
    return `${title}\n${table.toString()}`
  })
  return [...headOf(result), ...tables].join('\n\n')
}

/** Sections below a heading of level three. */
export function paperMarkdown(result: PaperResult): string {
  const tables = tablesOf(result).map(({ title, head, rows }) => {
    const lines = [head, head.map(() => '---'), ...rows]
    return `${title}:\n\n${lines.map(markdownRow).join('\n')}`
  })
  return [...headOf(result), ...tables].join('\n\n')
}

function headOf(result: PaperResult): readonly string[] {
  const { name, machine, paper } = result
  const { findings } = paper
  const head = [`${name}: ${formatMachine(machine)}.`, formatSetting(paper)]
  return findings.length === 0 ? head : [...head, formatConclusion(findings)]
}

function markdownRow(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`
}

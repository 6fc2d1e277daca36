/**
 * Tables of our own documents.
 *
 * @module
 */

/** The cells of one row, trimmed, without the backticks of code. */
export type Row = readonly string[]

/** The text under the heading that begins with `title`, up to the next one of its level. */
export function section(document: string, title: string): string {
  const lines = document.split('\n')
  const start = lines.findIndex(
    (line) => /^#+ /.test(line) && line.replace(/^#+ /, '').startsWith(title),
  )
  if (start < 0) throw new Error(`no heading begins with "${title}"`)
  const level = /^#+/.exec(lines[start]!)![0]
  const rest = lines.slice(start + 1)
  const end = rest.findIndex((line) => line.startsWith(`${level} `))
  return rest.slice(0, end < 0 ? rest.length : end).join('\n')
}

/** All tables of a text, each as its rows without head and rule. */
export function tables(text: string): readonly (readonly Row[])[] {
  const blocks = text.match(/(?:^\|.*\|$\n?)+/gm) ?? []
  return blocks.map((block) => block.trim().split('\n').slice(2).map(cells))
}

function cells(line: string): Row {
  return line
    .slice(1, -1)
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replace(/^`([^`]*)`$/, '$1'))
}

/** `65,536` -> 65536, `0x0011` -> 17. */
export function numberOf(cell: string): number {
  return Number(cell.replaceAll(',', ''))
}

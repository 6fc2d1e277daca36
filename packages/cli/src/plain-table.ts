/**
 * Tables without lines, for results.
 *
 * @module
 */
import type { TableConstructorOptions } from 'cli-table3'
import { printable } from './printable.ts'
import Table from 'cli-table3'

type TableOptions = Required<TableConstructorOptions>

/** No lines inside: eyes find their way without, and a copied table stays readable. */
export const plain: TableOptions['chars'] = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
}
export const style: TableOptions['style'] = {
  head: [],
  border: [],
  'padding-left': 0,
  'padding-right': 0,
}

/** Several lines, without a line feed at the end; columns named in `right` are numbers. */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly string[] = [],
): string {
  const colAligns = head.map((name) => (right.includes(name) ? 'right' : 'left'))
  const table = new Table({ head: [...head], chars: plain, style, colAligns })
  table.push(...rows.map((row) => row.map((cell) => printable(cell))))
  return table.toString().replaceAll(/ +$/gm, '')
}

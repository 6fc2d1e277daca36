/**
 * Whether `godwit send` knows the guests and options of a grid, before anything is measured.
 *
 * @module
 */
import { once } from 'node:events'
import { GodwitError } from '@godwit/core'
import { start } from '../children.ts'
import { splitCommand } from '../process.ts'
import type { Cell } from './cell.ts'
import { nameOf } from './cell.ts'
import type { LinkKind } from './shaped-link.ts'
import { sendOptions } from './run-cell.ts'

/** Nobody is asked to send anything there. */
const nowhere = '127.0.0.1:9'
/** The last thing that is looked at before the guest is started, so nothing is. */
const unwritable = '/dev/null/report'
const lastCode = 'FILE_UNWRITABLE'

/** @throws {GodwitError} `USAGE`: with the first cell that cannot be measured, and why */
export async function checkCells(
  godwit: readonly string[],
  cells: readonly Cell[],
  kind: LinkKind,
): Promise<void> {
  for (const cell of samplesOf(cells)) {
    const complaint = await complaintOf(godwit, cell, kind)
    if (complaint === undefined) continue
    throw new GodwitError(
      'USAGE',
      `${nameOf(cell)} cannot be measured by this release: ${complaint}`,
    )
  }
}

/** Every guest and every way to move one at least once, in few cells. */
export function samplesOf(cells: readonly Cell[]): readonly Cell[] {
  const seen = new Set<string>()
  return cells.filter(({ guest, options }) => {
    const before = seen.size
    seen.add(guest).add(options.join(' '))
    return seen.size > before
  })
}

async function complaintOf(
  godwit: readonly string[],
  cell: Cell,
  kind: LinkKind,
): Promise<string | undefined> {
  const where = ['--to', nowhere, '--json', unwritable, '--quiet']
  const words = [...godwit, 'send', cell.guest, ...where, ...sendOptions(cell, kind)]
  const child = start(...splitCommand(words), { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  await once(child, 'close')
  return parseComplaint(said)
}

/** What a command said against its arguments; undefined when all were good. */
export function parseComplaint(stderr: string): string | undefined {
  const [, code, text] = /^godwit: (\w+): (.*)$/m.exec(stderr) ?? []
  if (code === lastCode) return undefined
  return text ?? `it said: ${stderr.trim()}`
}

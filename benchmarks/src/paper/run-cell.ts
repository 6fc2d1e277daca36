/**
 * One run of a cell: a migration between two processes over a shaped link, beside a service where
 * the cell has one.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process'
import { checkInterrupted, start } from '../children.ts'
import { firstLine, migrate, splitCommand } from '../process.ts'
import type { Cell } from './cell.ts'
import { rateOption } from './cell.ts'
import { limitMs } from './estimate.ts'
import type { Measures } from './measure.ts'
import { measuresOf } from './measure.ts'
import type { LinkKind, ShapedLink } from './shaped-link.ts'

/** How long a guest goes on at the destination. */
export const RUN_FOR = '200ms'
/**
 * How long it runs before, repeat by repeat: many guests do the same again and again, and where in
 * it a migration meets them decides how much is sent twice.
 */
export const WARMUPS = ['500ms', '750ms', '1000ms'] as const

/**
 * Options of `godwit send`. Where a proxy is the link, its interface carries more than the link, so
 * that a policy is told what others use.
 */
export function sendOptions(cell: Cell, kind: LinkKind): readonly string[] {
  const { options, memoryBytes, competingRate } = cell
  const used = competingRate === 0 ? '0' : rateOption(competingRate)
  const told = options.map((option, i) => {
    const asks = kind === 'proxy' && options[i - 1] === '--bandwidth' && option.startsWith('bda')
    return asks ? `${option},used=${used}` : option
  })
  const limit = ['--timeout', `${Math.round(limitMs(cell))}ms:cancel`]
  return ['--memory', String(memoryBytes), ...limit, ...told]
}

/** @throws when the guest did not arrive whole, or did not go on */
export async function runCell(
  godwit: readonly string[],
  cell: Cell,
  link: ShapedLink,
  repeat: number,
): Promise<Measures> {
  await link.setRate(cell.linkRate)
  const sink = cell.competingRate > 0 ? await startSink(godwit, link) : undefined
  try {
    const competing = rateOption(cell.competingRate)
    const service = sink === undefined ? [] : ['--competing', `${competing},to=${sink.address}`]
    const warmup = WARMUPS[repeat % WARMUPS.length]!
    const options = [...sendOptions(cell, link.kind), '--warmup', warmup, ...service]
    const { source } = await migrate(godwit, cell.guest, options, link.ends, RUN_FOR)
    const measures = measuresOf(source)
    if (sink !== undefined && measures.serviceShare === undefined) {
      throw new Error('the report has no figures of the service')
    }
    return measures
  } finally {
    sink?.process.kill('SIGKILL')
  }
}

/** The other end of the service, and where the source reaches it. */
async function startSink(
  godwit: readonly string[],
  { ends }: ShapedLink,
): Promise<{ process: ChildProcess; address: string }> {
  checkInterrupted()
  const listen = ['traffic', '--listen', `${ends.host}:0`, '--insecure']
  const [program, args] = splitCommand([...ends.destination.prefix, ...godwit, ...listen])
  const child = start(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const address = (await firstLine(child)).replace('listening ', '')
  return { process: child, address: await ends.reach(address) }
}

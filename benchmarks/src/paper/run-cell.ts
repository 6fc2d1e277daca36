/**
 * One run of a cell: a migration between two processes over a shaped link, beside a service where
 * the cell has one.
 *
 * @module
 */
import { migrate } from '../process.ts'
import type { Cell } from './cell.ts'
import { rateOption } from './cell.ts'
import { limitMs } from './estimate.ts'
import { LineProcess } from './line-process.ts'
import type { Measures } from './measure.ts'
import { measuresOf } from './measure.ts'
import type { ServiceSample } from './service.ts'
import { SERVICE_PROGRAM, slowestRate } from './service.ts'
import type { LinkKind, ShapedLink } from './shaped-link.ts'

const runFor = '200ms'

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
): Promise<Measures> {
  await link.setRate(cell.linkRate)
  const service = cell.competingRate > 0 ? await Service.start(cell.competingRate, link) : undefined
  try {
    const options = sendOptions(cell, link.kind)
    const { source } = await migrate(godwit, cell.guest, options, link.ends, runFor)
    return measuresOf(source, await service?.shareWhile(source.totalMs!))
  } finally {
    await service?.end()
  }
}

/** Both ends of the service. */
class Service {
  readonly #rate: number
  readonly #counter: LineProcess
  readonly #sender: LineProcess

  static async start(rate: number, { ends }: ShapedLink): Promise<Service> {
    const counter = new LineProcess(ends.destination.prefix, SERVICE_PROGRAM, ['count', ends.host])
    const address = await ends.reach(await counter.answer())
    const args = ['serve', address, String(rate)]
    return new Service(rate, counter, new LineProcess(ends.source.prefix, SERVICE_PROGRAM, args))
  }

  private constructor(rate: number, counter: LineProcess, sender: LineProcess) {
    this.#rate = rate
    this.#counter = counter
    this.#sender = sender
  }

  /** What it got of what it asked for in its slowest stretch of this length. */
  async shareWhile(ms: number): Promise<number | undefined> {
    const samples = JSON.parse(await this.#counter.ask('samples')) as ServiceSample[]
    // Until the first bytes the service was not there yet.
    const rate = slowestRate(
      samples.filter(({ bytes }) => bytes > 0),
      ms,
    )
    return rate === undefined ? undefined : rate / this.#rate
  }

  async end(): Promise<void> {
    await this.#sender.end()
    await this.#counter.end()
  }
}

/**
 * `--competing RATE,to=HOST:PORT`: a service's traffic beside the migration.
 *
 * @module
 */
import { GodwitError, parseRate } from '@godwit/core'
import { parseAddress } from '@godwit/transport'
import type { Command } from 'commander'
import type { Traffic, TrafficOptions } from 'godwit'
import { startTraffic } from 'godwit'
import { formatError, note } from './output.ts'

/** As `send` and `demo` take it. */
export interface CompetingSettings {
  /** `RATE`, and `,to=HOST:PORT` where that is not known. */
  readonly competing?: string
}

const separator = ',to='

/** @throws {GodwitError} `USAGE`, `ADDRESS_INVALID` */
export function parseCompeting(text: string): Partial<TrafficOptions> & { bytesPerSecond: number } {
  const at = text.indexOf(separator)
  const bytesPerSecond = parseRate(at < 0 ? text : text.slice(0, at))
  if (at < 0) return { bytesPerSecond }
  const to = text.slice(at + separator.length)
  if (parseAddress(to).transport !== 'tcp') {
    throw new GodwitError('USAGE', `"${to}": traffic goes over TCP only, to HOST:PORT`)
  }
  return { bytesPerSecond, to }
}

function check(text: string): string {
  parseCompeting(text)
  return text
}

/** Adds the option to `send`, or to `demo`, which has a sink of its own. */
export function addCompetingOption(command: Command, hasSink: boolean): Command {
  const help =
    'send random bytes beside the migration at that rate, like a service on the same link'
  return hasSink
    ? command.option('--competing <RATE>', help, check)
    : command.option('--competing <RATE,to=ADDRESS>', `${help}, to a \`godwit traffic\``, check)
}

/**
 * What is asked for, and possible.
 *
 * @throws {GodwitError} `USAGE`: where to is not said
 */
export function readCompeting({ competing }: CompetingSettings): TrafficOptions | undefined {
  if (competing === undefined) return undefined
  const { to, bytesPerSecond } = parseCompeting(competing)
  if (to !== undefined) return { to, bytesPerSecond }
  const how = 'start `godwit traffic --listen HOST:PORT` there, and add its address'
  throw new GodwitError('USAGE', `--competing ${competing}: where to? ${how}: ,to=HOST:PORT`)
}

/**
 * Starts it, where it is asked for.
 *
 * @param tell - hears that it ended before its time
 * @throws {TransportError} the sink cannot be reached
 */
export async function startCompeting(
  options: TrafficOptions | undefined,
  tell: (text: string) => void = note,
): Promise<Traffic | undefined> {
  if (options === undefined) return undefined
  const traffic = await startTraffic(options)
  void traffic.ended.then((error) => {
    if (error !== undefined) tell(`competing traffic ended: ${formatError(error)}`)
  })
  return traffic
}

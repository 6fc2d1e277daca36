/**
 * Options of whoever takes guests in: `receive` and `agent`.
 *
 * @module
 */
import { parseBytes, parseDurationMs } from '@godwit/core'
import type { Command } from 'commander'
import { Option } from 'commander'
import type { PagerChoice, ReceiveOptions } from 'godwit'
import { PAGER_CHOICES } from 'godwit'
import type { HostOptions } from './host-option.ts'
import { parseHostOption } from './host-option.ts'
import { parseCount, parseLanes, parsePageSizes } from './settings.ts'

export interface ReceivingSettings {
  readonly guest?: HostOptions
  readonly listen: string
  readonly memoryLimit?: number
  /** That are accepted. */
  readonly pageBytes?: readonly number[]
  readonly lanes?: number
  readonly pager: PagerChoice
  readonly recoverFor?: number
  readonly maxConnections?: number
  readonly maxSessions?: number
}

/** Adds the options of {@link ReceivingSettings}. */
export function addReceivingOptions(command: Command): Command {
  return command
    .requiredOption('--listen <ADDRESS>', 'HOST:PORT; port 0 takes any; serves TCP and WebSocket')
    .option(
      '--guest <GUEST>',
      'how guests of a kind are taken in: memcached,listen=HOST or qemu,config=FILE; see below',
      parseHostOption,
    )
    .option(
      '--memory-limit <SIZE>',
      'memory for all guests (default: what is available)',
      parseBytes,
    )
    .option(
      '--page-bytes <SIZES>',
      'page sizes to accept, like 4KiB,16KiB (default all)',
      parsePageSizes,
    )
    .option(
      '--lanes <N>',
      'most data channels a source may ask for, each with a thread (default: one per core)',
      parseLanes,
    )
    .addOption(
      new Option('--pager <NAME>', 'who makes a guest wait for pages that are still to come')
        .choices([...PAGER_CHOICES])
        .default('auto', 'auto: the guest itself; uffd: the kernel'),
    )
    .option(
      '--recover-for <T>',
      'how long to wait for a source lost after the hand-over began (default: for ever in ' +
        'post-copy, else 10min)',
      parseDurationMs,
    )
    .option(
      '--max-connections <N>',
      'connections at a time (default 1024); for one more, the oldest that brought nothing goes',
      parseCount(1),
    )
    .option(
      '--max-sessions <N>',
      'migrations at a time (default 16), half of them of one address',
      parseCount(1),
    )
}

/** As the library takes them, where they are given another name there. */
export function receivingOptionsOf({
  recoverFor,
  maxConnections,
  maxSessions,
}: ReceivingSettings): Pick<ReceiveOptions, 'recoverMs' | 'connectionsMax' | 'sessionsMax'> {
  return {
    ...(recoverFor === undefined ? {} : { recoverMs: recoverFor }),
    ...(maxConnections === undefined ? {} : { connectionsMax: maxConnections }),
    ...(maxSessions === undefined ? {} : { sessionsMax: maxSessions }),
  }
}

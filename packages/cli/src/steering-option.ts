/**
 * `--bandwidth`, `--throttle` and the caps on bandwidth.
 *
 * @module
 */
import { parseRate } from '@godwit/core'
import { parseBandwidth, parseThrottle } from '@godwit/policy'
import type { Command } from 'commander'
import type { SteeringOptions } from 'godwit'

/** As they are given to the library. */
export type SteeringSettings = SteeringOptions

function checkBandwidth(text: string): string {
  parseBandwidth(text)
  return text
}

function checkThrottle(text: string): string {
  parseThrottle(text)
  return text
}

/** Adds the options of {@link SteeringSettings}. */
export function addSteeringOptions(command: Command): Command {
  return command
    .option(
      '--bandwidth <POLICY>',
      'a cap for each round (docs/POLICIES.md): fixed[,rate=RATE], clark[,min=RATE,max=RATE,' +
        'add=RATE], bda,link=RATE[,used=RATE] or bda-smooth,link=RATE[,used=RATE]',
      checkBandwidth,
    )
    .option(
      '--max-bandwidth <RATE>',
      'cap on bandwidth, like 100Mbit or 1Gbit; of what --bandwidth grants, too',
      parseRate,
    )
    .option(
      '--pause-bandwidth <RATE>',
      'cap while the guest is paused, in place of the others',
      parseRate,
    )
    .option(
      '--post-copy-bandwidth <RATE>',
      'cap on pages that follow in post-copy, in place of the others; what the guest waits for ' +
        'has none',
      parseRate,
    )
    .option(
      '--throttle <POLICY>',
      'take time from a guest that dirties too much, until it is handed over: ' +
        'auto-converge[,start=PERCENT,step=PERCENT,max=PERCENT] or dirty-limit,rate=RATE',
      checkThrottle,
    )
}

/**
 * `--control SOCKET`: where an agent is told what to do.
 *
 * @module
 */
import { Option } from 'commander'

/** Of commands that talk to an agent; `GODWIT_CONTROL` says it for all of them. */
export function controlOption(): Option {
  return new Option('--control <SOCKET>', 'the control socket of the agent')
    .env('GODWIT_CONTROL')
    .makeOptionMandatory()
}

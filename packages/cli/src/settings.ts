/**
 * Options of several commands: how they are spelled, checked and explained.
 *
 * @module
 */
import type { HashName, VerifyMode } from '@godwit/core'
import {
  GodwitError,
  PAGE_BYTES_DEFAULT,
  checkPageBytes,
  parseBytes,
  parseDurationMs,
} from '@godwit/core'
import type { FetchName, PresetName } from '@godwit/policy'
import {
  ENCODE_DEFAULT,
  FETCH_DEFAULT,
  FETCH_NAMES,
  MODE_DEFAULT,
  PRESET_NAMES,
  STOP_DEFAULT,
  parseEncode,
  parseMode,
  parsePreset,
  parseReverse,
  parseSelect,
  parseStop,
  parseTimeout,
} from '@godwit/policy'
import type { Command } from 'commander'
import { Option } from 'commander'
import type { TrackerChoice } from 'godwit'
import { LANES_MAX, TRACKERS } from 'godwit'
import type { SteeringSettings } from './steering-option.ts'
import { addSteeringOptions } from './steering-option.ts'

/** Options that say how to migrate; `send`, `demo` and `migrate` share them. */
export interface TransferSettings extends SteeringSettings {
  readonly preset?: PresetName
  readonly mode?: string
  readonly fetch?: FetchName
  readonly stop?: string
  readonly select?: string
  readonly verify: VerifyMode
  readonly hash?: HashName
  readonly encode?: string
  readonly tracker: TrackerChoice
  readonly lanes?: number
  readonly recoverFor?: number
  readonly reverse?: string
  readonly timeout?: string
}

/** How a guest is started; `send`, `demo` and `run` share that. */
export interface StartSettings {
  readonly memory?: number
  readonly pageBytes: number
}

/** Of a guest that is started, and moved. */
export interface MigrationSettings extends TransferSettings, StartSettings {
  readonly warmup?: number
}

function checkMode(text: string): string {
  parseMode(text)
  return text
}

function checkEncode(text: string): string {
  parseEncode(text)
  return text
}

function checkCheckpoints(text: string): string {
  parseReverse(text)
  return text
}

function checkTimeLimit(text: string): string {
  parseTimeout(text)
  return text
}

function checkStop(text: string): string {
  parseStop(text)
  return text
}

function checkSelection(text: string): string {
  parseSelect(text)
  return text
}

/** Adds the options of {@link MigrationSettings}. */
export function addMigrationOptions(command: Command): Command {
  return addTransferOptions(addStartOptions(command)).option(
    '--warmup <T>',
    'let the guest run this long before it moves (default 1s; one that runs already: 0)',
    parseDurationMs,
  )
}

/** Adds the options of {@link StartSettings}. */
export function addStartOptions(command: Command): Command {
  return command
    .option(
      '--memory <SIZE>',
      'guest memory (default 1GiB; image: the size of its file)',
      parseBytes,
    )
    .option(
      '--page-bytes <SIZE>',
      'page size to offer, 4KiB to 64KiB',
      (text: string) => checkPageBytes(parseBytes(text)),
      PAGE_BYTES_DEFAULT,
    )
}

/** Adds the options of {@link TransferSettings}. */
export function addTransferOptions(command: Command): Command {
  return addSteeringOptions(addEncodingOptions(addModeOptions(command)))
    .option(
      '--recover-for <T>',
      'how long to try to reach a destination lost after the hand-over (default: for ever)',
      parseDurationMs,
    )
    .option(
      '--reverse <HOW>',
      "checkpoint=T: in post-copy the guest's state comes back so often, for `recover --fenced`",
      checkCheckpoints,
    )
    .option(
      '--timeout <T[:ACTION]>',
      'from dialling on (each --retry anew); if the guest is not handed over by then: cancel ' +
        '(default; it goes on here), stop (no further round, in the midst of one: the rest goes ' +
        'in the pause, however long) or post-copy (after the round; needs mode hybrid)',
      checkTimeLimit,
    )
}

function addModeOptions(command: Command): Command {
  return command
    .option(
      '--preset <NAME>',
      `as a paper or a peer migrates, but for what is given beside it: ${PRESET_NAMES.join(', ')}`,
      parsePreset,
    )
    .option('--policy <FILE>', 'policies of your own, a .ts or .js module (docs/POLICIES.md)')
    .option(
      '--mode <MODE>',
      'pre-copy (rounds while the guest runs here), stop-copy (all in one pause), post-copy (the ' +
        'guest runs there first, its pages follow), or both: hybrid[,rounds=N][,after=T][,stall]' +
        `[,working-set[=T]: first only what it stores to within T, 1s] (default ${MODE_DEFAULT})`,
      checkMode,
    )
    .addOption(
      new Option(
        '--fetch <NAME>',
        `in which order pages follow in post-copy (default ${FETCH_DEFAULT})`,
      ).choices([...FETCH_NAMES]),
    )
    .option(
      '--stop <RULES>',
      'when to pause: downtime=T (expected pause), ratio[=R] (sent again, of round 1), ' +
        'wws[=SHARE] (dirty pages, of those before), budget[=K] (sent, of memory), ' +
        'max-rounds=N, few-dirty=PAGES; first to fire, A+B when both do ' +
        `(default ${STOP_DEFAULT})`,
      checkStop,
    )
    .option(
      '--select <NAME>',
      'which dirty pages a round sends, others wait: all-dirty (default), ' +
        'clark-wws[,rounds=N,every=T], second-chance[,rounds=N], history[,rounds=N,hits=K], ' +
        'history-send[,rounds=N,hits=K], ppc[,rounds=N,threshold=P], flag[,times=N], ' +
        'tpo[,rounds=N,hits=K], classes[,drop=free+cache]; see docs/POLICIES.md',
      checkSelection,
    )
}

function addEncodingOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--verify <HOW>', 'compare whole memory after the hand-over, off the pause')
        .choices(['fingerprints', 'sha256', 'none'])
        .default('fingerprints'),
    )
    .addOption(
      new Option('--hash <NAME>', 'fingerprints of pages on the way (default xxh3)').choices([
        'xxh3',
        'xxh64',
        'sha256',
      ]),
    )
    .option(
      '--encode <NAMES>',
      'raw, none (no bytes for zero and unchanged pages), auto (what pays), or any of ' +
        'same[,store=SIZE], delta[,cache=SIZE,admit=all|marked], mdd, ' +
        'zstd[,level=N] | lz4 | mecom[,level=N,budget=PERCENT] ' +
        `(default ${ENCODE_DEFAULT}; with --select tpo: delta)`,
      checkEncode,
    )
    .addOption(
      new Option('--tracker <NAME>', 'how stores are found: by the kernel, marks, or a scan')
        .choices(TRACKERS)
        .default('auto'),
    )
    .option(
      '--lanes <N>',
      'data channels, each with a thread; 0: none of its own (default 1)',
      parseLanes,
    )
}

/** `4KiB,16KiB` -> sizes. */
export function parsePageSizes(text: string): readonly number[] {
  return text.split(',').map((part) => checkPageBytes(parseBytes(part)))
}

/** How many data channels, checked before a guest is started. */
export function parseLanes(text: string): number {
  const lanes = parseCount(0)(text)
  if (lanes <= LANES_MAX) return lanes
  throw new GodwitError('USAGE', `There are at most ${LANES_MAX} lanes, not ${lanes}`)
}

/** A whole number from `minimum` on. */
export function parseCount(minimum: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!Number.isSafeInteger(value) || value < minimum) {
      throw new GodwitError('USAGE', `"${text}" is not a whole number from ${minimum} on`)
    }
    return value
  }
}

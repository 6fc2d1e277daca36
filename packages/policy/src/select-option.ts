/**
 * How pages are selected (`--select`): names, options, and what they are by default.
 *
 * @module
 */
import type { MigrationMode, PageClassName } from '@godwit/core'
import { GodwitError, hasRounds, parseDurationMs } from '@godwit/core'
import { HISTORY_ROUNDS_MAX } from './dirty-history.ts'
import type { EncodeSettings } from './encoding.ts'
import { ENCODE_DEFAULT, parseEncode } from './encoding.ts'
import { onlyOptions, parseChoice } from './named-choice.ts'
import type { PageSelector } from './page-selector.ts'
import { PEEK_DEFAULT_MS, plainSelector } from './page-selector.ts'
import { clarkWwsSelector } from './select-clark-wws.ts'
import { classesSelector } from './select-classes.ts'
import { flagSelector } from './select-flag.ts'
import { historySelector, historySendSelector } from './select-history.ts'
import { ppcSelector } from './select-ppc.ts'
import { secondChanceSelector } from './select-second-chance.ts'
import { TPO_ENCODE, tpoSelector } from './select-tpo.ts'

/** A selector as it was asked for; what it remembers begins with {@link create}. */
export interface SelectSettings {
  readonly name: string
  /** With all options, as it may be written. */
  readonly text: string
  /** @param wordCounts - per region: words of a bitmap of its pages */
  create(wordCounts: readonly number[]): PageSelector
}

export const SELECT_DEFAULT = 'all-dirty'
/** What `--encode auto` comes with: round 1 is long, and what is dirty again comes in round 2. */
const SELECT_OF_AUTO = 'clark-wws,rounds=1'

/** Rounds and hits of a history: Hu's 5 of the last 8. */
const historyOptions = { rounds: '8', hits: '5' } as const
/** A page is flagged by at most so many rounds. */
const timesMax = 16
/** The classes that cost the guest nothing but time. */
const droppable: readonly PageClassName[] = ['free', 'cache']

type Create = (wordCounts: readonly number[]) => PageSelector
type Values<Name extends string> = Readonly<Record<Name, string>>

interface Kind {
  /** By name: what they are where they are not given. */
  readonly options: Readonly<Record<string, string>>
  readonly parse: (values: Readonly<Record<string, string>>) => Create
}

function kind<Name extends string>(
  options: Values<Name>,
  parse: (values: Values<Name>) => Create,
): Kind {
  return { options, parse }
}

const kinds: Readonly<Record<string, Kind>> = {
  'all-dirty': kind({}, () => () => plainSelector),
  'clark-wws': kind({ rounds: 'all', every: `${PEEK_DEFAULT_MS}ms` }, ({ rounds, every }) => {
    const last = rounds === 'all' ? Infinity : whole('rounds', rounds, 1, 1e6)
    const everyMs = interval(every)
    return () => clarkWwsSelector(last, everyMs)
  }),
  'second-chance': kind({ rounds: '2' }, ({ rounds }) => {
    const clean = whole('rounds', rounds, 1, HISTORY_ROUNDS_MAX)
    return (wordCounts) => secondChanceSelector(wordCounts, clean)
  }),
  history: kind(historyOptions, (values) => {
    const [rounds, hits] = historyOf(values)
    return (wordCounts) => historySelector(wordCounts, rounds, hits)
  }),
  'history-send': kind(historyOptions, (values) => {
    const [rounds, hits] = historyOf(values)
    return (wordCounts) => historySendSelector(wordCounts, rounds, hits)
  }),
  ppc: kind({ rounds: '8', threshold: '0.5' }, ({ rounds, threshold }) => {
    const last = whole('rounds', rounds, 1, HISTORY_ROUNDS_MAX)
    const limit = share(threshold)
    return (wordCounts) => ppcSelector(wordCounts, last, limit)
  }),
  flag: kind({ times: '2' }, ({ times }) => {
    const flagged = whole('times', times, 1, timesMax)
    return (wordCounts) => flagSelector(wordCounts, flagged)
  }),
  tpo: kind(historyOptions, (values) => {
    const [rounds, hits] = historyOf(values)
    return (wordCounts) => tpoSelector(wordCounts, rounds, hits)
  }),
  classes: kind({ drop: droppable.join('+') }, ({ drop }) => {
    const drops = drop.split('+').map(dropped)
    return () => classesSelector(drops)
  }),
}

/** Those that there are. */
export const SELECT_NAMES: readonly string[] = Object.keys(kinds)

/**
 * Parses `NAME[,key=value]...`.
 *
 * @throws {GodwitError} `USAGE`: with what there is
 */
export function parseSelect(text: string): SelectSettings {
  const choice = parseChoice(text, 'page selector', SELECT_NAMES)
  const { name } = choice
  const { options, parse } = kinds[name]!
  onlyOptions(choice, Object.keys(options))
  const values = { ...options, ...Object.fromEntries(choice.options) }
  const create = parse(values)
  const written = Object.entries(values).map(([key, value]) => `,${key}=${value}`)
  return { name, text: name + written.join(''), create }
}

/** How pages are selected and encoded, each by default as the other one has it. */
export function parseSending(
  select: string | undefined,
  encode: string | undefined,
): { readonly select: SelectSettings | undefined; readonly encode: EncodeSettings } {
  const asked = select === undefined ? undefined : parseSelect(select)
  const encodeDefault = asked?.name === 'tpo' ? TPO_ENCODE : ENCODE_DEFAULT
  return { select: asked, encode: parseEncode(encode ?? encodeDefault) }
}

/** What is selected where nobody says: where stores are not seen, all that is dirty. */
export function selectByDefault(encode: EncodeSettings, seesStores: boolean): SelectSettings {
  return parseSelect(encode.auto && seesStores ? SELECT_OF_AUTO : SELECT_DEFAULT)
}

/** @throws {GodwitError} `USAGE`: the mode has nothing to select from */
export function checkSelect(mode: MigrationMode, select: SelectSettings | undefined): void {
  if (select === undefined || hasRounds(mode) || select.name === 'classes') return
  if (select.name === SELECT_DEFAULT) return
  refuse(`${select.name} needs a mode with rounds, which ${mode} has not`)
}

function historyOf({ rounds, hits }: Values<'rounds' | 'hits'>): [number, number] {
  const last = whole('rounds', rounds, 1, HISTORY_ROUNDS_MAX)
  return [last, whole('hits', hits, 1, last)]
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= least && value <= most) return value
  return refuse(`${name}=${text}: it is a whole number from ${least} to ${most}`)
}

function share(text: string): number {
  const value = Number(text)
  if (value >= 0 && value < 1 && text.trim() !== '') return value
  return refuse(`threshold=${text}: it is a number from 0 to less than 1`)
}

/** Rarer looks find what a round has sent long ago. */
const everyMsMax = 10_000

function interval(text: string): number {
  const ms = parseDurationMs(text)
  if (ms >= 1 && ms <= everyMsMax) return ms
  return refuse(`every=${text}: it is a duration from 1ms to ${everyMsMax / 1e3}s`)
}

function dropped(name: string): PageClassName {
  const found = droppable.find((one) => one === name)
  return found ?? refuse(`drop=${name}: classes that can be dropped are ${droppable.join(', ')}`)
}

function refuse(text: string): never {
  throw new GodwitError('USAGE', `select: ${text}`)
}

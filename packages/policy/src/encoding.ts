/**
 * How pages are encoded (`--encode`): which techniques are at work, and their limits.
 *
 * @module
 */
import { GodwitError, MIB, formatBytes, parseBytes } from '@godwit/core'

/** Plain values: lanes on other threads are given them as they are. */
export interface EncodeSettings {
  /** As it was asked for. */
  readonly text: string
  /** Every page with its bytes, zero and unchanged ones, too. */
  readonly raw: boolean
  /** Compression is chosen while running, by what is measured. */
  readonly auto: boolean
  /** A few bytes for content that the destination holds elsewhere, or held before. */
  readonly same: boolean
  /** What changed since a page was last sent. */
  readonly delta: boolean
  /** What differs from the most similar page. */
  readonly similar: boolean
  /** Of batches. */
  readonly compression: 'none' | 'zstd' | 'lz4'
  /** Of zstd. */
  readonly level: number
  /** Whether a page's content picks how it is compressed. */
  readonly classes: boolean
  /** CPU time that compression may take, as a share of elapsed time. */
  readonly cpuShareMax: number
  /** Most bytes of versions last sent, all lanes together. */
  readonly cacheBytes: number
  /** Which pages of round 1 are cached: all while there is room, or those already dirty again. */
  readonly admit: 'all' | 'marked'
  /** Most bytes of older versions that both ends keep, all lanes together. */
  readonly storeBytes: number
}

const nothing: EncodeSettings = {
  text: 'none',
  raw: false,
  auto: false,
  same: false,
  delta: false,
  similar: false,
  compression: 'none',
  level: 1,
  classes: false,
  cpuShareMax: Infinity,
  cacheBytes: 0,
  admit: 'all',
  storeBytes: 0,
}

export const CACHE_BYTES_DEFAULT: number = 64 * MIB
export const STORE_BYTES_DEFAULT: number = 16 * MIB
export const ENCODE_DEFAULT = 'none'
/** A cache lies in one thread's memory, of which WebAssembly has 4 GiB. */
const cacheBytesMax = 2048 * MIB
/** Both ends keep it. */
const storeBytesMax = 1024 * MIB

type Draft = { -readonly [Name in keyof EncodeSettings]: EncodeSettings[Name] }
type SetOption = (draft: Draft, value: string) => void

const cache: SetOption = (draft, value) => {
  draft.cacheBytes = size('cache', value, cacheBytesMax)
}
const store: SetOption = (draft, value) => {
  draft.storeBytes = size('store', value, storeBytesMax)
}
const admit: SetOption = (draft, value) => {
  if (value !== 'all' && value !== 'marked') refuse(`admit=${value}: it is all or marked`)
  draft.admit = value
}
const level: SetOption = (draft, value) => {
  draft.level = whole('level', value, 1, 19)
}
const budget: SetOption = (draft, value) => {
  draft.cpuShareMax = whole('budget', value.replace(/%$/, ''), 1, 6400) / 100
}

interface Technique {
  readonly use: (draft: Draft) => void
  readonly options: Readonly<Record<string, SetOption>>
}

/** A cache that was given a size already keeps it. */
function needCache(draft: Draft): void {
  if (draft.cacheBytes === 0) draft.cacheBytes = CACHE_BYTES_DEFAULT
}

function compress(draft: Draft, compression: 'zstd' | 'lz4'): void {
  if (draft.compression !== 'none') refuse('a batch is compressed in one way only')
  draft.compression = compression
}

const techniques: Readonly<Record<string, Technique>> = {
  raw: { use: (draft) => void (draft.raw = true), options: {} },
  none: { use: () => {}, options: {} },
  same: {
    use: (draft) => {
      draft.same = true
      if (draft.storeBytes === 0) draft.storeBytes = STORE_BYTES_DEFAULT
    },
    options: { store },
  },
  delta: {
    use: (draft) => {
      draft.delta = true
      needCache(draft)
    },
    options: { cache, admit },
  },
  mdd: {
    use: (draft) => {
      draft.delta = true
      draft.similar = true
      needCache(draft)
    },
    options: { cache },
  },
  zstd: { use: (draft) => compress(draft, 'zstd'), options: { level } },
  lz4: { use: (draft) => compress(draft, 'lz4'), options: {} },
  mecom: {
    use: (draft) => {
      compress(draft, 'zstd')
      draft.classes = true
      draft.level = 3
    },
    options: { level, budget },
  },
  auto: {
    use: (draft) => {
      compress(draft, 'zstd')
      draft.auto = true
      draft.classes = true
      draft.delta = true
      draft.admit = 'marked'
      draft.cacheBytes = 2 * CACHE_BYTES_DEFAULT
    },
    options: { cache },
  },
}

/** Those that can be combined with nothing. */
const alone: ReadonlySet<string> = new Set(['raw', 'none', 'auto'])

/**
 * Parses `same,delta,cache=64MiB,zstd,level=3`: names of techniques, each followed by its options.
 *
 * @throws {GodwitError} `USAGE`
 */
export function parseEncode(text: string): EncodeSettings {
  const draft: Draft = { ...nothing, text }
  const used: string[] = []
  let options: Technique['options'] = {}
  for (const part of text.split(',')) {
    const [name = '', ...values] = part.split('=')
    if (values.length === 0) {
      const technique = Object.hasOwn(techniques, name) ? techniques[name] : undefined
      if (technique === undefined) refuse(`"${name}" is not known; there are ${known()}`)
      if (used.includes(name)) refuse(`${name} is given twice`)
      used.push(name)
      const lonely = used.find((one) => alone.has(one))
      if (lonely !== undefined && used.length > 1) refuse(`${lonely} goes with nothing else`)
      technique.use(draft)
      options = technique.options
      continue
    }
    const set = Object.hasOwn(options, name) ? options[name] : undefined
    if (set === undefined) {
      const names = Object.keys(options).join(', ')
      const has = names === '' ? 'has no options' : `has ${names}`
      refuse(`"${name}" is no option of ${used.at(-1) ?? 'anything'}, which ${has}`)
    }
    set(draft, values.join('='))
  }
  // Older versions come from a cache of newer ones.
  if (draft.same && draft.cacheBytes === 0) draft.cacheBytes = draft.storeBytes
  return draft
}

/** The techniques at work, for the report. */
export function encoderNames(settings: EncodeSettings): string[] {
  if (settings.raw) return ['raw']
  const names = ['zero', 'unchanged']
  if (settings.same) names.push('same')
  if (settings.delta) names.push('delta')
  if (settings.similar) names.push('similar')
  if (settings.compression !== 'none') names.push(settings.compression)
  return names
}

/** What a destination must be able to do for all of this; names are the protocol's. */
export function capabilitiesOf(settings: EncodeSettings): string[] {
  const { same, delta, compression } = settings
  const names: string[] = []
  if (same) names.push('references')
  if (delta) names.push('delta')
  if (compression !== 'none') names.push(compression)
  return names
}

/** What is left with a destination that can do so much and no more. */
export function restrictTo(
  settings: EncodeSettings,
  capabilities: readonly string[],
): EncodeSettings {
  const can = (name: string): boolean => capabilities.includes(name)
  const { compression } = settings
  return {
    ...settings,
    same: settings.same && can('references'),
    delta: settings.delta && can('delta'),
    similar: settings.similar && can('delta'),
    compression: can(compression) ? compression : 'none',
    auto: settings.auto && can(compression),
    classes: settings.classes && can(compression),
  }
}

/** Whether pages are looked at one by one, beyond zero and unchanged. */
export function looksAtPages(settings: EncodeSettings): boolean {
  const { same, delta, compression } = settings
  return same || delta || compression !== 'none'
}

function size(name: string, value: string, maximum: number): number {
  const bytes = parseBytes(value)
  if (bytes < MIB) refuse(`${name}=${value}: the least is ${formatBytes(MIB)}`)
  if (bytes > maximum) refuse(`${name}=${value}: the most is ${formatBytes(maximum)}`)
  return bytes
}

function whole(name: string, value: string, minimum: number, maximum: number): number {
  const number = Number(value)
  if (Number.isInteger(number) && number >= minimum && number <= maximum) return number
  return refuse(`${name}=${value}: it is a whole number from ${minimum} to ${maximum}`)
}

function known(): string {
  return Object.keys(techniques).join(', ')
}

function refuse(text: string): never {
  throw new GodwitError('USAGE', `encode: ${text}`)
}

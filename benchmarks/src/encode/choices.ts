/**
 * What `encode` has migrate: links, guests, and the ways to encode them.
 *
 * @module
 */

export const AUTO = 'auto'

/** What is not left to the program. */
export const FIXED_CHOICES: readonly string[] = [
  'none',
  'same',
  'delta',
  'mdd',
  'zstd',
  'zstd,level=3',
  'lz4',
  'mecom',
  'same,delta,zstd',
]

/** A guest as it moves over one of the links. */
export interface GuestCase {
  readonly name: string
  /** As `godwit send` has it. */
  readonly guest: string
  /** Of `godwit send`; how to encode comes behind them. */
  readonly options: readonly string[]
}

/** What carries the pages, and which guests. */
export interface LinkPart {
  readonly name: string
  /** As `tc` has it; undefined for loopback, where nothing is shaped. */
  readonly rate: string | undefined
  readonly guests: readonly GuestCase[]
}

/** The links with their guests, all the same small ones when `quick`. */
export function linkParts(quick: boolean): readonly LinkPart[] {
  const memory = quick ? '64MiB' : '1GiB'
  const both = [idleGuest(memory), writingGuest(memory, quick ? '16MiB' : '100MiB')]
  return [
    { name: '100mbit', rate: '100mbit', guests: [idleGuest(quick ? memory : '256MiB')] },
    { name: '1gbit', rate: '1gbit', guests: both },
    { name: 'loopback', rate: undefined, guests: both },
  ]
}

function idleGuest(memory: string): GuestCase {
  const options = ['--memory', memory, '--warmup', '300ms']
  return { name: 'idle', guest: 'idle,content=40/30/20/10', options }
}

function writingGuest(memory: string, workingSet: string): GuestCase {
  const guest = `writer,wss=${workingSet},rate=25000,style=few`
  return { name: 'writer', guest, options: ['--memory', memory, '--stop', 'downtime=20ms'] }
}

/** All choices in the order of one repeat: each repeat begins with another one. */
export function choicesOf(repeat: number): readonly string[] {
  const all = [...FIXED_CHOICES, AUTO]
  const first = repeat % all.length
  return [...all.slice(first), ...all.slice(0, first)]
}

/**
 * The options of every kind of guest: what `--help` prints, what a command line may say, and what a
 * peer may send.
 *
 * @module
 */
import { isIPv4 } from 'node:net'
import { GIB, GodwitError, parseBytes, parseDurationMs, parseRate } from '@godwit/core'
import { parseContentMix } from './content.ts'
import { WORK_PAGE_BYTES } from './layout.ts'
import { THREADS_MAX } from './state-package.ts'
import { STREAM_RATE_MAX, STREAM_RATE_MIN } from './stream.ts'

/** The kinds of guests of this package. */
export const WORKLOAD_KINDS = [
  'idle',
  'cpu',
  'memory-read',
  'memory-write',
  'writer',
  'kcs',
  'ikcs',
  'disk',
  'network',
  'cache',
  'image',
] as const
export type WorkloadKind = (typeof WORKLOAD_KINDS)[number]

/** One option of one kind of guest. */
export interface GuestOption {
  readonly name: string
  /** What stands after the `=` in help, like `SIZE`. */
  readonly value: string
  /** The value it has when it is not given, as people would write it; '' for none. */
  readonly fallback: string
  readonly help: string
  /** Text to canonical value. @throws {GodwitError} */
  readonly parse: (text: string) => number | string
}

/** A kind of guest, for help. */
export interface GuestKindHelp {
  readonly kind: WorkloadKind
  readonly help: string
  readonly options: readonly GuestOption[]
}

const rateMax = 1e9
const fileTextMax = 4096

function refuse(text: string): never {
  throw new GodwitError('GUEST_OPTION', text)
}

function integer(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^\d{1,16}$/.test(text) || value < minimum || value > maximum) {
      refuse(`"${text}" is not a whole number from ${minimum} to ${maximum}`)
    }
    return value
  }
}

function choice(...values: string[]): (text: string) => string {
  return (text) =>
    values.includes(text) ? text : refuse(`"${text}" is not ${values.join(' or ')}`)
}

function file(text: string): string {
  if (text === '' || text.length > fileTextMax) refuse('a file name is missing or too long')
  return text
}

const content: GuestOption = {
  name: 'content',
  value: 'Z/T/H/R',
  fallback: '40/30/20/10',
  help: 'percent of memory that is zero, text, heap-like, random, in runs of 2 MiB',
  parse: (text) => Object.values(parseContentMix(text)).join('/'),
}
const seed: GuestOption = {
  name: 'seed',
  value: 'N',
  fallback: '1',
  help: 'makes other content and another course of the same kind',
  parse: integer(0, Number.MAX_SAFE_INTEGER),
}

function rate(fallback: string, help: string): GuestOption {
  return { name: 'rate', value: 'PAGES', fallback, help, parse: integer(0, rateMax) }
}

function workingSet(
  fallback: string,
  help = 'the memory that is written: the last so many bytes',
): GuestOption {
  return { name: 'wss', value: 'SIZE', fallback, help, parse: parseBytes }
}

const load: GuestOption = {
  name: 'load',
  value: 'PERCENT',
  fallback: '80',
  help: 'share of one processor that it uses',
  parse: integer(0, 100),
}
const threads: GuestOption = {
  name: 'threads',
  value: 'N',
  fallback: '1',
  help: 'writing threads; each has its own part of the working set and of the rate',
  parse: integer(1, THREADS_MAX),
}
const style: GuestOption = {
  name: 'style',
  value: 'few|page',
  fallback: 'few',
  help: 'three 8-byte words of a page at a time, or the whole page with fresh random bytes',
  parse: choice('few', 'page'),
}
const order: GuestOption = {
  name: 'order',
  value: 'ORDER',
  fallback: 'seq',
  help: 'of pages: seq, rand, or clusters, picked at random, of 64 pages one after the other',
  parse: choice('seq', 'rand', 'clusters'),
}
const burstMsMax = 3_600_000

/** `2s` or a number of milliseconds. */
function durationMs(text: string): number {
  const ms = /^\d{1,9}$/.test(text) ? Number(text) : Math.round(parseDurationMs(text))
  if (ms < 1 || ms > burstMsMax) refuse(`"${text}" is not between 1ms and 1h`)
  return ms
}

function duration(name: string, help: string): GuestOption {
  return { name, value: 'T', fallback: '2s', help, parse: durationMs }
}

const drift: GuestOption = {
  name: 'drift',
  value: 'PERCENT',
  fallback: '10',
  help: 'of the pages written, those that the working set has not had; it moves on by as many',
  parse: integer(0, 100),
}
/** A destination writes it for whoever may send a guest. */
const diskBytesMax = GIB
const size: GuestOption = {
  name: 'size',
  value: 'SIZE',
  fallback: '256MiB',
  help: 'of the file, at most 1GiB; made from the seed, in a temporary folder where the guest runs',
  parse(text) {
    const bytes = parseBytes(text)
    if (bytes >= WORK_PAGE_BYTES && bytes <= diskBytesMax && bytes % WORK_PAGE_BYTES === 0) {
      return bytes
    }
    return refuse(`"${text}" is not 4KiB to 1GiB in whole pages of 4KiB`)
  },
}
const streamRate: GuestOption = {
  name: 'rate',
  value: 'RATE',
  fallback: '100Mbit',
  help: 'of the stream, 8kbit to 10Gbit',
  parse(text) {
    const rate = /^\d{1,10}$/.test(text) ? Number(text) : Math.round(parseRate(text))
    if (rate >= STREAM_RATE_MIN && rate <= STREAM_RATE_MAX) return rate
    return refuse(`"${text}" is not 8kbit to 10Gbit`)
  },
}
/** Loopback only: whoever offers a guest says whom its destination is to dial. */
const peer: GuestOption = {
  name: 'peer',
  value: '127.0.0.1:PORT',
  fallback: '',
  help: 'who sends: a `godwit traffic --streams`, on loopback; without it the guest starts one',
  parse(text) {
    const [host = '', port = ''] = text.split(':')
    const isPort = /^[1-9]\d{0,4}$/.test(port) && Number(port) < 65_536
    if (isPort && text === `${host}:${port}` && isIPv4(host) && host.startsWith('127.')) return text
    return refuse(`"${text}" is not an IPv4 address of loopback with a port, like 127.0.0.1:7010`)
  },
}
const compileOptions: readonly GuestOption[] = [
  workingSet('64MiB, or half of memory where that is less', 'what is written to at a time'),
  rate('25000', 'pages written per second'),
  drift,
]
const image: GuestOption = {
  name: 'file',
  value: 'FILE',
  fallback: '',
  help: 'memory starts with the content of this file; needed at the source only',
  parse: file,
}

/** Every kind with its options, in the order of the help. */
export const GUEST_KINDS: readonly GuestKindHelp[] = [
  { kind: 'idle', help: 'counts time, stores nothing', options: [content, seed] },
  { kind: 'cpu', help: 'computes in registers, stores nothing', options: [load, content, seed] },
  {
    kind: 'memory-read',
    help: 'adds up its memory, page after page',
    options: [rate('100000', 'pages read per second'), content, seed],
  },
  {
    kind: 'memory-write',
    help: 'rewrites whole pages, one after the other',
    options: [
      workingSet('half of memory'),
      rate('25000', 'pages written per second'),
      content,
      seed,
    ],
  },
  {
    kind: 'writer',
    help: 'dirties pages at a rate, like the load that peers are measured with',
    options: [
      workingSet('100MiB, or half of memory where that is less'),
      rate('25000', 'pages written per second, by all threads together'),
      style,
      order,
      threads,
      image,
      content,
      seed,
    ],
  },
  {
    kind: 'kcs',
    help: 'stores like a kernel being compiled: much, to a working set that moves on',
    options: [...compileOptions, content, seed],
  },
  {
    kind: 'ikcs',
    help: 'the same in bursts',
    options: [
      ...compileOptions,
      duration('busy', 'how long a burst is'),
      duration('pause', 'how long nothing is stored after it'),
      content,
      seed,
    ],
  },
  {
    kind: 'disk',
    help: 'reads a file in sequence, with memory as its page cache',
    options: [
      size,
      workingSet(
        '64MiB, or half of memory where that is less',
        'the cache: the last so many bytes',
      ),
      rate('25000', 'pages read per second'),
      content,
      seed,
    ],
  },
  {
    kind: 'network',
    help: 'takes a stream from another process, over TCP, into receive buffers and further',
    options: [
      streamRate,
      workingSet(
        '64MiB, or half of memory where that is less',
        'receive buffers (at most 1MiB) and what is kept of the stream',
      ),
      peer,
      content,
      seed,
    ],
  },
  {
    kind: 'cache',
    help: 'reads blocks through a page cache, and tells classes of pages (--select classes)',
    options: [
      workingSet('half of memory', 'the memory of the cache: the last so many bytes'),
      rate('25000', 'blocks read per second'),
      content,
      seed,
    ],
  },
  { kind: 'image', help: 'memory out of a file; behaves like idle', options: [image] },
]

/** The entry of `kind`. @throws {GodwitError} `GUEST_UNKNOWN` with the known ones */
export function guestKind(kind: string): GuestKindHelp {
  const found = GUEST_KINDS.find((entry) => entry.kind === kind)
  if (found === undefined) {
    throw new GodwitError(
      'GUEST_UNKNOWN',
      `There is no guest "${kind}"; the guests are ${WORKLOAD_KINDS.join(', ')}`,
    )
  }
  return found
}

/**
 * What somebody may write of a memcached guest (`memcached,port=11222`), and a peer may send.
 *
 * @module
 */
import { isIP } from 'node:net'
import { GodwitError, type GuestIdentity, MIB } from '@godwit/core'
import { MEMORY_BYTES_MAX, MEMORY_BYTES_MIN } from './layout.ts'
import { LOOPBACK } from './place.ts'

export const MEMCACHED_KIND = 'memcached'
/** A peer may ask for as many. */
export const THREADS_MAX = 16

/** One option, for help. */
export interface MemcachedOption {
  readonly name: string
  readonly value: string
  /** '' for none. */
  readonly fallback: string
  readonly help: string
}

/** A kind and its options, for help. */
export interface MemcachedHelp {
  readonly kind: string
  readonly help: string
  readonly options: readonly MemcachedOption[]
}

/** Of those who take such guests in. */
export const MEMCACHED_HOST_HELP: MemcachedHelp = {
  kind: MEMCACHED_KIND,
  help: 'services of memcached that arrive, where others are to reach them',
  options: [
    {
      name: 'listen',
      value: 'HOST',
      fallback: LOOPBACK,
      help: 'where they listen, at the port of the guest; memcached knows no authentication',
    },
  ],
}

export const MEMCACHED_HELP: MemcachedHelp = {
  kind: MEMCACHED_KIND,
  help: "a service of memcached's ASCII protocol on 127.0.0.1 (8MiB to 4GiB of memory)",
  options: [
    { name: 'port', value: 'PORT', fallback: '11211', help: 'where it listens; 0: any' },
    {
      name: 'next',
      value: 'PORT',
      fallback: '',
      help: 'where it listens at the destination, when that is the same machine; 0: any',
    },
    {
      name: 'threads',
      value: 'N',
      fallback: '1',
      help: 'threads that have clients, 1 to 16; one of them stores at a time',
    },
    {
      name: 'relay',
      value: 'SOCKET',
      fallback: '',
      help: 'the `godwit relay --control SOCKET` that is to follow it',
    },
    {
      name: 'reach',
      value: 'ADDRESS',
      fallback: '',
      help: 'where the relay reaches it then, HOST:PORT (default: the host of --to, and next)',
    },
  ],
}

const optionNames = MEMCACHED_HELP.options.map(({ name }) => name).join(', ')
const memoryBytesDefault: number = 64 * MIB

function refuse(text: string): never {
  throw new GodwitError('GUEST_OPTION', text)
}

function checkPort(name: string, value: string | number): number {
  const port = Number(value)
  if (/^\d{1,5}$/.test(String(value)) && port < 65_536) return port
  return refuse(`Option ${name} of guest memcached: "${value}" is not a port from 0 to 65535`)
}

function checkThreads(value: string | number): number {
  const threads = Number(value)
  if (/^\d{1,2}$/.test(String(value)) && threads >= 1 && threads <= THREADS_MAX) return threads
  return refuse(`Option threads of guest memcached: "${value}" is not 1 to ${THREADS_MAX}`)
}

/** What an identity from anywhere says. */
export interface MemcachedSettings {
  readonly port: number
  /** Undefined: as `port`. */
  readonly next: number | undefined
  readonly threads: number
}

/** @throws {GodwitError} `GUEST_UNKNOWN`, `GUEST_OPTION` */
export function readIdentity({ kind, options }: GuestIdentity): MemcachedSettings {
  if (kind !== MEMCACHED_KIND) {
    throw new GodwitError('GUEST_UNKNOWN', `A guest "${kind}" is not a memcached guest`)
  }
  for (const name of Object.keys(options)) {
    if (name === 'port' || name === 'next' || name === 'threads') continue
    refuse(`Guest memcached has no option "${name}"; its options are ${optionNames}`)
  }
  const { port = '11211', next, threads = 1 } = options
  return {
    port: checkPort('port', port),
    next: next === undefined ? undefined : checkPort('next', next),
    threads: checkThreads(threads),
  }
}

/** @throws {GodwitError} `GUEST_OPTION` */
export function checkMemoryBytes(memoryBytes: number): number {
  if (memoryBytes >= MEMORY_BYTES_MIN && memoryBytes <= MEMORY_BYTES_MAX) return memoryBytes
  return refuse('Guest memcached has 8MiB to 4GiB of memory')
}

/** The identity of a guest. One thread is not said: peers of old refuse what they do not know. */
export function identityOf({ port, next, threads }: MemcachedSettings): GuestIdentity {
  const options = {
    ...(next === undefined ? {} : { next }),
    port,
    ...(threads === 1 ? {} : { threads }),
  }
  return { kind: MEMCACHED_KIND, options }
}

/** What somebody wrote of a memcached guest. */
export interface ParsedMemcached {
  readonly identity: GuestIdentity
  readonly memoryBytes: number
  /** Of the relay that is to follow it; none of the peer's business. */
  readonly relay?: ParsedRelay
}

export interface ParsedRelay {
  /** Its control socket. */
  readonly file: string
  /** HOST:PORT of the service at the destination, as it was written. */
  readonly reach?: string
}

/**
 * Reads `memcached[,port=PORT][,next=PORT][,threads=N][,relay=SOCKET][,reach=HOST:PORT]`.
 *
 * @param memoryBytes - undefined: 64 MiB
 * @throws {GodwitError} `GUEST_UNKNOWN`, `GUEST_OPTION`
 */
export function parseMemcached(
  text: string,
  memoryBytes: number = memoryBytesDefault,
): ParsedMemcached {
  const [kind = '', ...parts] = text.split(',')
  const options = splitOptions(parts, optionNames)
  const [file, reach] = [options.get('relay'), options.get('reach')]
  options.delete('relay')
  options.delete('reach')
  const settings = readIdentity({ kind, options: Object.fromEntries(options) })
  const parsed = { identity: identityOf(settings), memoryBytes: checkMemoryBytes(memoryBytes) }
  if (file !== undefined) {
    checkNext(settings, reach)
    return { ...parsed, relay: { file, ...(reach === undefined ? {} : { reach }) } }
  }
  if (reach !== undefined)
    refuse('Option reach of guest memcached is for a relay: add relay=SOCKET')
  return parsed
}

function splitOptions(parts: readonly string[], known: string): Map<string, string> {
  const options = new Map<string, string>()
  for (const part of parts) {
    const equals = part.indexOf('=')
    if (equals < 1) refuse(`"${part}" is not NAME=VALUE; the options of memcached: ${known}`)
    const name = part.slice(0, equals)
    if (options.has(name)) refuse(`Option ${name} of guest memcached is given twice`)
    options.set(name, part.slice(equals + 1))
  }
  return options
}

/**
 * Reads `memcached,listen=HOST`, of those who take guests in.
 *
 * @returns where services are to listen that arrive
 * @throws {GodwitError} `GUEST_OPTION`
 */
export function parseMemcachedHost(text: string): string {
  const [, ...parts] = text.split(',')
  const options = splitOptions(parts, 'listen')
  const host = options.get('listen')
  const isRight =
    options.size === 1 && host !== undefined && (isIP(host) > 0 || host === 'localhost')
  return isRight ? host : refuse(`"${text}" is not memcached,listen=HOST with an IP address`)
}

/** A relay has to be told where the service will be before it is there. */
function checkNext({ port, next }: MemcachedSettings, reach: string | undefined): void {
  if (reach !== undefined || (next ?? port) !== 0) return
  const which = next === undefined ? 'port' : 'next'
  refuse(`A relay cannot follow to any port: give guest memcached a ${which} that is not 0`)
}

/**
 * What somebody may write of a memcached guest (`memcached,port=11222`), and a peer may send.
 *
 * @module
 */
import { GodwitError, type GuestIdentity, MIB } from '@godwit/core'
import { MEMORY_BYTES_MAX, MEMORY_BYTES_MIN } from './layout.ts'

export const MEMCACHED_KIND = 'memcached'

/** One option, for help. */
export interface MemcachedOption {
  readonly name: 'port' | 'next'
  readonly value: string
  /** '' for none. */
  readonly fallback: string
  readonly help: string
}

export const MEMCACHED_HELP: {
  readonly kind: string
  readonly help: string
  readonly options: readonly MemcachedOption[]
} = {
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
  ],
}

const memoryBytesDefault: number = 64 * MIB

function refuse(text: string): never {
  throw new GodwitError('GUEST_OPTION', text)
}

function checkPort(name: string, value: string | number): number {
  const port = Number(value)
  if (/^\d{1,5}$/.test(String(value)) && port < 65_536) return port
  return refuse(`Option ${name} of guest memcached: "${value}" is not a port from 0 to 65535`)
}

/** Ports of an identity from anywhere; `next` is `port` where it is not given. */
export interface MemcachedPorts {
  readonly port: number
  readonly next: number | undefined
}

/** @throws {GodwitError} `GUEST_UNKNOWN`, `GUEST_OPTION` */
export function readIdentity({ kind, options }: GuestIdentity): MemcachedPorts {
  if (kind !== MEMCACHED_KIND) {
    throw new GodwitError('GUEST_UNKNOWN', `A guest "${kind}" is not a memcached guest`)
  }
  for (const name of Object.keys(options)) {
    if (MEMCACHED_HELP.options.some((option) => option.name === name)) continue
    refuse(`Guest memcached has no option "${name}"; its options are port, next`)
  }
  const { port = '11211', next } = options
  return {
    port: checkPort('port', port),
    next: next === undefined ? undefined : checkPort('next', next),
  }
}

/** @throws {GodwitError} `GUEST_OPTION` */
export function checkMemoryBytes(memoryBytes: number): number {
  if (memoryBytes >= MEMORY_BYTES_MIN && memoryBytes <= MEMORY_BYTES_MAX) return memoryBytes
  return refuse('Guest memcached has 8MiB to 4GiB of memory')
}

/** The identity of a guest with these ports. */
export function identityOf({ port, next }: MemcachedPorts): GuestIdentity {
  const options = next === undefined ? { port } : { next, port }
  return { kind: MEMCACHED_KIND, options }
}

/**
 * Reads `memcached[,port=PORT][,next=PORT]`.
 *
 * @param memoryBytes - undefined: 64 MiB
 * @throws {GodwitError} `GUEST_UNKNOWN`, `GUEST_OPTION`
 */
export function parseMemcached(
  text: string,
  memoryBytes: number = memoryBytesDefault,
): { readonly identity: GuestIdentity; readonly memoryBytes: number } {
  const [kind = '', ...parts] = text.split(',')
  const options = new Map<string, string>()
  for (const part of parts) {
    const equals = part.indexOf('=')
    if (equals < 1) refuse(`"${part}" is not NAME=VALUE; the options of memcached are port, next`)
    const name = part.slice(0, equals)
    if (options.has(name)) refuse(`Option ${name} of guest memcached is given twice`)
    options.set(name, part.slice(equals + 1))
  }
  const ports = readIdentity({ kind, options: Object.fromEntries(options) })
  return { identity: identityOf(ports), memoryBytes: checkMemoryBytes(memoryBytes) }
}

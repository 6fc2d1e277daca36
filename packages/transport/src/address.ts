/**
 * Addresses as people type them.
 *
 * @module
 */
import { isIPv4, isIPv6 } from 'node:net'
import { GodwitError } from '@godwit/core'

/** Where to dial or listen. */
export interface Address {
  readonly transport: 'tcp' | 'ws'
  /** A name or an IP address; IPv6 without brackets. */
  readonly host: string
  /** 0 .. 65535; 0 lets the system choose when listening. */
  readonly port: number
}

const addressForm = /^(ws:\/\/)?(?:\[([^\]]+)\]|([^\s:/?#@[\]]+)):(\d{1,5})(\/?)$/i

/**
 * `HOST:PORT`, `[::1]:PORT` or `ws://HOST:PORT[/]`.
 *
 * @throws {GodwitError} `ADDRESS_INVALID`
 */
export function parseAddress(text: string): Address {
  const match = addressForm.exec(text)
  if (match === null) throw invalid(text)
  const [, scheme, bracketed, name, digits, slash] = match
  const port = Number(digits)
  const isWellFormed =
    port <= 65535 &&
    (bracketed === undefined || isIPv6(bracketed)) &&
    (slash === '' || scheme !== undefined)
  if (!isWellFormed) throw invalid(text)
  return { transport: scheme === undefined ? 'tcp' : 'ws', host: bracketed ?? name!, port }
}

function invalid(text: string): GodwitError {
  return new GodwitError(
    'ADDRESS_INVALID',
    `"${text}" is not an address; write it like 127.0.0.1:7000, [::1]:7000 or ws://127.0.0.1:7000`,
  )
}

/** `HOST:PORT`, with brackets around an IPv6 host. */
export function formatHostPort(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`
}

/** Whether only this machine can be at the other end: 127.0.0.0/8, `::1`, `localhost`. */
export function isLoopback(host: string): boolean {
  if (host.toLowerCase() === 'localhost') return true
  // `URL` writes every spelling of ::1 in the shortest way.
  if (isIPv6(host)) return !host.includes('%') && new URL(`ws://[${host}]`).hostname === '[::1]'
  return isIPv4(host) && host.startsWith('127.')
}

/**
 * Guest memory travels in the clear, so leaving the machine has to be asked for.
 *
 * @throws {GodwitError} `INSECURE_ADDRESS`
 */
export function requireSecureOrLoopback(host: string, insecure: boolean): void {
  if (insecure || isLoopback(host)) return
  throw new GodwitError(
    'INSECURE_ADDRESS',
    `${host} reaches beyond this machine, without authentication or encryption; ` +
      'take --psk-file or --tls-cert, a tunnel to 127.0.0.1, or say --insecure',
  )
}

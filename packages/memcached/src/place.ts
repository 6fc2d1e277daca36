/**
 * Where a service listens.
 *
 * @module
 */

/** What clients connect to. */
export interface Place {
  /** A name or an IP address. */
  readonly host: string
  readonly port: number
}

/** Where a service listens that nobody has told another place. */
export const LOOPBACK = '127.0.0.1'

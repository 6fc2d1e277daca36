/**
 * Options that say how agents prove who they are. Secrets come from files: a command line is
 * everybody's to read.
 *
 * @module
 */
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { GodwitError } from '@godwit/core'
import type { Command } from 'commander'
import type { SecurityOptions } from 'godwit'
import { PSK_BYTES_MAX } from 'godwit'

/** Files, all of them; `send`, `receive` and `demo` share them. */
export interface SecuritySettings {
  readonly pskFile?: string
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly tlsCa?: string
  readonly tlsPeer?: string
}

/** Adds the options of {@link SecuritySettings}. */
export function addSecurityOptions(command: Command): Command {
  return command
    .option(
      '--psk-file <FILE>',
      'a key that both sides have, 16 to 1024 random bytes: authenticates and encrypts',
    )
    .option('--tls-cert <FILE>', 'TLS 1.3, with a certificate on both sides: this one, PEM')
    .option('--tls-key <FILE>', 'its private key, PEM')
    .option('--tls-ca <FILE>', "who must have signed the other side's certificate, PEM")
    .option(
      '--tls-peer <NAME>',
      'whom it must name (default: the host of --to; at a destination anybody who is signed)',
    )
}

/** Certificates are a few KiB; a chain of them, too. */
const pemBytesMax = 1024 * 1024
/** Bits of a mode that give others than owner and group anything. */
const othersMode = 0o007

/**
 * Reads the files that are named; undefined where none is.
 *
 * @throws {GodwitError} `USAGE`, `FILE_UNREADABLE`
 */
export function readSecurity(settings: SecuritySettings): SecurityOptions | undefined {
  const { pskFile, tlsCert, tlsKey, tlsCa, tlsPeer } = settings
  const tls = [tlsCert, tlsKey, tlsCa].filter((file) => file !== undefined)
  const hasTls = tls.length > 0 || tlsPeer !== undefined
  if (pskFile !== undefined && hasTls) {
    throw new GodwitError('USAGE', 'Take either --psk-file or the options of --tls-, not both')
  }
  if (pskFile !== undefined) return { psk: readKey(pskFile) }
  if (!hasTls) return undefined
  if (tlsCert === undefined || tlsKey === undefined || tlsCa === undefined) {
    throw new GodwitError('USAGE', 'TLS takes all of --tls-cert, --tls-key and --tls-ca')
  }
  const cert = readSmall(tlsCert, pemBytesMax)
  const key = readSecret(tlsKey, pemBytesMax)
  return { tls: { cert, key, ca: readSmall(tlsCa, pemBytesMax), peer: tlsPeer } }
}

/** A line break at the end is the editor's. */
function readKey(file: string): Uint8Array {
  const bytes = readSecret(file, PSK_BYTES_MAX + 2)
  const end = bytes.at(-1) === 0x0a ? (bytes.at(-2) === 0x0d ? -2 : -1) : bytes.length
  return bytes.subarray(0, end)
}

/** Whoever reads such a file can take memory of guests by it. */
export function readSecret(file: string, bytesMax: number): Uint8Array {
  const { bytes, mode } = readOpened(file, bytesMax)
  if (process.platform !== 'win32' && (mode & othersMode) !== 0) {
    const text = `${file} is open to every user of this machine; chmod 600 it, and take a new one`
    throw new GodwitError('USAGE', text)
  }
  return bytes
}

function readSmall(file: string, bytesMax: number): Uint8Array {
  return readOpened(file, bytesMax).bytes
}

/** A regular file, which ends and waits for nobody; or a pipe, whose writer is waited for. */
function readOpened(file: string, bytesMax: number): { bytes: Uint8Array; mode: number } {
  let descriptor: number | undefined
  try {
    const waits = statSync(file).isFIFO() ? 0 : constants.O_NONBLOCK
    descriptor = openSync(file, constants.O_RDONLY | waits)
    const stat = fstatSync(descriptor)
    if (!stat.isFile() && !stat.isFIFO()) throw new Error('it is no regular file, and no pipe')
    const read = new Uint8Array(bytesMax + 1)
    let length = 0
    for (let more = -1; more !== 0 && length < read.length; length += more) {
      more = readSync(descriptor, read, length, read.length - length, null)
    }
    if (length > bytesMax) {
      const size = Math.max(length, stat.size)
      const text = `${file} has ${size} bytes; what belongs there has at most ${bytesMax}`
      throw new GodwitError('USAGE', text)
    }
    return { bytes: read.slice(0, length), mode: stat.mode }
  } catch (thrown) {
    if (thrown instanceof GodwitError) throw thrown
    const { code, message } = thrown as NodeJS.ErrnoException
    const text = `${file} cannot be read: ${code ?? message}`
    throw new GodwitError('FILE_UNREADABLE', text, { cause: thrown })
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

/**
 * Values with units, as people type and read them: `64MiB`, `300ms`, `1Gbit`.
 *
 * @module
 */
import { GodwitError } from './errors.ts'

export const KIB = 1024
export const MIB: number = 1024 * KIB
export const GIB: number = 1024 * MIB

const byteUnits: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KIB: KIB,
  MIB: MIB,
  GIB: GIB,
  TIB: 1024 * GIB,
  K: KIB,
  M: MIB,
  G: GIB,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
}
const durationUnitsMs: Readonly<Record<string, number>> = {
  US: 1e-3,
  MS: 1,
  S: 1e3,
  M: 6e4,
  MIN: 6e4,
  H: 36e5,
}

function parseWithUnit(
  text: string,
  units: Readonly<Record<string, number>>,
  what: string,
  example: string,
): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-zA-Z]*)$/.exec(text.trim())
  const unit = match === null ? undefined : units[match[2]!.toUpperCase()]
  if (match === null || unit === undefined) {
    throw new GodwitError('USAGE', `"${text}" is not ${what}; write it like ${example}`)
  }
  return Number(match[1]) * unit
}

/** `64MiB` -> bytes. A bare number is bytes. @throws {GodwitError} `USAGE` */
export function parseBytes(text: string): number {
  const bytes = parseWithUnit(text, byteUnits, 'a size', '64MiB or 1GiB')
  if (!Number.isSafeInteger(bytes)) {
    throw new GodwitError('USAGE', `"${text}" is not a whole number of bytes`)
  }
  return bytes
}

/** `300ms`, `2s`, `1m` -> milliseconds. The unit is required. @throws {GodwitError} `USAGE` */
export function parseDurationMs(text: string): number {
  return parseWithUnit(text, durationUnitsMs, 'a duration', '300ms or 2s')
}

const rateUnitsBytes: Readonly<Record<string, number>> = {
  BIT: 1 / 8,
  KBIT: 1e3 / 8,
  MBIT: 1e6 / 8,
  GBIT: 1e9 / 8,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
}

/** `100Mbit`, `1Gbit`, `50MB` -> bytes per second. The unit is required. @throws `USAGE` */
export function parseRate(text: string): number {
  const bytesPerSecond = parseWithUnit(text, rateUnitsBytes, 'a rate', '100Mbit or 1Gbit')
  if (bytesPerSecond <= 0) throw new GodwitError('USAGE', `A rate of "${text}" moves nothing`)
  return bytesPerSecond
}

/**
 * Checks a rate that a caller gives as a number; `Infinity` is no cap.
 *
 * @param name - of what it is the rate
 * @throws {GodwitError} `USAGE`: it is not above 0
 */
export function checkRate(bytesPerSecond: number, name: string): number {
  if (bytesPerSecond > 0) return bytesPerSecond
  const text = `${name} is to be above 0 bytes per second, not ${bytesPerSecond}`
  throw new GodwitError('USAGE', `${text}; for no cap give Infinity`)
}

/** `67108864` -> `64 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  const digits = unit === 0 || Number.isInteger(value) ? 0 : Math.abs(value) < 10 ? 2 : 1
  return `${value.toFixed(digits)} ${units[unit]}`
}

/** `1536` -> `1.54 s`; small values in `ms` or `us`. */
export function formatDurationMs(ms: number): string {
  if (ms < 1) return `${(ms * 1e3).toFixed(0)} us`
  if (ms < 10) return `${ms.toFixed(2)} ms`
  if (ms < 1000) return `${ms.toFixed(0)} ms`
  if (ms < 60_000) return `${(ms / 1e3).toFixed(2)} s`
  const seconds = Math.round(ms / 1e3)
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

/** Bytes per second -> `1.25 GB/s`. Rates are decimal, as links are sold. */
export function formatRate(bytesPerSecond: number): string {
  const units = ['B/s', 'kB/s', 'MB/s', 'GB/s']
  let value = bytesPerSecond
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${value.toFixed(unit === 0 ? 0 : value < 10 ? 2 : 1)} ${units[unit]}`
}

/** `0.205` -> `21 %`. */
export function formatShare(share: number): string {
  return `${(share * 100).toFixed(0)} %`
}

/** Groups thousands: `262144` -> `262,144`. */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString('en-US')
}

/** Lower-case hexadecimal, for digests and session ids. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** The bytes that {@link toHex} wrote so. */
export function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

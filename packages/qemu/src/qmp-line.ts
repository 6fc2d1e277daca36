/**
 * One line of QEMU's machine protocol (QMP, docs/interop/qmp-spec.rst of QEMU): a JSON object whose
 * keys tell what it is.
 *
 * @module
 */
import { GodwitError } from '@godwit/core'

/** Something that happened in QEMU. */
export interface QmpEvent {
  /** In capitals: `STOP`, `RESUME`, `MIGRATION`, ... */
  readonly name: string
  readonly data: Readonly<Record<string, unknown>>
  /** Milliseconds since 1970, by the clock of QEMU's host. */
  readonly atMs: number
}

/** What one line says. Answers have the number of their command, where that was understood. */
export type QmpLine =
  | { readonly type: 'greeting'; readonly version: string }
  | { readonly type: 'event'; readonly event: QmpEvent }
  | { readonly type: 'answer'; readonly id: number | undefined; readonly value: unknown }
  | {
      readonly type: 'refusal'
      readonly id: number | undefined
      readonly kind: string
      readonly text: string
    }

/** QEMU did not do what it was told to, and says why. */
export class QmpRefusal extends GodwitError {
  readonly command: string
  /** QEMU's class of the error: `GenericError`, `CommandNotFound`, ... */
  readonly kind: string

  constructor(command: string, kind: string, text: string) {
    super('GUEST_FAILED', `QEMU refuses ${command}: ${text}`)
    this.command = command
    this.kind = kind
  }
}

type Fields = Readonly<Record<string, unknown>>

function fieldsOf(value: unknown): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  return {}
}

function textOf(value: unknown, fallback: string): string {
  return typeof value === 'string' ? value : fallback
}

function countOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0
}

/** `7.2.22` of a greeting. */
function versionOf(greeting: Fields): string {
  const { major, minor, micro } = fieldsOf(fieldsOf(greeting['version'])['qemu'])
  return [major, minor, micro].map(countOf).join('.')
}

function eventOf(line: Fields): QmpEvent {
  const { seconds, microseconds } = fieldsOf(line['timestamp'])
  const atMs = countOf(seconds) * 1e3 + countOf(microseconds) / 1e3
  return { name: textOf(line['event'], ''), data: fieldsOf(line['data']), atMs }
}

/** @throws {GodwitError} `GUEST_FAILED`: that is not of the protocol */
export function parseQmpLine(line: string): QmpLine {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (error) {
    throw notQmp(line, error)
  }
  const fields = fieldsOf(value)
  const id = typeof fields['id'] === 'number' ? fields['id'] : undefined
  if ('QMP' in fields) return { type: 'greeting', version: versionOf(fieldsOf(fields['QMP'])) }
  if ('event' in fields) return { type: 'event', event: eventOf(fields) }
  if ('error' in fields) {
    const { class: kind, desc } = fieldsOf(fields['error'])
    const text = textOf(desc, 'it does not say why')
    return { type: 'refusal', id, kind: textOf(kind, 'GenericError'), text }
  }
  if ('return' in fields) return { type: 'answer', id, value: fields['return'] }
  throw notQmp(line)
}

const shownMax = 60

function notQmp(line: string, cause?: unknown): GodwitError {
  const shown = line.length > shownMax ? `${line.slice(0, shownMax)}...` : line
  const text = `That is not a QMP socket of QEMU; it says ${JSON.stringify(shown)}`
  return new GodwitError('GUEST_FAILED', text, { cause })
}

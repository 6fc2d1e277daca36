/**
 * Bodies of messages for people and programs: short, safe to print, without what memory holds.
 *
 * @module
 */
import { toHex } from '@godwit/core'
import type { Message } from '@godwit/wire'
import { decodePageRuns, errorCodeOf } from '@godwit/wire'

/** What JSON can say. */
export type ShortValue =
  | null
  | boolean
  | number
  | string
  | readonly ShortValue[]
  | { readonly [key: string]: ShortValue }

/** Digests and seeds are told; whatever is longer is a guest's. */
const hexBytesMax = 32
const runsMax = 16
const itemsMax = 64

/** Bytes that belong to the guest. */
const contents: ReadonlySet<string> = new Set(['package', 'registers', 'token'])

/** The keys of a message. @param withContents - what belongs to the guest, too */
export function shortBody(message: Message, withContents: boolean): Record<string, ShortValue> {
  const { body } = message
  const short: Record<string, ShortValue> = {}
  for (const [key, value] of Object.entries(body as object)) {
    short[key] = shortKey(key, value, withContents)
  }
  if (message.name === 'Error') short['code'] = errorCodeOf(message.body.code)
  return short
}

function shortKey(key: string, value: unknown, withContents: boolean): ShortValue {
  if (!(value instanceof Uint8Array)) return shortValue(value, withContents)
  if (key === 'runs') return shortRuns(value)
  if (contents.has(key)) return withContents ? toHex(value) : `${value.length} bytes`
  return shortValue(value, withContents)
}

function shortRuns(bytes: Uint8Array): ShortValue {
  const runs = decodePageRuns(bytes)
  const texts = runs.slice(0, runsMax).map(runText)
  if (runs.length > runsMax) texts.push(`and ${runs.length - runsMax} more`)
  return texts.join(' ')
}

/** First page and number of pages. */
export function runText(run: { readonly firstPage: number; readonly pageCount: number }): string {
  return `${run.firstPage}+${run.pageCount}`
}

function shortValue(value: unknown, withContents: boolean): ShortValue {
  if (value instanceof Uint8Array) {
    return value.length <= hexBytesMax ? toHex(value) : `${value.length} bytes`
  }
  if (Array.isArray(value)) {
    const items = value.slice(0, itemsMax).map((item) => shortValue(item, withContents))
    return value.length > itemsMax ? [...items, `and ${value.length - itemsMax} more`] : items
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value)
    return Object.fromEntries(entries.map(([key, one]) => [key, shortKey(key, one, withContents)]))
  }
  if (typeof value === 'string' || typeof value === 'number') return value
  return typeof value === 'boolean' ? value : null
}

/** Signs that would do something to a terminal, or hide what stands beside them. */
const unsafe =
  // oxlint-disable-next-line no-control-regex -- to find these signs is what it is for
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g

/** A peer's text on one line of a terminal. */
export function safeText(text: string): string {
  return text.replace(unsafe, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** `{key: value, ...}`, as short as it can be. */
export function valueText(value: ShortValue): string {
  if (Array.isArray(value)) return `[${value.map(valueText).join(', ')}]`
  if (typeof value === 'object' && value !== null) {
    const pairs = Object.entries(value).map(([key, one]) => `${safeText(key)}: ${valueText(one)}`)
    return `{${pairs.join(', ')}}`
  }
  return typeof value === 'string' ? safeText(value) : String(value)
}

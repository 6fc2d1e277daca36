/**
 * Runs that name content instead of carrying it, and deltas, by hand.
 *
 * @module
 */
import { PageEncoding } from '@godwit/wire'
import type { Run } from './batch.ts'
import { Failure } from './failure.ts'
import type { Hashes } from './hashes.ts'
import { joined } from './hashes.ts'

/** The first four bytes of a page's fingerprint. */
export function checkOf(hashes: Hashes, page: Uint8Array): number {
  const bytes = hashes.fingerprint(page)
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
}

/** Numbers of the given widths, one after the other. */
function pack(...fields: readonly (readonly [value: number, width: 2 | 4])[]): Uint8Array {
  const bytes = new Uint8Array(fields.reduce((sum, [, width]) => sum + width, 0))
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const [value, width] of fields) {
    if (width === 2) view.setUint16(at, value, true)
    else view.setUint32(at, value, true)
    at += width
  }
  return bytes
}

/** One page that holds what another one holds. */
export function sameAs(
  page: number,
  of: { readonly region: number; readonly page: number },
  check: number,
  content: Uint8Array,
): Run {
  const payload = pack([of.region, 2], [0, 2], [of.page, 4], [check, 4])
  const encoding = PageEncoding.SameAs
  return { firstPage: page, pageCount: 1, encoding, payload, pages: [content] }
}

/** One page out of the content store. */
export function reference(page: number, slot: number, check: number, content: Uint8Array): Run {
  const payload = pack([slot, 4], [check, 4])
  const encoding = PageEncoding.Reference
  return { firstPage: page, pageCount: 1, encoding, payload, pages: [content] }
}

/** One page that is to be in a slot. */
export function keep(page: number, slot: number): Run {
  const encoding = PageEncoding.Keep
  return { firstPage: page, pageCount: 1, encoding, payload: pack([slot, 4]), pages: [] }
}

/** One page that changes a little. */
export function delta(page: number, check: number, change: Uint8Array, content: Uint8Array): Run {
  const payload = joined([pack([check, 4], [change.length, 2]), change])
  const encoding = PageEncoding.Delta
  return { firstPage: page, pageCount: 1, encoding, payload, pages: [content] }
}

/** One page that is another one, changed a little. */
export function similar(
  page: number,
  of: { readonly region: number; readonly page: number },
  check: number,
  change: Uint8Array,
  content: Uint8Array,
): Run {
  const head = pack([of.region, 2], [change.length, 2], [of.page, 4], [check, 4])
  const encoding = PageEncoding.Similar
  return {
    firstPage: page,
    pageCount: 1,
    encoding,
    payload: joined([head, change]),
    pages: [content],
  }
}

function uleb(value: number): readonly number[] {
  return value < 128 ? [value] : [(value & 0x7f) | 0x80, ...uleb(value >>> 7)]
}

/** A delta of one pair: `bytes` from `at` on. */
export function change(at: number, ...bytes: readonly number[]): Uint8Array {
  return Uint8Array.from([...uleb(at), ...uleb(bytes.length), ...bytes])
}

/** One LZ4 block of literals only. */
export function lz4Literals(payload: Uint8Array): Uint8Array {
  const head = [payload.length < 15 ? payload.length << 4 : 0xf0]
  for (let left = payload.length - 15; left >= 0; left -= 255) head.push(Math.min(left, 255))
  return joined([Uint8Array.from(head), payload])
}

/** A page changed by a delta. @throws {Failure} `C5.21` */
export function applyDelta(base: Uint8Array, bytes: Uint8Array): Uint8Array {
  const page = base.slice()
  let [at, from] = [0, 0]
  const number = (): number => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[from++] ?? 0
      value |= (byte & 0x7f) << shift
      if ((byte & 0x80) === 0) return value
      if (shift === 14) throw new Failure('C5.21', 'numbers of at most three bytes', 'more')
    }
  }
  while (from < bytes.length) {
    const isFirst = from === 0
    const stay = number()
    const change = number()
    const fits = at + stay + change <= page.length && from + change <= bytes.length
    const isRight = change > 0 && (stay > 0 || isFirst) && fits
    if (!isRight) throw new Failure('C5.21', 'a delta as in section 5', `${stay}+${change}`)
    page.set(bytes.subarray(from, from + change), at + stay)
    from += change
    at += stay + change
  }
  return page
}

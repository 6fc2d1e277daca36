/**
 * What keys of control messages may hold, where several messages have the same.
 *
 * @module
 */
import * as v from 'valibot'
import { NAME_CHARS_MAX } from './limits.ts'

/** Of what a key may hold. */
type Field<T> = v.GenericSchema<T>

export const uint = (maximum: number): Field<number> =>
  v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(maximum))

export const u16: Field<number> = uint(0xffff)
export const u32: Field<number> = uint(0xffffffff)
export const count: Field<number> = uint(Number.MAX_SAFE_INTEGER)

export const name: Field<string> = v.pipe(v.string(), v.minLength(1), v.maxLength(NAME_CHARS_MAX))

const binary = (isRight: (byteLength: number) => boolean): Field<Uint8Array> =>
  v.pipe(
    v.instance(Uint8Array),
    v.check((value) => isRight(value.length)),
  )

/** Up to so many bytes. */
export const bytes = (maximum: number): Field<Uint8Array> =>
  binary((byteLength) => byteLength <= maximum)

/** So many bytes, no more and no less. */
export const exactly = (wanted: number): Field<Uint8Array> =>
  binary((byteLength) => byteLength === wanted)

/** Whole records, one at least. */
export const records = (recordBytes: number, maximum: number): Field<Uint8Array> =>
  binary((byteLength) => {
    return byteLength > 0 && byteLength <= maximum && byteLength % recordBytes === 0
  })

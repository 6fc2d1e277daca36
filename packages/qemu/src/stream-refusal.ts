/**
 * What is said of records of memory that are not understood.
 *
 * @module
 */
import { hex } from './stream-bytes.ts'
import { otherRecords, StreamError } from './stream-format.ts'

/** @param offset - of the record, in the stream */
export function unknownRecord(flags: number, offset: number): StreamError {
  const known = [...otherRecords].find(([flag]) => (flags & flag) !== 0)
  if (known === undefined) {
    return new StreamError(
      `flags ${hex(flags)}`,
      offset,
      `a record of memory of flags ${hex(flags)}`,
    )
  }
  const [, name] = known
  const text = `a record of memory "${name}": turn off QEMU's capability of that name`
  return new StreamError(name, offset, text)
}

export function wrongPage(address: number, offset: number): StreamError {
  return new StreamError('page', offset, `a page at ${hex(address)} of no block, or beyond its end`)
}

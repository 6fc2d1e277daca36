import { describe, expect, it } from 'vitest'
import {
  CancelledError,
  GodwitError,
  LimitError,
  PageBitmap,
  FingerprintTable,
  PeerError,
  TransportError,
  bytesOf,
  errorOf,
  errorParts,
  isShared,
  spanOf,
} from './index.ts'

describe('errors between threads', () => {
  it.each([
    new GodwitError('USAGE', 'a', { phase: 'pre-copy' }),
    new TransportError('CONNECTION_LOST', 'b'),
    new TransportError('CONNECTION_LOST', 'b', { retryable: false }),
    new PeerError('NO_ROOM', 'c'),
    new CancelledError(),
    new LimitError('LIMIT_EXCEEDED', 'd', { limit: 'x', value: 2, maximum: 1 }),
  ])('stay what they are: %s', (error) => {
    const arrived = errorOf(structuredClone(errorParts(error)))
    expect(arrived).toBeInstanceOf(error.constructor)
    expect(errorParts(arrived)).toEqual(errorParts(error))
  })
})

describe('memory between threads', () => {
  it('is the same memory at the other end', () => {
    const set = PageBitmap.shared(70)
    const table = FingerprintTable.shared(3, 8)
    expect([isShared(table.bytes), isShared(new Uint8Array(8))]).toEqual([true, false])
    const words = structuredClone(set.words)
    new PageBitmap(70, words).add(69)
    expect(set.has(69)).toBe(true)
    const part = bytesOf(structuredClone(spanOf(table.bytes.subarray(8, 16))))
    part[0] = 9
    expect(table.words64[1]).toBe(9n)
  })
})

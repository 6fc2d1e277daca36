import { FingerprintTable } from '@godwit/core'
import { allocateRegion } from '@godwit/memory'
import { expect, it } from 'vitest'
import { sentOfSpans, spansOfSent } from './round-spans.ts'

const pageBytes = 4096

it.each([false, true])('a region arrives as it was; its memory too: %s', (comparesInPlace) => {
  const region = allocateRegion({ id: 3, name: 'ram', byteLength: 10_000, comparesInPlace })
  region.bytes[9999] = 7
  const [sent] = sentOfSpans(
    spansOfSent([{ region, fingerprints: FingerprintTable.shared(3, 8) }]),
    pageBytes,
  )
  expect(sent!.region.memory).toBe(region.memory)
  expect(sent!.region.memory !== undefined).toBe(comparesInPlace)
  expect(sent!.region).toMatchObject({ id: 3, name: 'ram' })
  expect(sent!.region.bytes).toEqual(region.bytes)
  expect(sent!.fingerprints.entryCount).toBe(3)
})

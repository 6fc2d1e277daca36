import { GIB, type GuestOffer, type RegionShape } from '@godwit/core'
import { expect, test } from 'vitest'
import { isStreamOffer, readStreamOffer } from './stream-offer.ts'

const facts = { cpus: 1, machine: 'pc-q35-7.2-machine', memory: 8192, target: 'x86_64' }
const options = { ...facts, version: '7.2.22', attach: 'stream' }
const ram = { id: 0, name: 'pc.ram', byteLength: 8192 }
const bios = { id: 1, name: 'pc.bios', byteLength: 4096 }

function offerOf(regions: readonly RegionShape[], pageBytes = 4096): GuestOffer {
  return { identity: { kind: 'qemu', options }, pageBytes, regions }
}

test('an offer names the blocks', () => {
  const offer = offerOf([bios, ram])
  expect(isStreamOffer(offer)).toBe(true)
  expect(isStreamOffer({ identity: { kind: 'qemu', options: facts } })).toBe(false)
  const { blocks } = readStreamOffer(offer)
  expect(blocks.map(({ shapes }) => shapes)).toEqual([[bios], [ram]])
})

test('a block that is larger than a region is offered in parts', () => {
  const parts = [
    { id: 0, name: 'pc.ram#0', byteLength: 4 * GIB },
    { id: 1, name: 'pc.ram#1', byteLength: 8192 },
  ]
  const { blocks } = readStreamOffer(offerOf(parts))
  expect(blocks).toEqual([{ name: 'pc.ram', byteLength: 4 * GIB + 8192, shapes: parts }])
})

test.each([
  [[]],
  [[ram, { ...bios, name: 'pc.ram' }]],
  [[ram, { ...bios, name: '' }]],
  [[ram, { ...bios, name: 'ü'.repeat(65) }]],
  [[ram, { ...bios, byteLength: 4095 }]],
  [[{ ...ram, name: 'pc.ram#1' }, bios]],
])('an offer of other regions is refused: %o', (regions) => {
  const refused = expect.objectContaining({ code: 'GUEST_OPTION' })
  expect(() => readStreamOffer(offerOf(regions))).toThrow(refused)
})

test('an offer of other pages is refused', () => {
  const code = 'PAGE_SIZE_MISMATCH'
  expect(() => readStreamOffer(offerOf([ram], 16384))).toThrow(expect.objectContaining({ code }))
})

test('another kind of guest is refused, and an option that nobody knows', () => {
  const offer = offerOf([ram])
  const other = { ...offer, identity: { kind: 'writer', options } }
  const more = { ...offer, identity: { kind: 'qemu', options: { ...options, more: 1 } } }
  const coded = (code: string): unknown => expect.objectContaining({ code })
  expect(() => readStreamOffer(other)).toThrow(coded('GUEST_UNKNOWN'))
  expect(() => readStreamOffer(more)).toThrow(coded('GUEST_OPTION'))
})

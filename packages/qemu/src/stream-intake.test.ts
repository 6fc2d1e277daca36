import { type GuestOffer, GIB, type RegionShape } from '@godwit/core'
import { expect, test } from 'vitest'
import { checkDevices, isStreamOffer, machineName, readStreamOffer } from './stream-intake.ts'

const facts = { cpus: 1, machine: 'pc-q35-7.2-machine', memory: 8192, target: 'x86_64' }
const options = { ...facts, version: '7.2.22', attach: 'stream' }
const ram = { id: 0, name: 'pc.ram', byteLength: 8192 }
const bios = { id: 1, name: 'pc.bios', byteLength: 4096 }

function offerOf(regions: readonly RegionShape[], pageBytes = 4096): GuestOffer {
  return { identity: { kind: 'qemu', options }, pageBytes, regions }
}

test('an offer names the blocks, and which of them is RAM', () => {
  const offer = offerOf([bios, ram])
  expect(isStreamOffer(offer)).toBe(true)
  expect(isStreamOffer({ identity: { kind: 'qemu', options: facts } })).toBe(false)
  expect(readStreamOffer(offer)).toMatchObject({ ram, shapes: [bios, ram], otherBytes: 4096 })
  expect(machineName(facts)).toBe('pc-q35-7.2')
})

test.each([
  [[bios], 'GUEST_OPTION'],
  [[ram, { ...bios, name: 'pc.ram' }], 'GUEST_OPTION'],
  [[ram, { ...bios, name: '' }], 'GUEST_OPTION'],
  [[ram, { ...bios, name: 'ü'.repeat(65) }], 'GUEST_OPTION'],
  [[ram, { ...bios, byteLength: 4095 }], 'GUEST_OPTION'],
  [[ram, { ...bios, byteLength: GIB + 4096 }], 'LIMIT_EXCEEDED'],
])('an offer of other regions is refused: %o', (regions, code) => {
  expect(() => readStreamOffer(offerOf(regions))).toThrow(expect.objectContaining({ code }))
})

test('an offer of other pages is refused', () => {
  const code = 'PAGE_SIZE_MISMATCH'
  expect(() => readStreamOffer(offerOf([ram], 16384))).toThrow(expect.objectContaining({ code }))
})

test('what came behind the memory begins with a device, or ends there', () => {
  expect(() => checkDevices(Uint8Array.of(4, 1, 2))).not.toThrow()
  expect(() => checkDevices(Uint8Array.of(0))).not.toThrow()
  const refused = expect.objectContaining({ code: 'PROTOCOL_STATE' })
  for (const wrong of [[], [2, 0, 0, 0, 2], [1]]) {
    expect(() => checkDevices(Uint8Array.from(wrong))).toThrow(refused)
  }
})

test('another kind of guest is refused, and an option that nobody knows', () => {
  const offer = offerOf([ram])
  const other = { ...offer, identity: { kind: 'writer', options } }
  const more = { ...offer, identity: { kind: 'qemu', options: { ...options, more: 1 } } }
  const coded = (code: string): unknown => expect.objectContaining({ code })
  expect(() => readStreamOffer(other)).toThrow(coded('GUEST_UNKNOWN'))
  expect(() => readStreamOffer(more)).toThrow(coded('GUEST_OPTION'))
})

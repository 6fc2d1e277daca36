import { type GuestOffer, GIB, type RegionShape } from '@godwit/core'
import { expect, test } from 'vitest'
import { isStreamOffer, machineName, readStreamOffer } from './stream-intake.ts'
import { deviceState, STATE_HEAD } from './stream-state.ts'

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
  [[bios], 'PROTOCOL_STATE'],
  [[ram, { ...bios, name: 'pc.ram' }], 'PROTOCOL_STATE'],
  [[ram, { ...bios, name: '' }], 'PROTOCOL_STATE'],
  [[ram, { ...bios, name: 'ü'.repeat(65) }], 'PROTOCOL_STATE'],
  [[ram, { ...bios, byteLength: 4095 }], 'PROTOCOL_STATE'],
  [[ram, { ...bios, byteLength: GIB + 4096 }], 'LIMIT_EXCEEDED'],
])('an offer of other regions is refused: %o', (regions, code) => {
  expect(() => readStreamOffer(offerOf(regions))).toThrow(expect.objectContaining({ code }))
})

test('an offer of other pages is refused', () => {
  const code = 'PAGE_SIZE_MISMATCH'
  expect(() => readStreamOffer(offerOf([ram], 16384))).toThrow(expect.objectContaining({ code }))
})

test('a state package has a head, and begins with a device', () => {
  const state = Uint8Array.of(...STATE_HEAD, 4, 1, 2)
  expect([...deviceState(state)]).toEqual([4, 1, 2])
  const code = 'PROTOCOL_STATE'
  for (const wrong of [STATE_HEAD, state.subarray(1), Uint8Array.of(...STATE_HEAD, 2), []]) {
    expect(() => deviceState(Uint8Array.from(wrong))).toThrow(expect.objectContaining({ code }))
  }
})

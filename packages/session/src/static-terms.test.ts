import { PageBitmap } from '@godwit/core'
import type { ImageOffer, MapOffer, Reserve, StaticOffer } from '@godwit/wire'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { StaticAnswers, checkStaticOffers, staticHeldFrames } from './static-terms.ts'

const proof = new Uint8Array(16)
const code = (name: string) => expect.objectContaining({ code: name })

const map = (entries: number): MapOffer => ({
  kind: 'map',
  os: 'debian/13',
  hypervisor: 'qemu/10',
  version: 2,
  entries,
  positions: 0,
  mode: 'content',
  proof,
})
const image: ImageOffer = { kind: 'image', id: new Uint8Array(16), proof }

/** Of a guest of 100 pages in two regions, the last of each short. */
const reserve = (...offers: readonly StaticOffer[]): Reserve => ({
  guest: { kind: 'memory', options: {} },
  regions: [
    { id: 0, name: 'a', byteLength: 4096 * 60 - 1 },
    { id: 1, name: 'b', byteLength: 4096 * 39 + 1 },
  ],
  ...(offers.length === 0 ? {} : { static: offers }),
})

describe('offers', () => {
  it('are taken where that was agreed, and only there', () => {
    expect(() => checkStaticOffers(reserve(), false, 4096)).not.toThrow()
    expect(() => checkStaticOffers(reserve(map(1)), true, 4096)).not.toThrow()
    const refused = code('PROTOCOL_CAPABILITY')
    expect(() => checkStaticOffers(reserve(image), false, 4096)).toThrow(refused)
  })

  it('have no more entries than a guest of that size has use for', () => {
    const refused = expect.objectContaining({ limit: 'staticEntriesMax', maximum: 400 })
    expect(() => checkStaticOffers(reserve(map(400)), true, 4096)).not.toThrow()
    expect(() => checkStaticOffers(reserve(map(401)), true, 4096)).toThrow(refused)
  })

  it('are bounded all together, whatever the guest', () => {
    const huge = { ...reserve(), regions: [{ id: 0, name: 'a', byteLength: 2 ** 36 }] }
    const two = { ...huge, static: [map(2 ** 24), map(2 ** 24)] }
    expect(() => checkStaticOffers(two, true, 4096)).not.toThrow()
    const refused = expect.objectContaining({ limit: 'staticEntriesSumMax' })
    const three = { ...huge, static: [map(2 ** 24), map(2 ** 24), map(1)] }
    expect(() => checkStaticOffers(three, true, 4096)).toThrow(refused)
  })
})

describe('an answer', () => {
  it('says which entries are held, in frames of any size', () => {
    const sets = fc.uniqueArray(fc.nat(999), { maxLength: 200 })
    fc.assert(
      fc.property(sets, fc.integer({ min: 1, max: 40 }), (entries, bytesMax) => {
        const held = new PageBitmap(1000)
        for (const entry of entries) held.add(entry)
        const answers = new StaticAnswers([image, map(1000)], 100)
        for (const frame of staticHeldFrames(held, bytesMax)) {
          expect(frame.held.length).toBeLessThanOrEqual(bytesMax)
          expect(frame.held.at(-1)).not.toBe(0)
          answers.add({ set: 1, ...frame })
        }
        expect(answers.held).toEqual([
          { kind: 'image', hashes: new Uint8Array(0) },
          { kind: 'map', held },
        ])
      }),
    )
  })

  it('has the hashes of an image in their order', () => {
    const answers = new StaticAnswers([image], 100)
    const hashes = Uint8Array.from({ length: 100 * 16 }, (_, i) => i % 251)
    answers.add({ set: 0, first: 0, hashes: hashes.subarray(0, 48) })
    answers.add({ set: 0, first: 3, hashes: hashes.subarray(48) })
    expect(answers.held).toEqual([{ kind: 'image', hashes }])
  })

  const bits = Uint8Array.of(1)
  it.each([
    ['of a set that was not offered', { set: 2, first: 0, held: bits }],
    ['bits of an image', { set: 1, first: 0, held: bits }],
    ['hashes of a map', { set: 0, first: 0, hashes: new Uint8Array(16) }],
    ['entries that were told of', { set: 0, first: 8, held: bits }],
    ['half a byte', { set: 0, first: 20, held: bits }],
    ['a hash that does not follow', { set: 1, first: 1, hashes: new Uint8Array(16) }],
  ])('is refused that has %s', (_what, body) => {
    const answers = new StaticAnswers([map(100), image], 25)
    answers.add({ set: 0, first: 8, held: bits })
    expect(() => answers.add(body)).toThrow(code('PROTOCOL_STATE'))
  })

  it('is refused that has more than there can be', () => {
    const refused = code('LIMIT_EXCEEDED')
    const answers = new StaticAnswers([map(13), image], 4)
    const held = (byte: number) => ({ set: 0, first: 8, held: Uint8Array.of(byte, 0) })
    expect(() => answers.add(held(0b100000))).toThrow(refused)
    expect(() => answers.add(held(0b010000))).not.toThrow()
    expect(() => answers.add({ set: 1, first: 0, hashes: new Uint8Array(80) })).toThrow(refused)
    expect(() => answers.add({ set: 1, first: 0, hashes: new Uint8Array(64) })).not.toThrow()
    expect(() => answers.add({ set: 1, first: 4, hashes: new Uint8Array(16) })).toThrow(refused)
  })
})

/**
 * What `verify` makes of streams in which pages are named that are not in it: it goes on, says what
 * it could not check, and finds what is wrong all the same.
 */
import { explain, factText, verificationText } from '@godwit/capture'
import { MIB } from '@godwit/core'
import { parseEncode } from '@godwit/policy'
import { BATCH_HEADER_BYTES, ENTRY_BYTES, PageEncoding } from '@godwit/wire'
import { MemoryHost } from 'godwit'
import { describe, expect, it } from 'vitest'
import type { SourceSettings } from '../end-to-end/rig.ts'
import { createRig } from '../end-to-end/rig.ts'
import {
  SiblingFinder,
  content,
  imageOf,
  mapOffering,
  memoryOf,
  sharedPages,
  siblingGuest,
  siblingMemory,
} from '../end-to-end/static-sibling.ts'
import { MemoryCapture, inputOf } from '../streams/memory-capture.ts'
import type { Edit } from './edit.ts'
import { before, change, drop, edited, verify } from './edit.ts'

const map = mapOffering('content')
const image = imageOf(memoryOf([200, 201, 202]))
const images = [{ id: image.id, token: image.token }]

/** A migration, captured at both sides. @param meanwhile - after RESERVED */
async function captured(
  settings: SourceSettings = {},
  meanwhile: (memory: Uint8Array) => void = () => {},
): Promise<readonly Uint8Array[]> {
  const guest = siblingGuest()
  const memory = siblingMemory()
  const arrival = guest.regions.map(({ bytes }) => new Uint8Array(bytes.length))
  const [source, destination] = [new MemoryCapture('source'), new MemoryCapture('destination')]
  const options = { static: new SiblingFinder(memory, [map], [image]) }
  const host = new MemoryHost({ memory: arrival }, 64 * MIB)
  const rig = await createRig(host, options, (channel) => destination.recorder.capture(channel))
  const migration = await rig.source(guest, {
    static: [map, image],
    images,
    wrap: (channel) => source.recorder.capture(channel),
    onControl: ({ direction, name }) => {
      if (direction === 'read' && name === 'Reserved') meanwhile(memory)
      if (direction === 'read' && name === 'RoundAck' && !guest.isPaused) {
        guest.store(0, 3 * 4096 + 5, Uint8Array.of(1, 2, 3))
        // As a page that was named only.
        guest.storePage(0, 61, content(5))
      }
      return undefined
    },
    ...settings,
  })
  expect(await migration.run()).toMatchObject({ outcome: 'completed', memory: { equal: true } })
  await rig.idle()
  return [source.end(), destination.end()]
}

const [plain] = await captured()

describe('a stream with pages that are named only', () => {
  it.each<[string, SourceSettings, (memory: Uint8Array) => void]>([
    ['none', {}, () => {}],
    ['deltas to them', { encode: parseEncode('same,mdd,lz4') }, () => {}],
    ['deltas, on two lanes', { encode: parseEncode('delta'), lanes: 2 }, () => {}],
    ['NAKs', {}, (memory) => memory.set(content(9), 3 * 4096)],
    ['SHA-256', { hash: 'sha256', verify: 'sha256' }, () => {}],
  ])('is right as far as it goes: %s', async (_what, settings, meanwhile) => {
    for (const bytes of await captured(settings, meanwhile)) {
      const verification = verify(bytes)
      expect(verification.failure).toBeUndefined()
      expect(verification.counts.hidden).toBeGreaterThanOrEqual(sharedPages + 3)
      expect(verificationText(verification)).toMatch(/\nnot checked: \d+ pages were named only/)
    }
  })

  it('keeps what is not to be known by whoever reads what is told of it', () => {
    const text = [...explain(inputOf(plain!))].map(factText).join('\n')
    expect(text).toContain('StaticHeld')
    expect(text).toContain('static')
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
    expect(text).toContain(hex(image.id))
    expect(text).not.toContain(hex(image.token))
    expect(text).not.toContain(hex(map.digest))
  })

  /** The first number of the first batch that has some. */
  const setNumber =
    (value: number): Edit =>
    ({ name, body }) => {
      if (name !== 'Pages' || body[BATCH_HEADER_BYTES + 6] !== PageEncoding.Static) return undefined
      const other = body.slice()
      const at = BATCH_HEADER_BYTES + ENTRY_BYTES * (body[6]! + 256 * body[7]!)
      new DataView(other.buffer).setUint32(at, value, true)
      return [other]
    }

  const held = { set: 0, first: 0, held: Uint8Array.of(1) }

  it.each<[string, Edit, string, string]>([
    ['a number that there is not', setNumber(99), 'CODEC_PAGE_RANGE', 'Pages'],
    ['a number of what is not held', setNumber(50), 'CODEC_PAGE_RANGE', 'Pages'],
    ['numbers, and nothing is held', drop('StaticHeld'), 'CODEC_ENCODING', 'Pages'],
    [
      'an offer that was not agreed to',
      change('Welcome', 0, {
        capabilities: [],
        staticNonce: undefined,
      }),
      'PROTOCOL_CAPABILITY',
      'Reserve',
    ],
    [
      'a nonce too few',
      change('Welcome', 0, { staticNonce: undefined }),
      'PROTOCOL_CAPABILITY',
      'Welcome',
    ],
    [
      'entries that there are not',
      change('StaticHeld', 0, { first: 56 }),
      'LIMIT_EXCEEDED',
      'StaticHeld',
    ],
    [
      'a set that was not offered',
      change('StaticHeld', 0, { set: 4 }),
      'PROTOCOL_STATE',
      'StaticHeld',
    ],
    [
      'what comes too late',
      before('SwitchOverAck', 0, 'StaticHeld', held),
      'PROTOCOL_STATE',
      'StaticHeld',
    ],
  ])('is wrong with %s', (_what, edit, code, frame) => {
    const { failure } = verify(edited(plain!, edit))
    expect(failure).toMatchObject({ code, frame })
  })

  it('is wrong with another digest of a region that is known', async () => {
    const { failure } = verify(
      edited(plain!, ({ name }) => {
        const digest = new Uint8Array(8)
        return name === 'Verify' ? [['Verify', { digest, regions: [] }]] : undefined
      }),
    )
    // Both regions have hidden pages here: that VERIFIED says another one is all that shows.
    expect(failure).toMatchObject({ code: 'VERIFY_FAILED', frame: 'Verified' })
  })
})

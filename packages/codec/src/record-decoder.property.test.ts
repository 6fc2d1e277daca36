import { GodwitError } from '@godwit/core'
import { BATCH_HEADER_BYTES, ENTRY_BYTES, PageEncoding } from '@godwit/wire'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { changed, randomContent, recordContent, textContent } from '../test/content.ts'
import { Rig } from '../test/rig.ts'
import type { SentFrame } from '../test/sent-frame.ts'
import { pagesByEncoding } from '../test/sent-frame.ts'
import { emptyTotals } from './batch-decoder.ts'

const isLong = process.env['GODWIT_LONG'] !== undefined

const pageBytes = 4096
const { Raw, Zero, SameAs, Reference, Delta, Keep, Similar } = PageEncoding

/** Two rounds of a small guest; stores of a third one, in which there is a page of every kind. */
function rigOf(encode: string): Rig {
  const rig = new Rig({ lengths: [24 * pageBytes + 300, 2 * pageBytes], encode })
  for (let page = 0; page < 25; page++) {
    const content = [randomContent, recordContent, textContent][page % 3]!
    rig.store(0, page, content(pageBytes, page))
  }
  rig.round()
  rig.store(0, 3, randomContent(pageBytes, 103))
  rig.round()
  rig.store(0, 4, changed(rig.page(0, 4), 3, 1))
  rig.store(0, 24, changed(rig.page(0, 24), 1, 1))
  rig.store(0, 6, rig.page(0, 9).slice())
  rig.store(0, 7, rig.page(0, 10).slice())
  rig.store(0, 12, randomContent(pageBytes, 3))
  rig.store(0, 15, new Uint8Array(pageBytes))
  rig.store(0, 18, changed(rig.page(0, 21), 9, 1))
  rig.store(0, 19, textContent(pageBytes, 99))
  rig.store(0, 20, recordContent(pageBytes, 99))
  return rig
}

/** Where the records of an encoding begin in a batch that is not compressed. */
function recordsAt({ entries }: SentFrame, encoding: number): number {
  let at = BATCH_HEADER_BYTES + entries.length * ENTRY_BYTES
  for (const entry of entries) {
    if (entry.encoding === encoding) return at
    at += entry.payloadBytes
  }
  throw new Error(`a batch without encoding ${encoding}`)
}

describe('a record that names', () => {
  const { frames } = rigOf('same,mdd').round()
  const [frame] = frames as [SentFrame]
  const slotCount = (16 << 20) / pageBytes

  it.each([
    ['a slot that is empty', Reference, 0, 4, 7, 'NAK'],
    ['the last slot', Reference, 0, 4, slotCount - 1, 'NAK'],
    ['a slot behind the store', Reference, 0, 4, slotCount, 'CODEC_BATCH'],
    ['another content of the slot', Reference, 4, 4, 7, 'NAK'],
    ['a slot to keep in, the last', Keep, 0, 4, slotCount - 1, 'installed'],
    ['a slot to keep in, behind the store', Keep, 0, 4, slotCount, 'CODEC_BATCH'],
    ['a slot to keep in, far behind it', Keep, 0, 4, 0xffffffff, 'CODEC_BATCH'],
    ['an unknown region', SameAs, 0, 2, 3, 'CODEC_PAGE_RANGE'],
    ['something reserved', SameAs, 2, 2, 1, 'CODEC_BATCH'],
    ['other pages', SameAs, 4, 4, 11, 'NAK'],
    ['pages behind the region', SameAs, 4, 4, 24, 'CODEC_BATCH'],
    ['pages far behind it', SameAs, 4, 4, 0xffffffff, 'CODEC_PAGE_RANGE'],
    ['another content of the first page', SameAs, 8, 4, 11, 'NAK'],
    ['another base of a delta', Delta, 0, 4, 11, 'NAK'],
    ['a delta longer than a page', Delta, 4, 2, pageBytes + 1, 'CODEC_BATCH'],
    ['a delta longer than its run', Delta, 4, 2, 400, 'CODEC_BATCH'],
    ['an unknown region of a similar page', Similar, 0, 2, 3, 'CODEC_PAGE_RANGE'],
    ['no similar page', Similar, 4, 4, 25, 'CODEC_PAGE_RANGE'],
    ['a short similar page', Similar, 4, 4, 24, 'CODEC_BATCH'],
    ['another similar page', Similar, 4, 4, 22, 'NAK'],
  ])('%s', (_, encoding, offset, byteCount, value, expected) => {
    const rig = rigOf('same,mdd')
    const before = rig.target[0]!.bytes.slice()
    const body = frame.body.slice()
    const bytes = new Uint8Array(Uint32Array.of(value).buffer, 0, byteCount)
    body.set(bytes, recordsAt(frame, encoding) + offset)
    expect(outcomeOf(rig, body)).toBe(expected)
    const isSame = Buffer.compare(rig.target[0]!.bytes, before) === 0
    expect(isSame).toBe(expected !== 'installed')
  })
})

/** What the destination makes of a batch of round 3. */
function outcomeOf(rig: Rig, body: Uint8Array): string {
  try {
    const nak = rig.lanes[0]!.decoder.decode(body, 3, emptyTotals())
    return nak === undefined ? 'installed' : 'NAK'
  } catch (error) {
    if (error instanceof GodwitError) return error.code
    throw error
  }
}

const outcomesMax = new Set([
  'installed',
  'NAK',
  'CODEC_BATCH',
  'CODEC_COMPRESSION',
  'CODEC_DIGEST',
  'CODEC_ENCODING',
  'CODEC_PAGE_RANGE',
  'LIMIT_EXCEEDED',
  'PROTOCOL_STATE',
])

const anyDamage = fc.record({
  frame: fc.nat(),
  /** Half of all changes hit header and table. */
  changes: fc.array(fc.record({ at: fc.nat(), inHead: fc.boolean(), byte: fc.nat(255) }), {
    maxLength: 4,
  }),
  cut: fc.oneof(fc.constant(0), fc.nat({ max: 60 })),
})

it('a third round has pages of every kind', () => {
  const rig = rigOf('same,mdd')
  const { frames, naks } = rig.round()
  expect(Object.keys(pagesByEncoding(frames)).map(Number)).toEqual(
    [Raw, Zero, SameAs, Reference, Delta, Keep, Similar].toSorted((a, b) => a - b),
  )
  expect([naks, rig.differing()]).toEqual([[], []])
})

it.each(['same,mdd', 'same,mdd,mecom', 'same,delta,lz4', 'mecom'])(
  'batches of an enemy are refused, or asked for again, or installed, with %s',
  (encode) => {
    const sender = rigOf(encode)
    const { frames } = sender.round()
    let rig = rigOf(encode)
    const before = rig.target.map(({ bytes }) => bytes.slice())
    const outcomes: Record<string, number> = {}
    fc.assert(
      fc.property(anyDamage, ({ frame, changes, cut }) => {
        const { body: whole, entries } = frames[frame % frames.length]!
        const body = whole.slice(0, Math.max(0, whole.length - cut))
        const headBytes = BATCH_HEADER_BYTES + entries.length * ENTRY_BYTES
        for (const { at, inHead, byte } of changes) {
          body[at % (inHead ? Math.min(headBytes, body.length) : body.length)] = byte
        }
        fc.pre(Buffer.compare(body, whole) !== 0)
        const outcome = outcomeOf(rig, body)
        expect(outcomesMax).toContain(outcome)
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
        expect(rig.guardsAreWhole).toBe(true)
        // Page numbers and slots are covered by the frame's checksum only.
        if (outcome === 'installed') rig = rigOf(encode)
        const isSame = rig.target.every(({ bytes }, i) => Buffer.compare(bytes, before[i]!) === 0)
        expect(isSame).toBe(true)
      }),
      { numRuns: isLong ? 2000 : 500 },
    )
    expect(Object.keys(outcomes).length).toBeGreaterThan(4)
    // Whatever came before, what is right is installed.
    for (const { body } of frames) rig.lanes[0]!.decoder.decode(body, 3, emptyTotals())
    expect(Buffer.compare(rig.target[0]!.bytes, sender.source[0]!.bytes)).toBe(0)
  },
)

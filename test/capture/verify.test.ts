/**
 * What `verify` finds in conversations that are not as the protocol says, and where.
 */
import { explain } from '@godwit/capture'
import { MIB } from '@godwit/core'
import { BATCH_HEADER_BYTES } from '@godwit/wire'
import { describe, expect, it } from 'vitest'
import { inputOf } from '../streams/memory-capture.ts'
import type { Edit } from './edit.ts'
import { before, change, chunksOf, drop, edited, recorded, resealed, verify } from './edit.ts'

const digest = new Uint8Array(8).fill(1)
const nothing: Edit = () => undefined

/** Another byte in the payload of the n-th batch; the frame's checksum does not cover it. */
function spoil(which: number): Edit {
  return ({ name, nth, body }) => {
    if (name !== 'Pages' || nth !== which) return undefined
    const other = body.slice()
    other[other.length - 5]! ^= 1
    return [other]
  }
}

const twice: Edit = ({ name, nth, body }) => {
  return name === 'Pages' && nth === 0 ? [body.slice(), body] : undefined
}

/** Of the first entry. */
function setEntry(offset: number, value: number): Edit {
  return ({ name, nth, body }) => {
    if (name !== 'Pages' || nth !== 0) return undefined
    const other = body.slice()
    other[BATCH_HEADER_BYTES + offset] = value
    return [other]
  }
}

const end = { rounds: 1, pages: 4, usage: {} }
const cases: readonly (readonly [
  stream: string,
  what: string,
  Edit,
  code: string,
  frame: string,
])[] = [
  [
    'stop-copy',
    'a HELLO without its range',
    change('Hello', 0, { versionMin: null }),
    'WIRE_BODY',
    'Hello 0',
  ],
  [
    'stop-copy',
    'a capability that was not offered',
    change('Welcome', 0, { capabilities: ['zstd'] }),
    'PROTOCOL_CAPABILITY',
    'Welcome 0',
  ],
  [
    'stop-copy',
    'a version that was not offered',
    change('Welcome', 0, { version: 7 }),
    'PROTOCOL_VERSION',
    'Welcome 0',
  ],
  [
    'stop-copy',
    'a page size that was not offered',
    change('Welcome', 0, { pageBytes: 8192 }),
    'PAGE_SIZE_MISMATCH',
    'Welcome 0',
  ],
  ['stop-copy', 'no RESERVE', drop('Reserve'), 'PROTOCOL_STATE', 'Reserved 1'],
  ['stop-copy', 'no SWITCH_OVER', drop('SwitchOver'), 'PROTOCOL_STATE', 'SwitchOverAck 2'],
  [
    'stop-copy',
    'a switch to post-copy',
    change('SwitchOver', 0, { postCopy: true }),
    'PROTOCOL_STATE',
    'SwitchOver 2',
  ],
  [
    'stop-copy',
    'a round of another kind',
    change('RoundBegin', 0, { kind: 'full' }),
    'PROTOCOL_STATE',
    'RoundBegin 3',
  ],
  [
    'stop-copy',
    'another round',
    change('RoundBegin', 0, { round: 2 }),
    'PROTOCOL_STATE',
    'RoundBegin 3',
  ],
  ['stop-copy', 'a page that is spoilt', spoil(0), 'CODEC_DIGEST', 'Pages 0'],
  ['stop-copy', 'a page that comes twice', twice, 'PROTOCOL_STATE', 'Pages 1'],
  ['stop-copy', 'pages that never come', drop('Pages'), 'PROTOCOL_TOTALS', 'Barrier 0'],
  ['stop-copy', 'an encoding that there is not', setEntry(6, 7), 'CODEC_ENCODING', 'Pages 0'],
  ['stop-copy', 'an encoding that was not agreed', setEntry(6, 5), 'CODEC_ENCODING', 'Pages 0'],
  ['stop-copy', 'pages outside', setEntry(1, 1), 'CODEC_PAGE_RANGE', 'Pages 0'],
  [
    'stop-copy',
    'a barrier of other pages',
    change('Barrier', 0, { digest }),
    'PROTOCOL_TOTALS',
    'Barrier 1',
  ],
  ['stop-copy', 'no barrier', drop('Barrier'), 'PROTOCOL_TOTALS', 'RoundAck 3'],
  [
    'stop-copy',
    'an end of other pages',
    change('RoundEnd', 0, { digest }),
    'PROTOCOL_TOTALS',
    'RoundAck 3',
  ],
  [
    'stop-copy',
    'fewer pages than there are',
    change('RoundBegin', 0, { pages: 3 }),
    'PROTOCOL_TOTALS',
    'RoundAck 3',
  ],
  ['stop-copy', 'READY before the acknowledgement', drop('RoundAck'), 'PROTOCOL_STATE', 'Ready 3'],
  [
    'stop-copy',
    'COMMIT before READY',
    before('State', 0, 'Commit', { epoch: 1 }),
    'PROTOCOL_STATE',
    'Commit 5',
  ],
  [
    'stop-copy',
    'COMMIT of another owner',
    change('Commit', 0, { epoch: 2 }),
    'PROTOCOL_STATE',
    'Commit 6',
  ],
  ['stop-copy', 'RUNNING without COMMIT', drop('Commit'), 'PROTOCOL_STATE', 'Running 5'],
  ['stop-copy', 'END before RUNNING', before('Commit', 0, 'End', end), 'PROTOCOL_STATE', 'End 6'],
  [
    'stop-copy',
    'too much credit',
    change('Credit', 0, { bytes: 1e6 }),
    'PROTOCOL_STATE',
    'Credit 0',
  ],
  [
    'stop-copy',
    'a NAK that was not agreed',
    before('Credit', 0, 'Nak', { round: 1, region: 0, runs: digest }),
    'PROTOCOL_STATE',
    'Nak 0',
  ],
  [
    'pre-copy',
    'other memory at the source',
    change('Verify', 0, { digest }),
    'VERIFY_FAILED',
    'Verify 13',
  ],
  [
    'pre-copy',
    'other memory at the destination',
    change('Verified', 0, { digest }),
    'VERIFY_FAILED',
    'Verified 9',
  ],
  [
    'pre-copy',
    'memory that is said to differ',
    change('Verified', 0, { equal: false }),
    'VERIFY_FAILED',
    'Verified 9',
  ],
  ['pre-copy', 'END without VERIFIED', drop('Verified'), 'PROTOCOL_STATE', 'End 14'],
  ['encodings-zstd', 'repairs that nobody asked for', drop('Nak', 0), 'PROTOCOL_STATE', 'Pages'],
  ['post-copy', 'pages that nobody asked for', drop('PageRequest'), 'PROTOCOL_STATE', 'Pages 0'],
  ['post-copy', 'pages that were not discarded', drop('Discard'), 'PROTOCOL_STATE', 'Pages'],
  [
    'post-copy',
    'a request for a page outside',
    change('PageRequest', 0, { page: 99 }),
    'CODEC_PAGE_RANGE',
    'PageRequest 0',
  ],
  [
    'recovery',
    'another checksum of what is lacking',
    change('Resumed', 0, { checksum: 1 }),
    'PROTOCOL_TOTALS',
    'Resumed 1',
  ],
  ['recovery', 'pages that are not told', drop('Lacking'), 'PROTOCOL_TOTALS', 'Resumed 0'],
  [
    'recovery',
    'RESUME of another connection',
    change('Resume', 0, { epoch: 2 }),
    'PROTOCOL_STATE',
    'Resume 0',
  ],
  ['recovery', 'an answer without RESUME', drop('Resume'), 'PROTOCOL_STATE', 'Lacking 0'],
  [
    'checkpoints',
    'a checkpoint of other pages',
    change('CheckpointEnd', 0, { pages: 999 }),
    'PROTOCOL_TOTALS',
    'CheckpointEnd',
  ],
  [
    'checkpoints',
    'a checkpoint that did not begin',
    drop('CheckpointBegin', 0),
    'PROTOCOL_STATE',
    'Pages 0',
  ],
  [
    'checkpoints',
    'an answer to no checkpoint',
    change('CheckpointAck', 0, { number: 9 }),
    'PROTOCOL_STATE',
    'CheckpointAck 0',
  ],
  [
    'cancel',
    'more after ERROR',
    ({ name, from, body }) => {
      return name === 'Error' && from === 'source' ? [body, ['Heartbeat', {}]] : undefined
    },
    'PROTOCOL_STATE',
    'Heartbeat',
  ],
  [
    'refusal',
    'a guest that is taken nevertheless',
    ({ name, from }) => {
      return name === 'Error' && from === 'destination' ? [['Ready', { epoch: 1 }]] : undefined
    },
    'PROTOCOL_STATE',
    'Ready 1',
  ],
]

describe('a conversation with', () => {
  it.each(cases)('%s: %s', (stream, _what, edit, code, frame) => {
    const bytes = recorded(stream)
    expect(verify(edited(bytes, nothing)).failure).toBeUndefined()
    const changed = edited(bytes, edit)
    const { ok, failure } = verify(changed)
    expect(ok).toBe(false)
    const { code: found, at, channel, sequence, from } = failure!
    const wanted = frame.includes(' ') ? `${failure!.frame} ${sequence}` : failure!.frame
    expect([found, wanted]).toEqual([code, frame])
    // Where it says, there is that frame.
    const facts = [...explain(inputOf(changed))]
    const there = facts.find((fact) => fact.type === 'frame' && fact.at === at)
    expect(there).toMatchObject({ name: channel, from, sequence, frame: failure!.frame })
  })
})

describe('a capture', () => {
  const bytes = recorded('stop-copy')
  const chunks = chunksOf(bytes)

  it('of which a byte of the header is another is none', () => {
    for (let at = 0; at < 32; at++) {
      const copy = bytes.slice()
      copy[at]! ^= 1 << (at % 8)
      expect(() => verify(copy)).toThrow(expect.objectContaining({ code: 'FILE_UNREADABLE' }))
    }
  })

  it('of which any byte is another is damaged in that very chunk', () => {
    const wrong: object[] = []
    let torn = 0
    for (let at = 32; at < bytes.length; at += at < 900 ? 1 : 397) {
      const copy = bytes.slice()
      copy[at]! ^= 1 << (at % 8)
      const { failure, end: fileEnd } = verify(copy)
      const chunk = chunks.find(({ at: start, end: stop }) => start <= at && at < stop)!
      // A length that is larger than the rest of the file is a file that ends early.
      const isLength = at - chunk.at >= 16 && at - chunk.at < 20
      if (isLength && failure === undefined && fileEnd === 'torn') torn++
      else if (failure?.code !== 'FILE_UNREADABLE' || failure.at !== chunk.at) wrong.push({ at })
    }
    expect(wrong).toEqual([])
    expect(torn).toBeGreaterThan(0)
  })

  it('of which any byte of a frame is another is wrong in that very frame', () => {
    const frames = [...explain(inputOf(bytes))].filter((fact) => fact.type === 'frame')
    const wrong: object[] = []
    for (const { at, bytes: size, name, from, sequence } of frames) {
      for (const offset of [0, 2, 4, 7, 8, 12, 15, 16, 20, size - 1]) {
        if (offset >= size) continue
        const copy = bytes.slice()
        copy[at + offset]! ^= 0x40
        const { failure } = verify(resealed(copy))
        const isFound = /^WIRE_|^CODEC_|^PROTOCOL_/.test(failure?.code ?? '')
        // A frame that became longer waits for its end, and what follows from it is found first.
        const isLength = offset >= 4 && offset < 8
        const place = `${failure?.at} ${failure?.channel} ${failure?.from} ${failure?.sequence}`
        const isThere = place === `${at} ${name} ${from} ${sequence}`
        const isRight = isLength ? failure!.at >= at : isThere
        if (!isFound || !isRight) wrong.push({ at, offset, failure })
      }
    }
    expect(wrong).toEqual([])
  })

  it('may end anywhere, and is right as far as it goes', () => {
    for (let length = 32; length < bytes.length; length += length < 3000 ? 7 : 311) {
      const { ok, end: fileEnd } = verify(bytes.subarray(0, length))
      const isBetween = length === 32 || chunks.some((chunk) => chunk.end === length)
      expect([ok, fileEnd]).toEqual([true, isBetween ? 'unfinished' : 'torn'])
    }
  })

  it.each([
    ['nothing', new Uint8Array(0)],
    ['a few bytes', bytes.subarray(0, 31)],
    ['text', Buffer.from('this is a log of something else, and rather long')],
    ['a stream without a container', Buffer.from('894744570d0a1a0a01000100', 'hex')],
  ])('is not made of %s', (_what, other) => {
    expect(() => verify(Uint8Array.from(other))).toThrow(
      expect.objectContaining({ code: 'FILE_UNREADABLE' }),
    )
  })

  it('states lengths that are not believed', () => {
    const copy = bytes.slice(0, 200)
    new DataView(copy.buffer).setUint32(32 + 16, 0xffffffff, true)
    const heldBefore = process.memoryUsage().arrayBuffers
    expect(verify(copy).failure).toMatchObject({ code: 'FILE_UNREADABLE', at: 32 })
    expect(process.memoryUsage().arrayBuffers - heldBefore).toBeLessThan(2 * MIB)
  })

  it('of a guest that is larger than allowed is not checked', () => {
    const regions = Array.from({ length: 1024 }, (_, id) => ({
      id,
      name: 'r',
      byteLength: 2 ** 32,
    }))
    const { failure } = verify(edited(bytes, change('Reserve', 0, { regions })))
    expect(failure).toMatchObject({ code: 'NO_ROOM', frame: 'Reserved' })
    expect(verify(bytes, 4 * 4096).ok).toBe(true)
    expect(verify(bytes, 4 * 4096 - 1).failure).toMatchObject({ code: 'NO_ROOM' })
  })
})

import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { errorCodeOf, errorNumbers } from './error-codes.ts'
import { FrameType } from './frame-type.ts'
import { ChannelRole, PREFACE } from './layout.ts'
import type { Message } from './message-bodies.ts'
import { ownerAnswers } from './message-bodies.ts'
import { encodeMap } from './message-pack.ts'
import { decodeMessage, encodeMessage } from './messages.ts'
import { decodePageRuns, encodePageRuns, lackingChecksum } from './page-runs.ts'
import { decodePreface, encodePreface } from './preface.ts'
import { u64FromBytes, u64ToBytes } from './u64.ts'

const u16 = fc.nat(0xffff)
const u32 = fc.nat(0xffffffff)
const count = fc.maxSafeNat()
const amount = fc.double({ min: 0, noDefaultInfinity: true, noNaN: true })
const round = fc.integer({ min: 1, max: 1_000_000 })
const name = fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme' })
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const digest = fc.oneof(bytes(8), bytes(32))
const sums = fc.record({ round, batches: count, pages: count, digest: bytes(8) })
const faults = fc.record({
  count,
  p50Us: amount,
  p99Us: amount,
  maxUs: amount,
  blockedMs: amount,
})
const usage = fc.record({ cpuSeconds: amount, overheadBytes: fc.integer() }, { requiredKeys: [] })
const region = fc.record({
  id: u16,
  name,
  byteLength: fc.integer({ min: 1, max: 4 * 1024 ** 3 }),
})
// The writer makes an integer of -0.
const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((one) => one + 0)
const optionName = name.filter((one) => !['__proto__', 'constructor', 'prototype'].includes(one))

const laterEpoch = fc.integer({ min: 1, max: 0xffffffff })

const proof = (byte: number): Uint8Array => new Uint8Array(16).fill(byte)
const map = {
  kind: 'map',
  os: 'debian/13',
  hypervisor: 'qemu/10',
  version: 3,
  entries: 2 ** 24,
  positions: 7,
  mode: 'position',
  proof: proof(1),
}
const image = { kind: 'image', id: proof(2), proof: proof(3) }
const offers = [undefined, [map], [image, map], [map, { ...map, version: 4, proof: proof(4) }]]
const key = fc.record({ id: bytes(16), token: bytes(32) })

const pageRun = fc.record({ firstPage: u32, pageCount: u32 })
const pageRuns = fc.array(pageRun, { minLength: 1, maxLength: 20 })

const bodies: { readonly [Name in Message['name']]: fc.Arbitrary<unknown> } = {
  Hello: fc.record({
    versionMin: u16,
    versionMax: u16,
    software: name,
    required: fc.array(name, { maxLength: 5 }),
    optional: fc.array(name, { maxLength: 5 }),
    pageBytes: fc.array(u32, { minLength: 1, maxLength: 16 }),
    mode: fc.constantFrom('stop-copy', 'pre-copy', 'post-copy', 'hybrid'),
    hash: fc.constantFrom('xxh64', 'sha256'),
    verify: fc.constantFrom('none', 'fingerprints', 'sha256'),
    fingerprintSeed: bytes(8),
    verifySeed: bytes(8),
    dataChannels: fc.integer({ min: 1, max: 64 }),
    heartbeatMs: fc.integer({ min: 100, max: 60_000 }),
  }),
  Welcome: fc.record(
    {
      version: u16,
      software: name,
      capabilities: fc.array(name, { maxLength: 5 }),
      pageBytes: u32,
      dataChannels: fc.integer({ min: 1, max: 64 }),
      heartbeatMs: fc.integer({ min: 100, max: 60_000 }),
      creditBytes: fc.integer({ min: 8 << 20, max: 0xffffffff }),
      storeBytes: fc.nat(1 << 30),
      finalAfterMs: u32,
      staticNonce: bytes(16),
    },
    {
      requiredKeys: [
        'version',
        'software',
        'capabilities',
        'pageBytes',
        'dataChannels',
        'heartbeatMs',
      ],
    },
  ),
  Error: fc.record({ code: u16, text: name, phase: name }, { requiredKeys: ['code', 'text'] }),
  Heartbeat: fc.constant({}),
  Reserve: fc.record({
    guest: fc.record({
      kind: name,
      options: fc.dictionary(optionName, fc.oneof(name, number), {
        maxKeys: 8,
        noNullPrototype: true,
      }),
    }),
    regions: fc.uniqueArray(region, { minLength: 1, maxLength: 8, selector: ({ id }) => id }),
    static: fc.constantFrom(...offers),
  }),
  Reserved: fc.record({ reservedBytes: count }),
  StaticHeld: fc.oneof(
    fc.record({ set: fc.nat(7), first: fc.nat(2 ** 24), held: fc.uint8Array({ minLength: 1 }) }),
    fc.record({ set: fc.nat(7), first: fc.nat(2 ** 24), hashes: bytes(32) }),
  ),
  RoundBegin: fc.record(
    {
      round,
      kind: fc.constantFrom('full', 'dirty', 'final', 'post-copy'),
      pages: count,
      open: fc.boolean(),
    },
    { requiredKeys: ['round', 'kind', 'pages'] },
  ),
  Barrier: sums,
  RoundEnd: sums,
  RoundAck: fc.record({ round }),
  Credit: fc.record({ bytes: count }),
  Nak: fc.record({ round, region: u16, runs: pageRuns.map(encodePageRuns) }),
  Discard: fc.record({ region: u16, runs: pageRuns.map(encodePageRuns) }),
  Resume: fc.record({ epoch: laterEpoch, round }),
  Lacking: fc.record({ region: u16, runs: pageRuns.map(encodePageRuns) }),
  Resumed: fc.record({ epoch: laterEpoch, round, pages: count, checksum: u32 }),
  SwitchOver: fc.record({ round: u32, postCopy: fc.boolean() }, { requiredKeys: ['round'] }),
  SwitchOverAck: fc.constant({}),
  State: fc.record({ package: fc.uint8Array({ maxLength: 300, size: 'max' }) }),
  Ready: fc.record({ epoch: u32 }),
  Commit: fc.record({ epoch: u32 }),
  Running: fc.record({ epoch: u32, resumeMs: amount }),
  OwnerQuery: fc.record({ epoch: u32 }),
  Owner: fc.record({ epoch: u32, owner: fc.constantFrom(...ownerAnswers) }),
  Verify: fc.record({
    digest,
    regions: fc.array(fc.record({ id: u16, digest }), { maxLength: 5 }),
  }),
  Verified: fc.record({ equal: fc.boolean(), digest, differing: fc.array(u16, { maxLength: 5 }) }),
  Final: fc.record({ steps: count, registers: fc.uint8Array(), digest }),
  End: fc.record(
    { rounds: u32, pages: count, usage, images: fc.array(key, { minLength: 1, maxLength: 16 }) },
    { requiredKeys: ['rounds', 'pages', 'usage'] },
  ),
  EndAck: fc.record({ usage, faults }, { requiredKeys: ['usage'] }),
  PageRequest: fc.record({ region: u16, page: u32 }),
  CheckpointBegin: fc.record({ number: laterEpoch }),
  CheckpointEnd: fc.record({
    number: laterEpoch,
    batches: count,
    pages: count,
    digest: bytes(8),
    pauseMs: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
    package: fc.uint8Array(),
  }),
  CheckpointAck: fc.record({ number: laterEpoch }),
}

describe('messages', () => {
  it.each(Object.keys(bodies) as Message['name'][])('%s comes out as it went in', (each) => {
    fc.assert(
      fc.property(bodies[each], (body) => {
        const message = { name: each, body } as Message
        // A copy: in Node the writer makes a `Buffer`.
        const bytes = new Uint8Array(encodeMessage(message))
        expect(decodeMessage(FrameType[each], bytes)).toEqual(message)
      }),
      { numRuns: 40 },
    )
  })

  it('that are not messages are refused', () => {
    for (const type of [FrameType.Pages, FrameType.Invalid, 0x0005, 0x9000]) {
      expect(() => decodeMessage(type, Uint8Array.of(0x80))).toThrow(/has no message/)
    }
  })
})

describe.each(['Nak', 'Discard', 'Lacking'] as const)('%s', (each) => {
  const decode = (fields: object): Message => {
    return decodeMessage(
      FrameType[each],
      new Uint8Array(encodeMap({ round: 1, region: 0, ...fields })),
    )
  }
  const ofLength = (length: number) => () => decode({ runs: new Uint8Array(length) })

  it('names the runs that were put into it', () => {
    fc.assert(
      fc.property(pageRuns, (runs) => {
        const { body } = decode({ runs: encodePageRuns(runs) }) as { body: { runs: Uint8Array } }
        expect(decodePageRuns(body.runs)).toEqual(runs)
      }),
    )
  })

  it('has whole runs, at least one, and no more than a batch has entries', () => {
    for (const length of [8, 16, 4096 * 8]) expect(ofLength(length)).not.toThrow()
    for (const length of [0, 1, 7, 9, 4096 * 8 - 1, 4096 * 8 + 8]) {
      expect(ofLength(length)).toThrow(`${each}.runs is not as specified`)
    }
    for (const runs of [null, 8, '12345678', [0, 1]]) {
      expect(() => decode({ runs })).toThrow(`${each}.runs is not as specified`)
    }
  })
})

describe('RESUME and RESUMED', () => {
  const plain = { epoch: 1, round: 1, pages: 0, checksum: 0 }
  const decode = (name: 'Resume' | 'Resumed', fields: object): Message => {
    return decodeMessage(FrameType[name], new Uint8Array(encodeMap({ ...plain, ...fields })))
  }

  it.each(['Resume', 'Resumed'] as const)(
    '%s is of a later connection and a real round',
    (name) => {
      expect(decode(name, { epoch: 2 ** 32 - 1, round: 1_000_000 })).toMatchObject({ name })
      for (const epoch of [0, -1, 0.5, 2 ** 32, '1', null]) {
        expect(() => decode(name, { epoch })).toThrow(`${name}.epoch is not as specified`)
      }
      for (const round of [0, 1_000_001, 1.5, null]) {
        expect(() => decode(name, { round })).toThrow(`${name}.round is not as specified`)
      }
    },
  )

  it('RESUMED has a number of pages and a checksum', () => {
    for (const wrong of [-1, 0.5, 2 ** 53, '0', null]) {
      expect(() => decode('Resumed', { pages: wrong })).toThrow('Resumed.pages')
      expect(() => decode('Resumed', { checksum: wrong })).toThrow('Resumed.checksum')
    }
    expect(() => decode('Resumed', { checksum: 2 ** 32 })).toThrow('Resumed.checksum')
  })
})

describe('the checksum over LACKING', () => {
  const lacking = fc.record({ region: u16, runs: pageRuns.map(encodePageRuns) })

  it('is that of all their bytes in a row', () => {
    fc.assert(
      fc.property(fc.array(lacking, { maxLength: 5 }), (all) => {
        const octets = all.flatMap(({ region, runs }) => [region & 0xff, region >>> 8, ...runs])
        const sum = all.reduce((crc, one) => lackingChecksum(one, crc), 0)
        expect(sum).toBe(crc32(Uint8Array.from(octets)))
      }),
    )
  })
})

describe('the content store', () => {
  const { Welcome } = bodies
  const decode = (welcome: object, storeBytes: unknown): Message => {
    const bytes = new Uint8Array(encodeMap({ ...welcome, storeBytes }))
    return decodeMessage(FrameType.Welcome, bytes)
  }

  it('is 1 GiB at most', () => {
    fc.assert(
      fc.property(Welcome, (welcome) => {
        const most = { name: 'Welcome', body: { ...(welcome as object), storeBytes: 1 << 30 } }
        expect(decode(welcome as object, 1 << 30)).toEqual(most)
        for (const wrong of [(1 << 30) + 1, 2 ** 32, -1, 0.5, '4096']) {
          expect(() => decode(welcome as object, wrong)).toThrow('Welcome.storeBytes')
        }
      }),
      { numRuns: 10 },
    )
  })
})

describe('prefaces', () => {
  const preface = fc.oneof(
    fc.record({ role: fc.constant(ChannelRole.Control), index: fc.constant(0) }),
    fc.record({ role: fc.constant(ChannelRole.Data), index: fc.nat(63) }),
    fc.record({ role: fc.constant(ChannelRole.Urgent), index: fc.constant(0) }),
    fc.record({ role: fc.constant(ChannelRole.Reverse), index: fc.constant(0) }),
  )

  it('come out as they went in, and only when they are whole', () => {
    fc.assert(
      fc.property(preface, u32, bytes(16), (start, epoch, session) => {
        const whole = { ...start, epoch, session }
        const sent = encodePreface(whole)
        expect(decodePreface(sent)).toEqual(whole)
        for (let length = 0; length < sent.length; length++) {
          expect(decodePreface(sent.subarray(0, length))).toBe(undefined)
        }
      }),
    )
  })

  it('keep nothing of the bytes they were read from', () => {
    const session = new Uint8Array(16).fill(7)
    const sent = encodePreface({ role: ChannelRole.Control, index: 0, epoch: 0, session })
    const found = decodePreface(sent)!
    sent.fill(0)
    expect(found.session).toEqual(session)
  })
})

describe('a preface of another role or index', () => {
  it.each([
    [ChannelRole.Control, 1],
    [ChannelRole.Data, 64],
    [ChannelRole.Urgent, 1],
    [ChannelRole.Invalid, 0],
    [ChannelRole.Reverse, 1],
    [5, 0],
  ])('%s %s is refused', (role, index) => {
    const session = new Uint8Array(16)
    const bytes = encodePreface({ role: ChannelRole.Control, index, epoch: 0, session })
    bytes[PREFACE.role] = role
    expect(() => decodePreface(bytes)).toThrow(expect.objectContaining({ code: 'WIRE_PREFACE' }))
  })
})

describe('small things', () => {
  it('u64 goes both ways', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
        expect(u64FromBytes(u64ToBytes(value))).toBe(value)
        expect(u64ToBytes(value + 2n ** 64n)).toEqual(u64ToBytes(value))
      }),
    )
  })

  it('every error has a number of its own, and unknown numbers are INTERNAL', () => {
    const numbers = Object.values(errorNumbers)
    expect(new Set(numbers).size).toBe(numbers.length)
    for (const [code, number] of Object.entries(errorNumbers)) {
      expect(errorCodeOf(number)).toBe(code)
    }
    for (const number of [0, 5, 9999, 65535]) expect(errorCodeOf(number)).toBe('INTERNAL')
  })
})

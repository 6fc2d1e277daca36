import { randomBytes as secretBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { GIB, KIB, MIB } from '@godwit/core'
import { randomBytes } from '@godwit/testkit'
import { createDialler } from '@godwit/transport'
import { BATCH_HEADER_BYTES, ENTRY_BYTES, FRAME, errorNumbers, writeBatchEntry } from '@godwit/wire'
import { FrameType, writeBatchHeader } from '@godwit/wire'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Peer, hello } from './peer.ts'
import type { Destination } from './process.ts'
import { endProcesses, freshPath, readReport, runGodwit, startDestination } from './process.ts'

let destination: Destination
let residentBytes = 0
const peers: Peer[] = []

beforeAll(async () => {
  destination = await startDestination('--memory-limit', '16MiB', '--run-for', '50ms')
  await moveNormalGuest()
  residentBytes = resident()
})
afterAll(async () => {
  for (const peer of peers) peer.channel.destroy()
  await endProcesses()
})

function resident(): number {
  const status = readFileSync(`/proc/${destination.process.pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) * KIB
}

async function moveNormalGuest(): Promise<void> {
  const file = freshPath('report.json')
  const options = ['--memory', '4MiB', '--warmup', '20ms', '--quiet', '--json', file]
  const ended = await runGodwit('send', 'writer,wss=1MiB', '--to', destination.address, ...options)
  expect(ended).toEqual({ code: 0, stdout: '', stderr: '' })
  expect(readReport(file)).toMatchObject({ memory: { equal: true } })
}

async function dial(): Promise<Peer> {
  const peer = new Peer(await createDialler(destination.address).dial())
  peers.push(peer)
  return peer
}

interface Session {
  readonly id: Uint8Array
  readonly control: Peer
}

/** A session that said HELLO. */
async function greet(): Promise<Session> {
  const id = Uint8Array.from(secretBytes(16))
  const control = await dial()
  control.preface(id).send('Hello', hello)
  await control.until('Welcome')
  return { id, control }
}

const cancelled = { code: errorNumbers.CANCELLED, text: 'no more' }
const idle = { kind: 'idle', options: {} }
const pageCount = 4

/** A session with room for an idle guest of four pages, and its data channel. */
async function reserve(): Promise<Session & { data: Peer }> {
  const session = await greet()
  const regions = [{ id: 0, name: 'ram', byteLength: pageCount * 4096 }]
  session.control.send('Reserve', { guest: idle, regions })
  await session.control.until('Reserved')
  const data = await dial()
  data.preface(session.id, { role: 2 })
  await data.introduced()
  return { ...session, data }
}

const uncompressed = (decodedBytes: number) =>
  ({ compression: 0, stride: 0, decodedBytes }) as const

/** The body of a batch of zero pages. */
function zeros(fields: { round?: number; region?: number; first?: number; count?: number } = {}) {
  const { round = 1, region = 0, first = 0, count = pageCount } = fields
  const body = new Uint8Array(BATCH_HEADER_BYTES + ENTRY_BYTES)
  const view = new DataView(body.buffer)
  const header = { round, region, entryCount: 1, payloadBytes: 0, digest: 0n }
  writeBatchHeader(view, 0, { ...header, ...uncompressed(0) })
  writeBatchEntry(view, BATCH_HEADER_BYTES, 0, first, count, 2, 0)
  return body
}

/** The body of a batch with one page of bytes and no right digest. */
function undigested(): Uint8Array {
  const body = new Uint8Array(BATCH_HEADER_BYTES + ENTRY_BYTES + 4096).fill(7)
  const view = new DataView(body.buffer)
  const header = { round: 1, region: 0, entryCount: 1, payloadBytes: 4096, digest: 1n }
  writeBatchHeader(view, 0, { ...header, ...uncompressed(4096) })
  writeBatchEntry(view, BATCH_HEADER_BYTES, 0, 0, 1, 1, 4096)
  return body
}

const totals = { round: 1, batches: 1, pages: pageCount, digest: new Uint8Array(8) }
const full = { round: 1, kind: 'full', pages: pageCount } as const

describe('bytes that are no Godwit', () => {
  it.each([
    ['text', Buffer.from('hello there, who are you?\n')],
    ['a TLS greeting', Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])],
    ['noise', randomBytes(5000, 1)],
    ['half the magic', Buffer.from([0x89, 0x47, 0x44, 0x58, 1, 2, 3, 4])],
  ])('get no answer: %s', async (_name, bytes) => {
    const peer = await dial()
    peer.raw(bytes)
    expect(await peer.refusal()).toBe('closed')
    expect(peer.byteCount).toBe(0)
  })

  it('that are HTTP are told what is here', async () => {
    const [host, port] = destination.address.split(':')
    const socket = createConnection(Number(port), host)
    socket.write('GET / HTTP/1.1\r\nHost: godwit\r\n\r\n')
    let answer = ''
    for await (const chunk of socket) answer += String(chunk)
    expect(answer).toMatch(/^HTTP\/1\.1 426 /)
  })
})

describe('a preface that is wrong', () => {
  it.each<[string, number, number, RegExp]>([
    ['version', 8, 2, /^WIRE_PREFACE: .*wire version 2/],
    ['role', 10, 5, /^WIRE_PREFACE: /],
    ['index', 11, 1, /^WIRE_PREFACE: /],
    ['epoch', 12, 1, /^SESSION_UNKNOWN: /],
  ])('is refused: %s', async (_name, at, value, refusal) => {
    const peer = await dial()
    const bytes = Uint8Array.from(secretBytes(32))
    bytes.set([0x89, 0x47, 0x44, 0x57, 0x0d, 0x0a, 0x1a, 0x0a, 1, 0, 1, 0, 0, 0, 0, 0])
    bytes[at] = value
    peer.raw(bytes)
    expect(await peer.refusal()).toMatch(refusal)
  })

  it('is refused: a data channel of no session, or before there is memory', async () => {
    const stray = await dial()
    stray.preface(Uint8Array.from(secretBytes(16)), { role: 2 })
    expect(await stray.refusal()).toMatch(/^SESSION_UNKNOWN: /)
    const { id } = await greet()
    const early = await dial()
    early.preface(id, { role: 2 })
    early.raw(early.frame(FrameType.Pages, zeros()))
    expect(await early.refusal()).toMatch(/^PROTOCOL_STATE: /)
  })

  it('is refused: a second control channel, and the first goes on', async () => {
    const { id, control } = await greet()
    const second = await dial()
    second.preface(id).send('Hello', hello)
    expect(await second.refusal()).toMatch(/^PROTOCOL_STATE: /)
    control.send('Reserve', { guest: idle, regions: [{ id: 0, name: 'ram', byteLength: 4096 }] })
    expect(await control.next()).toMatchObject({ name: 'Reserved', body: { reservedBytes: 4096 } })
    control.channel.destroy()
  })

  it('makes room for one session more: of those that only greeted, the oldest goes', async () => {
    const sessions: Session[] = []
    for (let i = 0; i < 9; i++) sessions.push(await greet())
    expect(await sessions[0]!.control.refusal()).toMatch(/^LIMIT_EXCEEDED: .* made room$|^closed$/)
    for (const one of peers) one.channel.destroy()
  })

  it('is refused: one session more of an address than there may be', async () => {
    const sessions: Session[] = []
    for (let i = 0; i < 8; i++) sessions.push(await reserve())
    const peer = await dial()
    peer.preface(Uint8Array.from(secretBytes(16))).send('Hello', hello)
    expect(await peer.refusal()).toMatch(/^LIMIT_EXCEEDED: 8 migrations of 127.0.0.1 are going on/)
    for (const one of sessions) one.control.send('Error', cancelled)
    for (const one of sessions) await one.control.refusal()
    for (const one of peers) one.channel.destroy()
  })
})

describe('a frame that is wrong', () => {
  type Break = (control: Peer) => Uint8Array
  const set = (at: number, ...values: number[]): Break => {
    return (control) => {
      const frame = control.message('Hello', hello)
      frame.set(values, at)
      return frame
    }
  }
  const other = (type: number, body = new Uint8Array(0)): Break => {
    return (control) => control.frame(type, body)
  }
  it.each<[string, Break, RegExp]>([
    ['of 4 GiB', set(FRAME.length, 0xff, 0xff, 0xff, 0xff), /^WIRE_FRAME_LENGTH: .*4294967295/],
    ['one byte too long', set(FRAME.length, 1, 0, 4, 0), /^WIRE_FRAME_LENGTH: .*262145/],
    ['of an unknown type', other(0x7777), /^WIRE_FRAME_TYPE: /],
    ['of type 0', other(0), /^WIRE_FRAME_TYPE: /],
    ['of another channel', other(FrameType.Pages, zeros()), /^WIRE_FRAME_TYPE: /],
    ['with flags', set(FRAME.flags, 1), /^WIRE_FLAGS: /],
    ['out of sequence', set(FRAME.sequence, 7), /^WIRE_SEQUENCE: /],
    ['with a damaged body', set(20, 0xff), /^WIRE_CHECKSUM: /],
    ['that is no map', other(FrameType.Hello, Uint8Array.of(0x93, 1, 2, 3)), /^WIRE_BODY: /],
    ['with fields missing', other(FrameType.Hello, Uint8Array.of(0x80)), /^WIRE_BODY: /],
    ['with a huge count', other(FrameType.Hello, Uint8Array.of(0xdf, 255, 255, 255, 255)), /BODY/],
  ])('is refused: %s', async (_name, spoil, refusal) => {
    const control = await dial()
    control.preface(Uint8Array.from(secretBytes(16)))
    control.raw(spoil(control))
    expect(await control.refusal()).toMatch(refusal)
  })

  it('twice is refused', async () => {
    const control = await dial()
    control.preface(Uint8Array.from(secretBytes(16)))
    const frame = control.message('Hello', hello)
    control.raw(frame).raw(frame)
    expect(await control.refusal()).toMatch(/^WIRE_SEQUENCE: /)
  })

  it('cut off ends the session', async () => {
    const control = await dial()
    control.preface(Uint8Array.from(secretBytes(16)))
    control.raw(control.message('Hello', hello).subarray(0, 40))
    control.channel.end()
    expect(await control.refusal()).toBe('closed')
  })

  it('is skipped when it is unknown and optional', async () => {
    const control = await dial()
    control.preface(Uint8Array.from(secretBytes(16)))
    control.raw(control.frame(0x8abc, randomBytes(65_536, 1))).send('Hello', hello)
    expect(await control.next()).toMatchObject({ name: 'Welcome' })
    control.channel.destroy()
  })
})

describe('a legal frame at the wrong time', () => {
  it.each<[string, (control: Peer) => void]>([
    ['COMMIT first', (control) => control.send('Commit', { epoch: 1 })],
    ['HELLO twice', (control) => control.send('Hello', hello)],
    ['STATE first', (control) => control.send('State', { package: new Uint8Array(0) })],
    ['a round without memory', (control) => control.send('RoundBegin', full)],
    ['what a destination says', (control) => control.send('RoundAck', { round: 1 })],
  ])('is refused: %s', async (_name, say) => {
    const { control } = await greet()
    say(control)
    expect(await control.refusal()).toMatch(/^PROTOCOL_STATE: /)
  })

  it.each<[string, (session: Session & { data: Peer }) => void]>([
    ['COMMIT without pages', ({ control }) => control.send('Commit', { epoch: 1 })],
    [
      'ROUND_BEGIN twice',
      ({ control }) => control.send('RoundBegin', full).send('RoundBegin', full),
    ],
    [
      'STATE before ROUND_END',
      ({ control }) => {
        control.send('RoundBegin', full).send('State', { package: new Uint8Array(0) })
      },
    ],
    [
      'switch-over without a round',
      ({ control }) => {
        control.send('SwitchOver', { round: 0 })
      },
    ],
    [
      'a final round first',
      ({ control }) => control.send('RoundBegin', { ...full, kind: 'final' }),
    ],
    ['round 2 first', ({ control }) => control.send('RoundBegin', { ...full, round: 2 })],
    ['END', ({ control }) => control.send('End', { rounds: 1, pages: 4, usage: {} })],
  ])('is refused: %s', async (_name, say) => {
    const session = await reserve()
    say(session)
    expect(await session.control.refusal()).toMatch(/^PROTOCOL_STATE: /)
  })

  it.each<[string, Uint8Array, RegExp]>([
    ['outside the region', zeros({ first: 1 }), /^CODEC_PAGE_RANGE: /],
    ['far outside it', zeros({ first: 0xffffffff, count: 65535 }), /^CODEC_PAGE_RANGE: /],
    ['of an unknown region', zeros({ region: 7 }), /^CODEC_PAGE_RANGE: /],
    ['of another round', zeros({ round: 2 }), /^PROTOCOL_STATE: /],
    ['with other bytes', undigested(), /^CODEC_DIGEST: /],
    ['without a header', new Uint8Array(8), /^CODEC_BATCH: /],
  ])('is refused: pages %s', async (_name, body, refusal) => {
    const { control, data } = await reserve()
    control.send('RoundBegin', full)
    data.raw(data.frame(FrameType.Pages, body))
    expect(await data.refusal()).toMatch(refusal)
    expect(await control.refusal()).toMatch(refusal)
  })

  it('is refused: a round with other totals than its pages', async () => {
    const { control, data } = await reserve()
    control.send('RoundBegin', full)
    data.raw(data.frame(FrameType.Pages, zeros())).send('Barrier', totals)
    control.send('RoundEnd', { ...totals, pages: 3 })
    expect(await control.refusal()).toMatch(/^PROTOCOL_TOTALS: /)
  })

  it('is taken at the right time', async () => {
    const { control, data } = await reserve()
    control.send('RoundBegin', full)
    data.raw(data.frame(FrameType.Pages, zeros())).send('Barrier', totals)
    control.send('RoundEnd', totals)
    expect(await control.next()).toEqual({ name: 'RoundAck', body: { round: 1 } })
    control.channel.destroy()
  })
})

describe('a guest that cannot be', () => {
  const regions = (count: number, byteLength: number) =>
    Array.from({ length: count }, (_, id) => ({ id, name: `ram${id}`, byteLength }))

  it.each<[string, object[], RegExp]>([
    [
      '4 TiB',
      regions(1024, 4 * GIB),
      /^NO_ROOM: .*4 TiB.* MiB are free here: [\d.]+ TiB are lacking$/,
    ],
    ['64 TiB', regions(1024, 64 * GIB), /^WIRE_BODY: /],
    ['a page too much', regions(1, 16 * MIB + 4096), /^NO_ROOM: .* 4 KiB are lacking$/],
    ['1025 regions', regions(1025, 4096), /^WIRE_BODY: /],
    ['no memory', [], /^WIRE_BODY: /],
    ['a region twice', [...regions(1, 4096), ...regions(1, 4096)], /^WIRE_BODY: /],
  ])('is refused: %s', async (_name, shapes, refusal) => {
    const { control } = await greet()
    control.send('Reserve', { guest: idle, regions: shapes as never })
    expect(await control.refusal()).toMatch(refusal)
  })

  it.each<[string, typeof idle, RegExp]>([
    ['unknown kind', { kind: 'tiger', options: {} }, /^GUEST_UNKNOWN: /],
    ['unknown option', { kind: 'idle', options: { nice: 1 } }, /^GUEST_OPTION: /],
    ['prototype', { kind: '__proto__', options: {} }, /^GUEST_UNKNOWN: /],
    ['endless threads', { kind: 'writer', options: { threads: 1e6 } }, /^GUEST_OPTION: /],
  ])('is refused: %s', async (_name, guest, refusal) => {
    const { control } = await greet()
    control.send('Reserve', { guest, regions: regions(1, MIB) })
    expect(await control.refusal()).toMatch(refusal)
  })
})

describe('after all that', () => {
  /** A few of the above, which make the most memory be held. */
  async function storm(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const { control } = await greet()
      control.raw(control.frame(FrameType.Reserve, randomBytes(200 * KIB, i)))
      expect(await control.refusal()).toMatch(/^WIRE_BODY: /)
      const { data } = await reserve()
      data.raw(data.frame(FrameType.Pages, zeros({ round: 9 })))
      expect(await data.refusal()).toMatch(/^PROTOCOL_STATE: /)
    }
  }

  it('the same process is no bigger, and takes a guest', async () => {
    await storm(10)
    const before = resident()
    await storm(20)
    // Each session had buffers of more than 2 MiB; nothing of them is kept.
    expect(resident() - before).toBeLessThan(16 * MIB)
    // Eight at once had threads: allocators keep what those used, and use it again.
    expect(before - residentBytes).toBeLessThan(192 * MIB)
    await moveNormalGuest()
    expect(destination.process.isOver).toBe(false)
    expect(destination.process.stderr).not.toMatch(/INTERNAL|\bat .*:\d+:\d+/)
  })
})

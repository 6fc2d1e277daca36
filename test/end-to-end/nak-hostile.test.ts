/**
 * Peers that ask for pages they may not ask for, and peers that name content that is not there.
 */
import { randomBytes as secretBytes } from 'node:crypto'
import type { PageRun, Report } from '@godwit/core'
import { MIB } from '@godwit/core'
import { parseEncode } from '@godwit/policy'
import { createMemoryNetwork } from '@godwit/transport'
import type { Welcome } from '@godwit/wire'
import {
  BATCH_HEADER_BYTES,
  BatchCompression,
  ENTRY_BYTES,
  FrameType,
  PageEncoding,
  encodePageRuns,
  writeBatchEntry,
  writeBatchHeader,
} from '@godwit/wire'
import { randomBytes } from '@godwit/testkit'
import { MemoryHost } from 'godwit'
import { describe, expect, it } from 'vitest'
import { Peer, hello } from './peer.ts'
import type { Rig } from './rig.ts'
import { createRig, createSource } from './rig.ts'
import { ShadowGuest } from './shadow.ts'

const welcome: Welcome = {
  version: 1,
  software: 'pretender',
  capabilities: [],
  pageBytes: 4096,
  dataChannels: 1,
  heartbeatMs: 60_000,
}

/** Answers rightly up to the first round. */
async function reserved(control: Peer, capabilities: readonly string[]): Promise<void> {
  await control.introduced()
  control.raw(control.prefaceHeard)
  await control.until('Hello')
  control.send('Welcome', { ...welcome, capabilities: [...capabilities] })
  await control.until('Reserve')
  control.send('Reserved', { reservedBytes: MIB })
}

/** What a destination says on its two channels once a round was sent. */
type Say = (data: Peer, control: Peer) => void | Promise<void>

/** Sends a guest to somebody who says wrong things after round 1; the guest goes on here. */
async function sendTo(encode: string, capabilities: readonly string[], say: Say): Promise<Report> {
  const guest = new ShadowGuest([randomBytes(MIB, 1), randomBytes(4096, 2)])
  const network = createMemoryNetwork()
  let control: Peer | undefined
  const played: Promise<unknown>[] = []
  let told = ''
  const play = async (data: Peer): Promise<void> => {
    await data.introduced()
    data.raw(data.prefaceHeard)
    await data.until('Barrier')
    await control!.until('RoundEnd')
    await say(data, control!)
    told = await control!.refusal()
  }
  await network.listen('pretender', (channel) => {
    const peer = new Peer(channel)
    played.push(control === undefined ? reserved((control = peer), capabilities) : play(peer))
  })
  const dialler = network.createDialler('pretender')
  const settings = { encode: parseEncode(encode) }
  const migration = await createSource(guest, (signal) => dialler.dial(signal), settings)
  const report = await migration.run()
  await Promise.all(played)
  expect(report.outcome).toBe('failed')
  expect(guest.isPaused).toBe(false)
  expect(guest.pauses).toBe(guest.resumes)
  expect(told).toMatch(new RegExp(`^${report.error!.code}: `))
  return report
}

const both = ['references', 'delta']

function nak(data: Peer, fields: { round?: number; region?: number; run?: PageRun } = {}): void {
  const { round = 1, region = 0, run = { firstPage: 0, pageCount: 1 } } = fields
  data.send('Nak', { round, region, runs: encodePageRuns([run]) })
}

describe('a destination that asks for pages once more', { timeout: 5000 }, () => {
  it.each<[string, Say]>([
    ['of the round to come', (data) => nak(data, { round: 2 })],
    ['of a region that is not there', (data) => nak(data, { region: 1 })],
    ['behind the region', (data) => nak(data, { run: { firstPage: 256, pageCount: 1 } })],
    ['across its end', (data) => nak(data, { run: { firstPage: 255, pageCount: 2 } })],
    ['far away', (data) => nak(data, { run: { firstPage: 2 ** 32 - 1, pageCount: 1 } })],
    ['very many', (data) => nak(data, { run: { firstPage: 1, pageCount: 2 ** 32 - 1 } })],
    ['none', (data) => nak(data, { run: { firstPage: 1, pageCount: 0 } })],
    [
      'of a round that is over',
      async (data, control) => {
        control.send('RoundAck', { round: 1 })
        await data.until('Barrier')
        nak(data, { round: 1 })
      },
    ],
    [
      'that the round did not have',
      async (data, control) => {
        control.send('RoundAck', { round: 1 })
        await data.until('Barrier')
        nak(data, { round: 2 })
      },
    ],
    [
      'again and again',
      (data) => {
        nak(data)
        nak(data)
      },
    ],
  ])('is refused: %s', async (_name, say) => {
    const report = await sendTo('same,delta', both, say)
    expect(report.error).toMatchObject({ code: 'PROTOCOL_STATE', phase: 'pre-copy' })
  })

  it.each([
    ['none', []],
    ['zstd', ['zstd']],
    ['lz4', ['lz4']],
  ] as const)('is refused where nothing was agreed that it could lack: %s', async (encode, can) => {
    const report = await sendTo(encode, can, (data) => nak(data))
    expect(report.error).toMatchObject({ code: 'PROTOCOL_STATE', phase: 'pre-copy' })
  })

  it.each([
    ['nothing', new Uint8Array(0)],
    ['half a run', new Uint8Array(12)],
    ['too many runs', new Uint8Array(8 * 4097)],
  ])('is refused: of %s', async (_name, runs) => {
    const report = await sendTo('delta', ['delta'], (data) => {
      data.send('Nak', { round: 1, region: 0, runs })
    })
    expect(report.error).toMatchObject({ code: 'WIRE_BODY' })
  })
})

const pageCount = 512

/** A batch of one entry for one page. */
interface Batch {
  readonly round?: number
  readonly page?: number
  readonly encoding: PageEncoding
  readonly payload?: Uint8Array
  readonly compression?: BatchCompression
  readonly stride?: number
}

function body(batch: Batch): Uint8Array {
  const { round = 1, page = 0, encoding, compression = 0, stride = 0 } = batch
  const { payload = new Uint8Array(0) } = batch
  const bytes = new Uint8Array(BATCH_HEADER_BYTES + ENTRY_BYTES + payload.length)
  const view = new DataView(bytes.buffer)
  const length = payload.length
  const lengths = { entryCount: 1, payloadBytes: length, decodedBytes: length }
  writeBatchHeader(view, 0, { round, region: 0, ...lengths, compression, stride, digest: 0n })
  writeBatchEntry(view, BATCH_HEADER_BYTES, 0, page, 1, encoding, length)
  bytes.set(payload, BATCH_HEADER_BYTES + ENTRY_BYTES)
  return bytes
}

/** A content that no page and no slot has. */
const records = {
  sameAs: {
    encoding: PageEncoding.SameAs,
    payload: Uint8Array.of(0, 0, 0, 0, 9, 0, 0, 0, 1, 2, 3, 4),
  },
  reference: { encoding: PageEncoding.Reference, payload: Uint8Array.of(3, 0, 0, 0, 1, 2, 3, 4) },
  delta: { encoding: PageEncoding.Delta, payload: Uint8Array.of(1, 2, 3, 4, 0, 0) },
  similar: {
    encoding: PageEncoding.Similar,
    payload: Uint8Array.of(0, 0, 0, 0, 9, 0, 0, 0, 1, 2, 3, 4),
  },
  keep: { encoding: PageEncoding.Keep, payload: Uint8Array.of(0, 0, 0, 0) },
} as const
const zero = { encoding: PageEncoding.Zero } as const
const raw = { encoding: PageEncoding.Raw, payload: new Uint8Array(4096).fill(1) } as const

interface Session {
  readonly rig: Rig
  readonly control: Peer
  readonly data: Peer
  readonly send: (batch: Batch) => void
}

/** A session in round 1. */
async function begin(required: readonly string[] = both): Promise<Session> {
  const memory = new Uint8Array(pageCount * 4096)
  const rig = await createRig(new MemoryHost({ memory }, memory.length))
  const [control, data] = [new Peer(await rig.dial()), new Peer(await rig.dial())]
  const id = Uint8Array.from(secretBytes(16))
  control.preface(id).send('Hello', { ...hello, required: [...required] })
  const regions = [{ id: 0, name: 'ram', byteLength: memory.length }]
  control.send('Reserve', { guest: { kind: 'memory', options: {} }, regions })
  await control.until('Reserved')
  data.preface(id, { role: 2 })
  await data.introduced()
  control.send('RoundBegin', { round: 1, kind: 'full', pages: pageCount })
  const send = (batch: Batch): void => void data.raw(data.frame(FrameType.Pages, body(batch)))
  return { rig, control, data, send }
}

const totals = (pages: number, round = 1) => ({
  round,
  batches: pages,
  pages,
  digest: new Uint8Array(8),
})

/** Why the destination gave up, on both channels; nothing of the guest is left there. */
async function refusalOf({ rig, control, data }: Session): Promise<string> {
  const why = await data.refusal()
  expect(await control.refusal()).toBe(why)
  await rig.idle()
  expect([rig.held(), rig.runs()]).toEqual([0, 0])
  return why
}

describe('a source that names content that is not there', () => {
  it.each(['sameAs', 'reference', 'delta', 'similar'] as const)(
    'is asked for the page once more: %s',
    async (name) => {
      const { control, data, send } = await begin()
      send({ ...records[name], page: 7 })
      data.send('Barrier', totals(1))
      control.send('RoundEnd', totals(1))
      expect(await data.next()).toEqual({
        name: 'Nak',
        body: { round: 1, region: 0, runs: encodePageRuns([{ firstPage: 7, pageCount: 1 }]) },
      })
      send({ ...zero, page: 7 })
      expect(await control.next()).toEqual({ name: 'RoundAck', body: { round: 1 } })
      control.channel.destroy()
    },
  )

  it('may do so 256 times in a round, and again in the next', async () => {
    const { control, data, send } = await begin()
    for (const round of [1, 2]) {
      if (round === 2) control.send('RoundBegin', { round, kind: 'dirty', pages: 256 })
      for (let page = 0; page < 256; page++) send({ ...records.sameAs, round, page })
      data.send('Barrier', totals(256, round))
      control.send('RoundEnd', totals(256, round))
      for (let page = 0; page < 256; page++) await data.until('Nak')
      for (let page = 0; page < 256; page++) send({ ...zero, round, page })
      expect(await control.next()).toEqual({ name: 'RoundAck', body: { round } })
    }
    control.channel.destroy()
  })

  it.each(['sameAs', 'reference', 'delta', 'similar'] as const)(
    'and goes on and on is stopped: %s',
    async (name) => {
      const session = await begin()
      for (let page = 0; page < pageCount; page++) session.send({ ...records[name], page })
      expect(await refusalOf(session)).toMatch(
        /^LIMIT_EXCEEDED: 257 batches name content that is not here$/,
      )
    },
  )

  it.each<[string, Batch]>([
    ['another page', { ...zero, page: 8 }],
    ['one more', { ...zero, page: pageCount - 1 }],
    ['a reference instead', { ...records.sameAs, page: 7 }],
    ['a delta instead', { ...records.delta, page: 7 }],
    ['something to keep', { ...records.keep, page: 7 }],
    ['a compressed page', { ...raw, page: 7, compression: BatchCompression.Lz4 }],
    ['a transposed page', { ...raw, page: 7, stride: 4 }],
  ])('sends nothing but that page then: %s', async (_name, batch) => {
    const session = await begin([...both, 'zstd', 'lz4'])
    session.send({ ...records.sameAs, page: 7 })
    session.data.send('Barrier', totals(1))
    session.send(batch)
    expect(await refusalOf(session)).toMatch(
      /^PROTOCOL_STATE: Other pages came than were asked for/,
    )
  })

  it.each<[string, Batch, RegExp]>([
    ['with another digest', { ...raw, page: 7 }, /^CODEC_DIGEST: /],
    ['of another round', { ...zero, page: 7, round: 2 }, /^PROTOCOL_STATE: /],
    ['of pages outside', { ...zero, page: pageCount }, /^PROTOCOL_STATE: /],
    ['of a length that it has not', { ...zero, page: 7, payload: raw.payload }, /^CODEC_BATCH: /],
  ])('sends a page that is right: not one %s', async (_name, batch, why) => {
    const session = await begin()
    session.send({ ...records.sameAs, page: 7 })
    session.data.send('Barrier', totals(1))
    session.send(batch)
    expect(await refusalOf(session)).toMatch(why)
  })

  it.each<[string, (session: Session) => void]>([
    ['the barrier again', ({ data }) => data.send('Barrier', totals(1))],
    ['a page twice', ({ send }) => [send({ ...zero, page: 7 }), send({ ...zero, page: 7 })]],
  ])('says nothing else after its barrier: %s', async (_name, say) => {
    const session = await begin()
    session.send({ ...records.sameAs, page: 7 })
    session.data.send('Barrier', totals(1))
    say(session)
    expect(await refusalOf(session)).toMatch(/^PROTOCOL_STATE: /)
  })

  it('repairs nothing that was not asked for', async () => {
    const session = await begin()
    session.send({ ...zero, page: 7 })
    session.data.send('Barrier', totals(1))
    session.send({ ...zero, page: 7 })
    expect(await refusalOf(session)).toMatch(/^PROTOCOL_STATE: /)
  })
})

describe('a source that uses what was not agreed', () => {
  const { sameAs, reference, delta, similar, keep } = records
  const all = ['references', 'delta', 'zstd', 'lz4']
  const but = (...names: string[]): string[] => all.filter((name) => !names.includes(name))
  const zstd = { ...raw, compression: BatchCompression.Zstd }
  const lz4 = { ...raw, compression: BatchCompression.Lz4 }
  it.each<[string, readonly string[], Batch]>([
    ['same-as', but('references'), sameAs],
    ['reference', but('references'), reference],
    ['keep', but('references'), keep],
    ['delta', but('delta'), delta],
    ['similar', but('delta'), similar],
    ['zstd', but('zstd'), zstd],
    ['lz4', but('lz4'), lz4],
    ['a stride', but('zstd', 'lz4'), { ...raw, stride: 4 }],
    ['an encoding that nobody knows', all, { ...zero, encoding: 6 as PageEncoding }],
    ['a compression that nobody knows', all, { ...raw, compression: 3 as BatchCompression }],
  ])('is refused: %s', async (_name, capabilities, batch) => {
    const session = await begin(capabilities)
    session.send(batch)
    expect(await refusalOf(session)).toMatch(/^CODEC_ENCODING: /)
  })

  it.each<[string, readonly string[], Batch]>([
    ['same-as', ['references'], sameAs],
    ['reference', ['references'], reference],
    ['delta', ['delta'], delta],
    ['similar', ['delta'], similar],
  ])('is let in where just that was agreed: %s', async (_name, capabilities, batch) => {
    const { control, data, send } = await begin(capabilities)
    send(batch)
    expect(await data.next()).toMatchObject({ name: 'Nak' })
    control.channel.destroy()
  })

  it.each<[string, readonly string[], Batch, RegExp]>([
    ['zstd', ['zstd'], zstd, /^CODEC_COMPRESSION: /],
    ['lz4', ['lz4'], lz4, /^CODEC_COMPRESSION: /],
    ['a stride', ['lz4'], { ...raw, stride: 4 }, /^CODEC_DIGEST: /],
  ])('is looked at where just that was agreed: %s', async (_name, capabilities, batch, why) => {
    const session = await begin(capabilities)
    session.send(batch)
    expect(await refusalOf(session)).toMatch(why)
  })
})

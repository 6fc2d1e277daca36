/**
 * Sources that break the rules of post-copy.
 */
import { randomBytes as secretBytes } from 'node:crypto'
import type { GuestIdentity, PageRun, Report } from '@godwit/core'
import { WorkloadGuest, WorkloadHost } from '@godwit/guest'
import type { Hello, RoundBegin } from '@godwit/wire'
import {
  BATCH_HEADER_BYTES,
  ENTRY_BYTES,
  FrameType,
  PageEncoding,
  encodePageRuns,
  writeBatchEntry,
  writeBatchHeader,
} from '@godwit/wire'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Peer, hello } from './peer.ts'
import type { Rig } from './rig.ts'
import { createRig } from './rig.ts'

const pageCount = 4
const memoryBytes = pageCount * 4096
const no = new Uint8Array(8)
const postCopyHello: Hello = {
  ...hello,
  mode: 'post-copy',
  required: ['post-copy'],
  optional: ['references', 'zstd'],
}

describe('a destination', { timeout: 5000 }, () => {
  let identity: GuestIdentity
  let statePackage: Uint8Array
  let rig: Rig

  beforeAll(async () => {
    const guest = await WorkloadGuest.start({ kind: 'idle', options: {} }, memoryBytes)
    await guest.pause()
    identity = guest.identity
    statePackage = guest.captureState()
    await guest.stop()
  })
  beforeEach(async () => {
    rig = await createRig(new WorkloadHost({ memoryBytesMax: memoryBytes }))
  })
  afterEach(async () => {
    await rig.agent.abandon()
  })

  interface Session {
    readonly control: Peer
    readonly data: Peer
    readonly urgent: Peer
  }

  async function dial(id: Uint8Array, role: 2 | 3 | 4): Promise<Peer> {
    const peer = new Peer(await rig.dial())
    peer.preface(id, { role })
    await peer.introduced()
    return peer
  }

  async function reserve(id: Uint8Array, asked: Hello): Promise<Peer> {
    const control = new Peer(await rig.dial())
    control.preface(id).send('Hello', asked)
    await control.until('Welcome')
    const regions = [{ id: 7, name: 'ram', byteLength: memoryBytes }]
    control.send('Reserve', { guest: identity, regions })
    await control.until('Reserved')
    return control
  }

  /** Memory is reserved, all channels are there. */
  async function reserved(): Promise<Session> {
    const id = Uint8Array.from(secretBytes(16))
    const control = await reserve(id, postCopyHello)
    return { control, data: await dial(id, 2), urgent: await dial(id, 3) }
  }

  /** ... and it was told that pages are to follow. */
  async function switched(): Promise<Session> {
    const session = await reserved()
    session.control.send('SwitchOver', { round: 0, postCopy: true })
    await session.control.until('SwitchOverAck')
    return session
  }

  const all = { firstPage: 0, pageCount }

  function discard(control: Peer, run: PageRun, region = 7): void {
    control.send('Discard', { region, runs: encodePageRuns([run]) })
  }

  /** ... and runs the guest, which lacks pages. */
  async function running(run: PageRun = all): Promise<Session> {
    const session = await switched()
    discard(session.control, run)
    session.control.send('State', { package: statePackage })
    await session.control.until('Ready')
    session.control.send('Commit', { epoch: 1 })
    await session.control.until('Running')
    session.control.send('RoundBegin', begin)
    return session
  }

  const begin: RoundBegin = { round: 1, kind: 'post-copy', pages: pageCount }

  interface Fields {
    readonly count?: number
    readonly encoding?: PageEncoding
    readonly compression?: 0 | 1 | 2
    readonly stride?: 0 | 3
    readonly payload?: number
  }

  /** Zero pages, or something else of so many bytes. */
  function batch(peer: Peer, first: number, fields: Fields = {}): void {
    const { count = 1, encoding = PageEncoding.Zero, payload = 0 } = fields
    const { compression = 0, stride = 0 } = fields
    const body = new Uint8Array(BATCH_HEADER_BYTES + ENTRY_BYTES + payload)
    const view = new DataView(body.buffer)
    const sizes = { payloadBytes: payload, decodedBytes: payload }
    const header = { round: 1, region: 7, entryCount: 1, digest: 0n, ...sizes }
    writeBatchHeader(view, 0, { ...header, compression, stride })
    writeBatchEntry(view, BATCH_HEADER_BYTES, 0, first, count, encoding, payload)
    peer.raw(peer.frame(FrameType.Pages, body))
  }

  function barrier(peer: Peer, batches: number, pages: number): void {
    peer.send('Barrier', { round: 1, batches, pages, digest: no })
  }

  async function reports(): Promise<Report> {
    await rig.idle()
    return rig.reports.at(-1)!
  }

  describe('that was asked for checkpoints', () => {
    const required = ['post-copy', 'reverse']

    /** Runs a guest that lacks its pages. */
    async function checkpointed(): Promise<{ control: Peer; reverse: Peer }> {
      const id = Uint8Array.from(secretBytes(16))
      const control = await reserve(id, { ...postCopyHello, required, checkpointMs: 10 })
      await dial(id, 2)
      await dial(id, 3)
      const reverse = await dial(id, 4)
      const second = await dial(id, 4)
      expect(await second.refusal()).toMatch(/^PROTOCOL_STATE: /)
      control.send('SwitchOver', { round: 0, postCopy: true })
      await control.until('SwitchOverAck')
      discard(control, all)
      control.send('State', { package: statePackage })
      await control.until('Ready')
      control.send('Commit', { epoch: 1 })
      await control.until('Running')
      return { control, reverse }
    }

    it('sends the next one when the last was acknowledged', async () => {
      const { reverse } = await checkpointed()
      for (const number of [1, 2, 3]) {
        expect(await reverse.next()).toEqual({ name: 'CheckpointBegin', body: { number } })
        const end = (await reverse.next())!
        expect(end).toMatchObject({ name: 'CheckpointEnd', body: { number, batches: 0, pages: 0 } })
        reverse.send('CheckpointAck', { number })
      }
    })

    it.each([
      ['of one that was not sent', 2],
      ['of one that is long over', 4_000_000_000],
    ])('refuses an acknowledgement %s', async (_, number) => {
      const { reverse } = await checkpointed()
      await reverse.until('CheckpointEnd')
      reverse.send('CheckpointAck', { number })
      expect(await reverse.refusal()).toMatch(/^PROTOCOL_STATE: /)
      expect(await reports()).toMatchObject({ error: { code: 'POST_COPY_LOST' } })
    })

    it.each<[string, Partial<Hello>]>([
      ['how often', { required }],
      ['the capability', { checkpointMs: 50 }],
      ['post-copy', { required: ['reverse'], checkpointMs: 50, mode: 'pre-copy' }],
    ])('refuses to without %s', async (_, asked) => {
      const control = new Peer(await rig.dial())
      control
        .preface(Uint8Array.from(secretBytes(16)))
        .send('Hello', { ...postCopyHello, ...asked })
      expect(await control.refusal()).toMatch(/^PROTOCOL_CAPABILITY: /)
    })
  })

  it('refuses a reverse channel that was not agreed', async () => {
    const id = Uint8Array.from(secretBytes(16))
    await reserve(id, postCopyHello)
    expect(await (await dial(id, 4)).refusal()).toMatch(/^PROTOCOL_STATE: /)
  })

  it('takes pages on all channels from those who keep the rules', async () => {
    const { control, data, urgent } = await running()
    batch(data, 2, { count: 2 })
    batch(urgent, 1)
    batch(data, 0)
    barrier(data, 2, 3)
    barrier(urgent, 1, 1)
    control.send('RoundEnd', { round: 1, batches: 3, pages: 4, digest: no })
    expect(await control.until('RoundAck')).toMatchObject({ body: { round: 1 } })
    control.send('End', { rounds: 1, pages: 4, usage: {} })
    expect(await control.until('EndAck')).toMatchObject({ body: { faults: { count: 0 } } })
    for (const one of [control, data, urgent]) one.channel.end()
    expect(await reports()).toMatchObject({ outcome: 'completed', pages: { zero: 4 } })
  })

  type Say = (session: Session) => void
  it.each<[string, Say, string]>([
    ['twice in one batch after another', ({ data }) => [batch(data, 1), batch(data, 1)], 'STATE'],
    ['on two channels', ({ data, urgent }) => [batch(data, 1), batch(urgent, 1)], 'STATE'],
    ['in runs that overlap', ({ data }) => [batch(data, 0, { count: 2 }), batch(data, 1)], 'STATE'],
    ['that is not in the region', ({ data }) => batch(data, 4), 'CODEC_PAGE_RANGE'],
    [
      'that is compressed, urgently',
      ({ urgent }) => batch(urgent, 1, { encoding: 1, compression: 1, payload: 4096 }),
      'CODEC_ENCODING',
    ],
    ['with a stride, urgently', ({ urgent }) => batch(urgent, 1, { stride: 3 }), 'CODEC_ENCODING'],
    [
      'that is the same as another, urgently',
      ({ urgent }) => batch(urgent, 1, { encoding: 3, payload: 12 }),
      'CODEC_ENCODING',
    ],
    [
      'that is kept, urgently',
      ({ urgent }) => batch(urgent, 1, { encoding: 8, payload: 4 }),
      'CODEC_ENCODING',
    ],
    [
      'with another digest',
      ({ data }) => batch(data, 1, { encoding: 1, payload: 4096 }),
      'CODEC_DIGEST',
    ],
    [
      'that never comes, though totals agree',
      ({ control, data, urgent }) => {
        batch(data, 0, { count: 3 })
        barrier(data, 1, 3)
        barrier(urgent, 0, 0)
        control.send('RoundEnd', { round: 1, batches: 1, pages: 3, digest: no })
      },
      'PROTOCOL_TOTALS',
    ],
    [
      'that is counted on the wrong channel',
      ({ data, urgent }) => {
        batch(data, 0, { count: 4 })
        barrier(data, 0, 0)
        barrier(urgent, 1, 4)
      },
      'PROTOCOL_TOTALS',
    ],
    ['with a second ROUND_BEGIN', ({ control }) => control.send('RoundBegin', begin), 'STATE'],
    ['with a COMMIT once more', ({ control }) => control.send('Commit', { epoch: 1 }), 'STATE'],
    ['too late, END was there', ({ control }) => control.send('End', end), 'STATE'],
  ])('refuses a page %s', async (_name, say, code) => {
    const { control, ...others } = await running()
    say({ control, ...others })
    const full = code === 'STATE' ? 'PROTOCOL_STATE' : code
    expect(await control.refusal()).toMatch(new RegExp(`^${full}: `))
    for (const one of [control, ...Object.values(others)]) one.channel.destroy()
    expect(await reports()).toMatchObject({ outcome: 'failed', error: { code: 'POST_COPY_LOST' } })
  })

  const end = { rounds: 1, pages: 4, usage: {} }

  it('refuses a page that was not discarded', async () => {
    const { control, data } = await running({ firstPage: 1, pageCount: 2 })
    batch(data, 1, { count: 2 })
    batch(data, 3)
    expect(await control.refusal()).toMatch(/^PROTOCOL_STATE: .*Page 3/)
  })

  it.each<[string, () => Promise<Session>, Say, string]>([
    ['pages before READY', switched, ({ data }) => batch(data, 0), 'PROTOCOL_STATE'],
    ['urgent pages before it', reserved, ({ urgent }) => batch(urgent, 0), 'PROTOCOL_STATE'],
    ['a round before it', reserved, ({ control }) => control.send('RoundBegin', begin), 'STATE'],
    ['a DISCARD too early', reserved, ({ control }) => discard(control, all), 'PROTOCOL_STATE'],
    [
      'a DISCARD of pages behind the region',
      switched,
      ({ control }) => discard(control, { firstPage: 1, pageCount }),
      'CODEC_PAGE_RANGE',
    ],
    [
      'a DISCARD of the same pages again',
      switched,
      ({ control }) => {
        discard(control, all)
        discard(control, { firstPage: 0, pageCount: 1 })
      },
      'PROTOCOL_STATE',
    ],
    [
      'a DISCARD of no pages',
      switched,
      ({ control }) => discard(control, { firstPage: 1, pageCount: 0 }),
      'CODEC_PAGE_RANGE',
    ],
    [
      'a DISCARD of very many',
      switched,
      ({ control }) => discard(control, { firstPage: 1, pageCount: 2 ** 32 - 1 }),
      'CODEC_PAGE_RANGE',
    ],
    [
      'a DISCARD of another region',
      switched,
      ({ control }) => discard(control, all, 0),
      'CODEC_PAGE_RANGE',
    ],
    [
      'SWITCH_OVER without post-copy',
      reserved,
      ({ control }) => control.send('SwitchOver', { round: 0 }),
      'PROTOCOL_STATE',
    ],
    [
      'SWITCH_OVER again',
      switched,
      ({ control }) => control.send('SwitchOver', { round: 0, postCopy: true }),
      'PROTOCOL_STATE',
    ],
  ])('refuses %s, and the guest is not there', async (_name, reach, say, code) => {
    const session = await reach()
    say(session)
    const full = code === 'STATE' ? 'PROTOCOL_STATE' : code
    expect(await session.control.refusal()).toMatch(new RegExp(`^${full}: `))
    for (const one of Object.values(session)) (one as Peer).channel.destroy()
    expect(await reports()).toMatchObject({ outcome: 'failed', error: { code: full } })
    expect([rig.held(), rig.runs()]).toEqual([0, 0])
  })

  it('refuses post-copy that was not required, and switching to it in other modes', async () => {
    const control = new Peer(await rig.dial())
    const asked = { ...postCopyHello, required: [], optional: ['post-copy'] }
    control.preface(Uint8Array.from(secretBytes(16))).send('Hello', asked)
    expect(await control.refusal()).toMatch(/^PROTOCOL_CAPABILITY: /)
    const stopCopy = await reserve(Uint8Array.from(secretBytes(16)), {
      ...hello,
      mode: 'stop-copy',
    })
    stopCopy.send('SwitchOver', { round: 0, postCopy: true })
    expect(await stopCopy.refusal()).toMatch(/^PROTOCOL_STATE: /)
  })

  it('refuses an urgent channel in other modes, and a second one', async () => {
    const id = Uint8Array.from(secretBytes(16))
    await reserve(id, hello)
    expect(await (await dial(id, 3)).refusal()).toMatch(/^PROTOCOL_STATE: /)
    await rig.agent.abandon()
    await rig.idle()
    const other = Uint8Array.from(secretBytes(16))
    await reserve(other, postCopyHello)
    await dial(other, 3)
    expect(await (await dial(other, 3)).refusal()).toMatch(/^PROTOCOL_STATE: /)
  })
})

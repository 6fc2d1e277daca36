/**
 * Peers that break the rules of post-copy, on both sides.
 */
import { randomBytes as secretBytes } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import type { GuestIdentity, Report } from '@godwit/core'
import { WorkloadGuest, WorkloadHost } from '@godwit/guest'
import { createMemoryNetwork } from '@godwit/transport'
import type { Hello, PageRun, RoundBegin } from '@godwit/wire'
import {
  BATCH_HEADER_BYTES,
  ENTRY_BYTES,
  FrameType,
  PREFACE,
  PageEncoding,
  decodePageRuns,
  encodePageRuns,
  writeBatchEntry,
  writeBatchHeader,
} from '@godwit/wire'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Peer, hello } from './peer.ts'
import type { Rig, SourceSettings } from './rig.ts'
import { createRig, createSource } from './rig.ts'
import { ShadowGuest } from './shadow.ts'

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

  async function dial(id: Uint8Array, role: 2 | 3): Promise<Peer> {
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

describe('a source', { timeout: 5000 }, () => {
  const pages = 40
  let guest: ShadowGuest

  beforeEach(() => {
    guest = new ShadowGuest([new Uint8Array(pages * 4096).fill(1)])
  })

  interface Heard {
    readonly control: Peer
    readonly urgent: Promise<Peer>
    /** Pages that DISCARD named. */
    discarded: number
  }

  /** Plays a destination; `say` goes on from READY being due. */
  async function sendTo(
    say: (heard: Heard) => Promise<void>,
    settings: SourceSettings = {},
  ): Promise<Report> {
    const network = createMemoryNetwork()
    const urgent = Promise.withResolvers<Peer>()
    const played: Promise<void>[] = []
    const play = async (peer: Peer, isControl: boolean): Promise<void> => {
      await peer.introduced()
      peer.raw(peer.prefaceHeard)
      if (peer.prefaceHeard[PREFACE.role] === 3) urgent.resolve(peer)
      if (!isControl) return
      const heard: Heard = { control: peer, urgent: urgent.promise, discarded: 0 }
      await prepared(heard)
      await say(heard)
    }
    await network.listen('pretender', (channel) => {
      played.push(play(new Peer(channel), played.length === 0))
    })
    const dialler = network.createDialler('pretender')
    const all = { mode: 'post-copy', fetch: 'demand', verify: 'none', ...settings } as const
    const migration = await createSource(guest, (signal) => dialler.dial(signal), all)
    const report = await migration.run()
    await Promise.all(played)
    return report
  }

  /** Answers rightly up to STATE. */
  async function prepared(heard: Heard): Promise<void> {
    const { control } = heard
    await control.until('Hello')
    const terms = { version: 1, software: 'pretender', pageBytes: 4096, dataChannels: 1 }
    control.send('Welcome', { ...terms, capabilities: ['post-copy'], heartbeatMs: 60_000 })
    await control.until('Reserve')
    control.send('Reserved', { reservedBytes: pages * 4096 })
    expect(await control.until('SwitchOver')).toMatchObject({ body: { round: 0, postCopy: true } })
    control.send('SwitchOverAck', {})
    for (;;) {
      const message = (await control.next())!
      if (message.name === 'State') return
      if (message.name !== 'Discard') throw new Error(message.name)
      for (const run of decodePageRuns(message.body.runs)) heard.discarded += run.pageCount
    }
  }

  async function commit(control: Peer): Promise<void> {
    control.send('Ready', { epoch: 1 })
    await control.until('Commit')
  }

  const ask = (urgent: Peer, page: number, region = 0): void => {
    urgent.send('PageRequest', { region, page })
  }

  it.each([
    ['early', 0, 'PROTOCOL_STATE'],
    ['early, of a page that is not there', pages, 'CODEC_PAGE_RANGE'],
  ])('refuses to be asked for a page: %s', async (_name, page, code) => {
    const report = await sendTo(async ({ control, urgent }) => {
      ask(await urgent, page)
      expect(await control.refusal()).toMatch(new RegExp(`^${code}: `))
    })
    expect(report).toMatchObject({ outcome: 'failed', error: { code } })
    expect([guest.isPaused, guest.pauses, guest.resumes]).toEqual([false, 1, 1])
  })

  it.each([
    ['behind the region', 0, pages],
    ['far away', 0, 2 ** 32 - 1],
    ['of another region', 1, 0],
  ])('refuses to be asked for a page %s, and stays stopped', async (_name, region, page) => {
    const report = await sendTo(async ({ control, urgent }) => {
      await commit(control)
      control.send('Running', { epoch: 1, resumeMs: 0 })
      await control.until('RoundBegin')
      ask(await urgent, page, region)
      expect(await control.refusal()).toMatch(/^CODEC_PAGE_RANGE: /)
    })
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'POST_COPY_LOST' } })
    expect([guest.isPaused, guest.resumes]).toEqual([true, 0])
  })

  it('sends a page once, however often it is asked for, and counts what waits', async () => {
    const report = await sendTo(async ({ control, urgent: opening, discarded }) => {
      const urgent = await opening
      await commit(control)
      // More than there are slots, all at once, while the rest is about to be sent.
      for (let page = 0; page < pages; page++) {
        ask(urgent, page)
        ask(urgent, page)
      }
      control.send('Running', { epoch: 1, resumeMs: 0 })
      expect(await control.until('RoundBegin')).toMatchObject({ body: { pages } })
      expect(discarded).toBe(pages)
      const totals = { round: 1, batches: pages, pages }
      expect(await control.until('RoundEnd')).toMatchObject({ body: totals })
      expect(await urgent.until('Barrier')).toMatchObject({ body: totals })
      // After its barrier nothing is answered any more.
      ask(urgent, 3)
      for (let turn = 0; turn < 5; turn++) await setImmediate()
      control.send('RoundAck', { round: 1 })
      await control.until('End')
      control.send('EndAck', { usage: {} })
      for (const peer of [control, urgent]) peer.channel.end()
    })
    expect(report.error).toBeUndefined()
    expect(report).toMatchObject({ outcome: 'completed', pages: { raw: pages } })
    expect(guest.resumes).toBe(0)
  })
})

/**
 * Releases that are not the same: of other versions, and of this version with more in it.
 */
import { parseEncode } from '@godwit/policy'
import { createMemoryNetwork } from '@godwit/transport'
import type { Hello, Welcome } from '@godwit/wire'
import { BATCH_HEADER_BYTES, ENTRY_BYTES, writeBatchEntry, writeBatchHeader } from '@godwit/wire'
import { MemoryHost } from 'godwit'
import { describe, expect, it } from 'vitest'
import { mixedBytes } from './memory-contents.ts'
import { NewerChannel } from './newer-channel.ts'
import { Peer, hello } from './peer.ts'
import type { Rig, SourceSettings } from './rig.ts'
import { createRig, createSource } from './rig.ts'
import { ShadowGuest, difference } from './shadow.ts'

const pageBytes = 4096
const pageCount = 3

/** The body of a batch that makes all pages zero. */
function zeros(): Uint8Array {
  const body = new Uint8Array(BATCH_HEADER_BYTES + ENTRY_BYTES)
  const view = new DataView(body.buffer)
  const plain = { compression: 0, stride: 0, decodedBytes: 0, payloadBytes: 0 } as const
  writeBatchHeader(view, 0, { round: 1, region: 0, entryCount: 1, digest: 0n, ...plain })
  writeBatchEntry(view, BATCH_HEADER_BYTES, 0, 0, pageCount, 2, 0)
  return body
}

const totals = { round: 1, batches: 1, pages: pageCount, digest: new Uint8Array(8) }

describe('a source of another version', () => {
  const id = new Uint8Array(16).fill(3)
  let rig: Rig

  async function greet(versions: Pick<Hello, 'versionMin' | 'versionMax'>): Promise<Peer> {
    const arrival = new Uint8Array(pageCount * pageBytes).fill(9)
    rig = await createRig(new MemoryHost({ memory: [arrival] }, arrival.length))
    const control = new Peer(await rig.dial())
    control.preface(id).send('Hello', { ...hello, mode: 'stop-copy', ...versions })
    return control
  }

  it('that is the next one moves its guest, by this version', async () => {
    const control = await greet({ versionMin: 1, versionMax: 2 })
    expect(await control.until('Welcome')).toMatchObject({ body: { version: 1 } })
    const regions = [{ id: 0, name: 'part0', byteLength: pageCount * pageBytes }]
    control.send('Reserve', { guest: { kind: 'memory', options: {} }, regions })
    await control.until('Reserved')
    const data = new Peer(await rig.dial())
    data.preface(id, { role: 2 })
    await data.introduced()
    control.send('SwitchOver', { round: 0 })
    await control.until('SwitchOverAck')
    control.send('RoundBegin', { round: 1, kind: 'final', pages: pageCount })
    data.raw(data.frame(0x0011, zeros())).send('Barrier', totals)
    control.send('RoundEnd', totals).send('State', { package: new Uint8Array(0) })
    await control.until('RoundAck')
    await control.until('Ready')
    control.send('Commit', { epoch: 1 })
    await control.until('Running')
    control.send('End', { rounds: 1, pages: pageCount, usage: {} })
    await control.until('EndAck')
    control.channel.end()
    data.channel.end()
    await rig.idle()
    expect(rig.reports[0]).toMatchObject({ outcome: 'completed' })
  })

  it.each([
    [3, /source speaks protocol 2 to 3, the destination 1\. Update the destination .* speaks 2:/],
    [9, /Update the destination .* speaks 8:/],
  ])('that is a later one still, %i, is refused, and both sides are told why', async (n, text) => {
    const control = await greet({ versionMin: n - 1, versionMax: n })
    expect(await control.refusal()).toMatch(text)
    await rig.idle()
    const { outcome, error } = rig.reports[0]!
    expect([outcome, error!.code, rig.held()]).toEqual(['failed', 'PROTOCOL_VERSION', 0])
    expect(error!.text).toMatch(text)
  })
})

const welcome: Welcome = {
  version: 1,
  software: 'pretender',
  capabilities: [],
  pageBytes,
  dataChannels: 1,
  heartbeatMs: 60_000,
}

/** A destination that is played by hand, from WELCOME to END_ACK or to where it ends before. */
async function sendTo(play: (control: Peer) => Promise<void>) {
  const guest = new ShadowGuest([new Uint8Array(pageCount * pageBytes).fill(1)])
  const network = createMemoryNetwork()
  const played: Promise<void>[] = []
  await network.listen('pretender', (channel) => {
    const peer = new Peer(channel)
    const isControl = played.length === 0
    played.push(peer.introduced().then(() => void peer.raw(peer.prefaceHeard)))
    if (isControl) played.push(played[0]!.then(() => play(peer)))
  })
  const dialler = network.createDialler('pretender')
  const settings: SourceSettings = { mode: 'stop-copy', verify: 'none' }
  const migration = await createSource(guest, (signal) => dialler.dial(signal), settings)
  const report = await migration.run()
  await Promise.all(played)
  return { report, guest }
}

describe('a destination of another version', () => {
  it('that is the next one takes the guest, by this version', async () => {
    const { report } = await sendTo(async (control) => {
      expect(await control.until('Hello')).toMatchObject({ body: { versionMin: 1, versionMax: 1 } })
      control.send('Welcome', welcome)
      await control.until('Reserve')
      control.send('Reserved', { reservedBytes: pageCount * pageBytes })
      await control.until('SwitchOver')
      control.send('SwitchOverAck', {})
      await control.until('State')
      control.send('RoundAck', { round: 1 }).send('Ready', { epoch: 1 })
      await control.until('Commit')
      control.send('Running', { epoch: 1, resumeMs: 0 })
      await control.until('End')
      control.send('EndAck', { usage: {} })
      control.channel.end()
    })
    expect(report).toMatchObject({ outcome: 'completed' })
    expect(report.error).toBeUndefined()
  })

  it('that is a later one still refuses, and the source tells what it was told', async () => {
    const text = 'The source speaks protocol 1, the destination 2 to 3. Update the source'
    const { report, guest } = await sendTo(async (control) => {
      await control.until('Hello')
      control.send('Error', { code: 80, text })
      control.channel.end()
    })
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'PROTOCOL_VERSION', text } })
    expect(guest.isPaused).toBe(false)
  })

  it('that chooses what was not offered is told so', async () => {
    let heard: string | undefined
    const { report, guest } = await sendTo(async (control) => {
      await control.until('Hello')
      control.send('Welcome', { ...welcome, version: 2 })
      heard = await control.refusal()
    })
    const text = /chose protocol 2; the source speaks 1\. Update the source/
    expect(report.error).toMatchObject({ code: 'PROTOCOL_VERSION' })
    expect([report.error!.text, heard]).toEqual([
      expect.stringMatching(text),
      expect.stringMatching(text),
    ])
    expect(guest.isPaused).toBe(false)
  })
})

describe('a later release of the same version', () => {
  it.each<[string, SourceSettings]>([
    ['pre-copy', { encode: parseEncode('same,delta,zstd'), stop: 'max-rounds=3' }],
    ['stop-copy', { mode: 'stop-copy', hash: 'sha256' }],
    ['several channels', { lanes: 3, verify: 'sha256' }],
  ])('has keys, capabilities and frames that this one passes over: %s', async (_, settings) => {
    const guest = new ShadowGuest([mixedBytes(40, pageBytes)])
    const arrival = new Uint8Array(40 * pageBytes)
    const rig = await createRig(new MemoryHost({ memory: arrival }, arrival.length))
    const channels: NewerChannel[] = []
    const wrap: SourceSettings['wrap'] = (inner) => {
      const channel = new NewerChannel(inner)
      channels.push(channel)
      return channel
    }
    const report = await (await rig.source(guest, { ...settings, wrap })).run()
    await rig.idle()
    expect(report.error).toBeUndefined()
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(rig.reports[0]).toMatchObject({ outcome: 'completed' })
    expect(difference([arrival], guest.snapshot())).toBeUndefined()
    for (const { extraFrames } of channels) expect(extraFrames).toBeGreaterThan(1)
  })

  it('that requires what this one does not know is refused', async () => {
    const rig = await createRig(new MemoryHost({ memory: [new Uint8Array(pageBytes)] }, pageBytes))
    const control = new Peer(await rig.dial())
    control.preface(new Uint8Array(16)).send('Hello', { ...hello, required: ['teleport'] })
    expect(await control.refusal()).toMatch(/^PROTOCOL_CAPABILITY: .*teleport/)
    await rig.idle()
    expect(rig.reports[0]!.error).toMatchObject({ code: 'PROTOCOL_CAPABILITY' })
  })
})

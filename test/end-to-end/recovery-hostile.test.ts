/**
 * Sources that are lost in post-copy, come back at the wrong time, too often, or never.
 */
import { randomBytes as secretBytes } from 'node:crypto'
import type { GuestHost, IncomingGuest } from '@godwit/core'
import { GodwitError, pagesCovering } from '@godwit/core'
import { GatePager, allocateRegion } from '@godwit/memory'
import type { Hello } from '@godwit/wire'
import { encodePageRuns } from '@godwit/wire'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Peer, hello } from './peer.ts'
import type { Rig } from './rig.ts'
import { createRig } from './rig.ts'

const pageCount = 4
const asked: Hello = { ...hello, mode: 'post-copy', required: ['post-copy'] }
const run = { firstPage: 0, pageCount }

/** Takes in memory, and nothing that runs in it. */
class PlainHost implements GuestHost {
  /** What becomes of a guest that is started. */
  started: Promise<void> = Promise.resolve()

  async reserve({ regions: shapes, pageBytes }: Parameters<GuestHost['reserve']>[0]) {
    const regions = shapes.map((shape) => allocateRegion(shape))
    const pages = regions.map(({ bytes }) => pagesCovering(bytes.length, pageBytes))
    const guest: IncomingGuest = {
      regions,
      pager: new GatePager(pages),
      restoreState: () => {},
      run: () => this.started,
      discard: () => {},
    }
    return Promise.resolve(guest)
  }
}

describe('a destination whose source was lost', { timeout: 10_000 }, () => {
  let host: PlainHost
  let rig: Rig
  const peers: Peer[] = []

  beforeEach(async () => {
    host = new PlainHost()
    rig = await createRig(host, { recoverMs: Infinity })
  })
  afterEach(async () => {
    for (const peer of peers.splice(0)) peer.channel.destroy()
    await rig.agent.abandon()
  })

  async function dial(id: Uint8Array, role: 1 | 2 | 3, epoch = 0): Promise<Peer> {
    const peer = new Peer(await rig.dial())
    peers.push(peer)
    return peer.preface(id, { role, epoch })
  }

  interface Session {
    readonly id: Uint8Array
    readonly control: Peer
  }

  /** COMMIT is out: the guest is there, and lacks all of its pages. */
  async function committed(): Promise<Session> {
    const id = Uint8Array.from(secretBytes(16))
    const control = await dial(id, 1)
    control.send('Hello', asked)
    await control.until('Welcome')
    const regions = [{ id: 0, name: 'ram', byteLength: pageCount * 4096 }]
    control.send('Reserve', { guest: { kind: 'plain', options: {} }, regions })
    await control.until('Reserved')
    for (const role of [2, 3] as const) await (await dial(id, role)).introduced()
    control.send('SwitchOver', { round: 0, postCopy: true })
    await control.until('SwitchOverAck')
    control.send('Discard', { region: 0, runs: encodePageRuns([run]) })
    control.send('State', { package: new Uint8Array(1) })
    await control.until('Ready')
    control.send('Commit', { epoch: 1 })
    return { id, control }
  }

  /** ... and the source is gone. */
  async function lost(): Promise<Session> {
    const session = await committed()
    await session.control.until('Running')
    session.control.channel.destroy()
    const { length } = rig.sessions
    while (!rig.sessions[length - 1]!.isSuspended) await new Promise(setImmediate)
    return session
  }

  /** The answer to a new control channel: what is lacking, and the round. */
  async function resume(id: Uint8Array, epoch: number): Promise<Peer> {
    const control = await dial(id, 1, epoch)
    control.send('Resume', { epoch, round: 1 })
    await control.until('Resumed')
    return control
  }

  it('takes others in, however many wait', async () => {
    for (let i = 0; i < 17; i++) await lost()
    expect(rig.agent.sessions).toHaveLength(17)
    expect(new Set(rig.agent.sessions.map(({ state }) => state))).toEqual(new Set(['paused']))
  })

  it('takes a connection for what its epoch says', async () => {
    const { id } = await lost()
    const control = await resume(id, 5)
    const refusal = async (role: 1 | 2, epoch: number): Promise<string> =>
      (await (await dial(id, role, epoch)).refusal()).replace(/:.*/, '')
    expect(await refusal(1, 0)).toBe('EPOCH_STALE')
    expect(await refusal(1, 4)).toBe('EPOCH_STALE')
    expect(await refusal(1, 5)).toBe('PROTOCOL_STATE')
    expect(await refusal(2, 4)).toBe('EPOCH_STALE')
    expect(await refusal(2, 6)).toBe('PROTOCOL_STATE')
    expect(rig.sessions[0]!.state).toBe('filling')
    // The one that it replaced is told.
    await resume(id, 6)
    expect(await control.refusal()).toMatch(/^CONNECTION_LOST: /)
  })

  it('answers only once the guest runs', async () => {
    const starting = Promise.withResolvers<void>()
    host.started = starting.promise
    const { id, control } = await committed()
    while (rig.sessions[0]!.state !== 'starting') await new Promise(setImmediate)
    expect(await (await dial(id, 1, 1)).refusal()).toMatch(/^PROTOCOL_STATE: /)
    expect(await control.refusal()).toMatch(/^CONNECTION_LOST: /)
    starting.resolve()
    await resume(id, 2)
  })

  it('tells that the guest could not be started', async () => {
    const starting = Promise.withResolvers<void>()
    host.started = starting.promise
    const { control } = await committed()
    while (rig.sessions[0]!.state !== 'starting') await new Promise(setImmediate)
    control.channel.destroy()
    while (!rig.sessions[0]!.isSuspended) await new Promise(setImmediate)
    starting.reject(new GodwitError('GUEST_FAILED', 'no thread'))
    await rig.idle()
    expect(rig.reports[0]!.error).toMatchObject({ code: 'GUEST_FAILED' })
  })

  it('keeps nothing of connections that are over', async () => {
    const { id } = await lost()
    const { report } = rig.sessions[0]!
    for (let epoch = 1; epoch <= 10; epoch++) {
      const control = await resume(id, epoch)
      control.channel.destroy()
      while (!rig.sessions[0]!.isSuspended) await new Promise(setImmediate)
    }
    while (report.channels.openCount > 0) await new Promise(setImmediate)
    expect(report.wireBytes).toBeGreaterThan(10 * 64)
  })

  it('closes, though the source is lost only then', async () => {
    const { control } = await committed()
    await control.until('Running')
    let isClosed = false
    const closing = rig.agent.close().then(() => {
      isClosed = true
    })
    await new Promise(setImmediate)
    expect(isClosed).toBe(false)
    control.channel.destroy()
    await closing
    expect(rig.sessions[0]!.state).toBe('stranded')
    expect(rig.reports[0]).toMatchObject({ error: { code: 'POST_COPY_LOST' } })
  })
})

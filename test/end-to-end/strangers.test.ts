/**
 * Destinations that demand a key, and whoever comes without it, with an old one, or with that of
 * another session.
 */
import type { Channel, GodwitError, GuestHost, IncomingGuest } from '@godwit/core'
import { pagesCovering, toHex } from '@godwit/core'
import type { AgentEvents } from '@godwit/destination'
import { DestinationAgent } from '@godwit/destination'
import { GatePager, allocateRegion } from '@godwit/memory'
import type { Security, SourceSecret } from '@godwit/seal'
import { Method, SealedChannel, SourceGreeting, mendingSecret } from '@godwit/seal'
import { FakeClock, RecordingSink } from '@godwit/testkit'
import { createMemoryNetwork } from '@godwit/transport'
import type { Hello } from '@godwit/wire'
import { encodePageRuns, encodePreface } from '@godwit/wire'
import { nodePrimitives, nodeSealTools, randomBytes } from 'godwit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Peer, hello } from './peer.ts'
import { createRig, createSource } from './rig.ts'
import { ShadowGuest } from './shadow.ts'

const key = randomBytes(32)
const security: Security = { ...nodeSealTools, method: 'psk', key }
const psk: SourceSecret = { method: Method.Psk, secret: key, refusalSecret: key }
const asked: Hello = { ...hello, mode: 'post-copy', required: ['post-copy'] }
const pageCount = 4

/** Takes in memory, and nothing that runs in it. */
const host: GuestHost = {
  async reserve({ regions: shapes, pageBytes }) {
    const regions = shapes.map((shape) => allocateRegion(shape))
    const pages = regions.map(({ bytes }) => pagesCovering(bytes.length, pageBytes))
    const guest: IncomingGuest = {
      regions,
      pager: new GatePager(pages),
      restoreState: () => {},
      run: () => {},
      discard: () => {},
    }
    return guest
  },
}

/** One end by hand, and what it knows of the channel. */
interface Dialled {
  readonly peer: Peer
  readonly channel: SealedChannel
}

describe('a destination with a key', { timeout: 10_000 }, () => {
  const network = createMemoryNetwork()
  let agent: DestinationAgent
  let began: string[]
  let dropped: (string | undefined)[]
  let tellDropped: () => void
  const peers: Peer[] = []

  beforeEach(async () => {
    began = []
    dropped = []
    tellDropped = () => {}
    // Of this agent alone: one before may still be dropping connections.
    const [heard, codes] = [began, dropped]
    const events: AgentEvents = {
      began: ({ sessionId }) => heard.push(sessionId),
      dropped: (_remote, error) => {
        codes.push(error?.code)
        if (codes === dropped) tellDropped()
      },
    }
    const primitives = await nodePrimitives()
    const fixed = { clock: new FakeClock(), primitives, randomBytes, software: 'test' }
    agent = new DestinationAgent({ ...fixed, host, security, recoverMs: Infinity }, events)
    const listener = await network.listen('destination', (channel) => agent.accept(channel))
    closeListener = () => listener.close()
  })
  let closeListener: () => Promise<void>
  afterEach(async () => {
    for (const peer of peers.splice(0)) peer.channel.destroy()
    await closeListener()
    await agent.abandon()
  })

  const dial = (): Promise<Channel> => network.createDialler('destination').dial()

  async function greet(
    id: Uint8Array,
    secret: SourceSecret,
    fields: { role?: 1 | 2 | 3 | 4; index?: number; epoch?: number } = {},
  ): Promise<Dialled> {
    const inner = await dial()
    const channel = new SealedChannel(inner, nodeSealTools, (send) => {
      return new SourceGreeting(inner.remote, secret, nodeSealTools, send)
    })
    const peer = new Peer(channel)
    peers.push(peer)
    peer.preface(id, fields)
    return { peer, channel }
  }

  /** Why a channel that nobody hears of was dropped. */
  async function droppedAs(code: string): Promise<void> {
    while (dropped.length === 0) {
      await new Promise<void>((resolve) => {
        tellDropped = resolve
      })
    }
    expect(dropped.splice(0)).toEqual([code])
  }

  /** How the source's end of a channel fares; undefined where it is let in. */
  async function outcome(dialled: Promise<Dialled>): Promise<string | undefined> {
    const { peer } = await dialled
    await peer.introduced()
    return peer.prefaceHeard.length > 0 ? undefined : peer.error?.code
  }

  interface Session {
    readonly id: Uint8Array
    readonly control: Dialled
    /** As of its later channels. */
    readonly secret: SourceSecret
  }

  /** Up to RESERVED: the other channels may come. */
  async function reserved(): Promise<Session> {
    const id = randomBytes(16)
    const control = await greet(id, psk)
    const { peer } = control
    peer.send('Hello', asked)
    await peer.until('Welcome')
    const regions = [{ id: 0, name: 'ram', byteLength: pageCount * 4096 }]
    peer.send('Reserve', { guest: { kind: 'plain', options: {} }, regions })
    await peer.until('Reserved')
    return { id, control, secret: { method: Method.Session, secret: control.channel.secret! } }
  }

  /** The guest is there, and lacks all of its pages; the source is lost. */
  async function lost(): Promise<Session> {
    const session = await reserved()
    const { id, control, secret } = session
    for (const role of [2, 3] as const) {
      expect(await outcome(greet(id, secret, { role }))).toBe(undefined)
    }
    const { peer } = control
    peer.send('SwitchOver', { round: 0, postCopy: true })
    await peer.until('SwitchOverAck')
    peer.send('Discard', { region: 0, runs: encodePageRuns([{ firstPage: 0, pageCount }]) })
    peer.send('State', { package: new Uint8Array(1) })
    await peer.until('Ready')
    peer.send('Commit', { epoch: 1 })
    await peer.until('Running')
    for (const one of peers.splice(0)) one.channel.destroy()
    return session
  }

  it('lets in who has it, and begins nothing before', async () => {
    const raw = await dial()
    raw.open(new RecordingSink())
    raw.write(encodePreface({ role: 1, index: 0, epoch: 0, session: randomBytes(16) }, true))
    const session = await reserved()
    expect(began).toEqual([toHex(session.id)])
    raw.destroy()
  })

  it('refuses who speaks the plain protocol', async () => {
    const peer = new Peer(await dial())
    peers.push(peer)
    peer.preface(randomBytes(16)).send('Hello', asked)
    expect(await peer.refusal()).toMatch(/^AUTH_REQUIRED: /)
    peer.channel.destroy()
    await droppedAs('AUTH_REQUIRED')
    expect(began).toEqual([])
  })

  it('refuses who has another key, or comes in another way', async () => {
    const other: SourceSecret = { method: Method.Psk, secret: randomBytes(32) }
    expect(await outcome(greet(randomBytes(16), other))).toBe('AUTH_FAILED')
    await droppedAs('AUTH_FAILED')
    const tls: SourceSecret = { method: Method.Tls, secret: key }
    expect(await outcome(greet(randomBytes(16), tls))).toBe('AUTH_REQUIRED')
    expect(began).toEqual([])
  })

  it.each([
    ['data', 2],
    ['urgent', 3],
  ] as const)('lets no stranger take the place of a %s channel', async (_name, role) => {
    const { id, secret } = await reserved()
    const fields = { role }
    const plain = new Peer(await dial())
    peers.push(plain)
    plain.preface(id, fields)
    expect(await plain.refusal()).toMatch(/^AUTH_REQUIRED: /)
    const guessed: SourceSecret = { method: Method.Session, secret: randomBytes(32) }
    expect(await outcome(greet(id, guessed, fields))).toBe('AUTH_FAILED')
    // Of another session of the same key.
    const other = await reserved()
    expect(await outcome(greet(id, other.secret, fields))).toBe('AUTH_FAILED')
    expect(await outcome(greet(id, psk, fields))).toBe('AUTH_REQUIRED')
    expect(await outcome(greet(id, { ...psk, method: Method.Session }, fields))).toBe('AUTH_FAILED')
    // Its place is free still.
    expect(await outcome(greet(id, secret, fields))).toBe(undefined)
  })

  it('knows the secret of a session no longer than the session', async () => {
    const old = await reserved()
    old.control.peer.send('Error', { code: 2, text: 'cancelled' })
    while (agent.sessions.length > 0) await new Promise(setImmediate)
    expect(await outcome(greet(old.id, old.secret, { role: 2 }))).toBe('AUTH_FAILED')
    const { id } = await reserved()
    expect(await outcome(greet(id, old.secret, { role: 2 }))).toBe('AUTH_FAILED')
  })

  it('lets nobody go on with a session who only has the key', async () => {
    const { id } = await lost()
    expect(await outcome(greet(id, psk, { epoch: 1 }))).toBe('AUTH_FAILED')
    const guessed = { ...psk, secret: mendingSecret(key, randomBytes(32)) }
    expect(await outcome(greet(id, guessed, { epoch: 1 }))).toBe('AUTH_FAILED')
    expect(agent.sessions[0]!.isSuspended).toBe(true)
  })

  it('goes on with who has both, and takes no secret of an older connection', async () => {
    const { id, control, secret: old } = await lost()
    const secret = mendingSecret(key, control.channel.secret!)
    const { peer, channel } = await greet(id, { ...psk, secret }, { epoch: 1 })
    await peer.introduced()
    peer.send('Resume', { epoch: 1, round: 1 })
    await peer.until('Resumed')
    const now: SourceSecret = { method: Method.Session, secret: channel.secret! }
    expect(await outcome(greet(id, old, { role: 2, epoch: 0 }))).toBe('AUTH_FAILED')
    expect(await outcome(greet(id, old, { role: 2, epoch: 1 }))).toBe('AUTH_FAILED')
    expect(await outcome(greet(id, now, { role: 2, epoch: 0 }))).toBe('AUTH_FAILED')
    expect(await outcome(greet(id, now, { role: 2, epoch: 2 }))).toBe('AUTH_FAILED')
    expect(await outcome(greet(id, now, { role: 2, epoch: 1 }))).toBe(undefined)
  })

  it('tells a source that it knows no such session, so that the source believes it', async () => {
    const { peer } = await greet(randomBytes(16), psk, { epoch: 1 })
    await peer.introduced()
    expect(peer.error).toMatchObject({ name: 'PeerError', code: 'SESSION_UNKNOWN' })
  })

  it.each([
    ['nothing', 0],
    ['half a preface', 16],
    ['a preface', 32],
    ['half a hail', 50],
    ['a hail and no proof', 72],
  ])('drops who says %s and then nothing', async (_what, byteCount) => {
    const clock = new FakeClock()
    const heard: (GodwitError | undefined)[] = []
    const primitives = await nodePrimitives()
    const options = { clock, primitives, randomBytes, software: 'test', host, security }
    const patient = new DestinationAgent(options, {
      dropped: (_remote, error) => heard.push(error),
    })
    const listener = await network.listen('patient', (channel) => patient.accept(channel))
    const raw = await network.createDialler('patient').dial()
    const sink = new RecordingSink()
    raw.open(sink)
    const hail = new Uint8Array(72)
    hail.set(encodePreface({ role: 1, index: 0, epoch: 0, session: randomBytes(16) }, true))
    hail[32] = Method.Psk
    raw.write(hail.subarray(0, byteCount))
    if (byteCount === hail.length) await sink.until(72)
    clock.advance(4999)
    expect(heard).toEqual([])
    clock.advance(1)
    expect(heard.map((error) => error?.code)).toEqual(['PEER_SILENT'])
    await sink.ended
    await listener.close()
  })
})

describe('a destination with certificates', () => {
  it('lets nobody go on with a session whose certificate names another', async () => {
    const exported = randomBytes(32)
    const network = createMemoryNetwork()
    const agent = new DestinationAgent({
      clock: new FakeClock(),
      primitives: await nodePrimitives(),
      randomBytes,
      software: 'test',
      host,
      security: { ...nodeSealTools, method: 'tls' },
    })
    let identity = 'source'
    const listener = await network.listen('destination', (channel) => {
      agent.accept(Object.assign(channel, { secret: exported, identity }))
    })
    const greet = async (epoch: number, secret: Uint8Array): Promise<Dialled> => {
      const inner = await network.createDialler('destination').dial()
      const own = { method: Method.Tls, secret, refusalSecret: exported }
      const channel = new SealedChannel(inner, nodeSealTools, (send) => {
        return new SourceGreeting(inner.remote, own, nodeSealTools, send)
      })
      const peer = new Peer(channel).preface(new Uint8Array(16), { epoch })
      await peer.introduced()
      return { peer, channel }
    }
    const { channel } = await greet(0, exported)
    const secret = mendingSecret(exported, channel.secret!)
    identity = 'somebody else'
    expect((await greet(1, secret)).peer.error).toMatchObject({ code: 'PEER_IDENTITY' })
    // The same name gets as far as any source that comes back too early.
    identity = 'source'
    const back = await greet(1, secret)
    expect(await back.peer.refusal()).toMatch(/^PROTOCOL_STATE: /)
    channel.destroy()
    await listener.close()
    await agent.abandon()
  })
})

describe('one side with a key', () => {
  it.each(['source', 'destination'])('moves no guest: the %s', async (which) => {
    const rig = await createRig(host, which === 'destination' ? { security } : {})
    const guest = new ShadowGuest([new Uint8Array(4096).fill(1)])
    const settings = which === 'source' ? { security } : {}
    const migration = await createSource(guest, () => rig.dial(), settings)
    const report = await migration.run()
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'AUTH_REQUIRED' } })
    expect([rig.sessions.length, guest.isPaused]).toEqual([0, false])
    expect(report.security).toBe(which === 'source' ? 'psk' : 'none')
  })
})

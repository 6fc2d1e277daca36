/**
 * A destination that takes a guest in while hostile peers are at it, and what it holds for them.
 */
import { randomBytes as secretBytes } from 'node:crypto'
import { createConnection } from 'node:net'
import type { Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { MIB } from '@godwit/core'
import { TcpChannel } from '@godwit/transport'
import type { Message } from '@godwit/wire'
import { FRAME, FrameType, FrameWriter, encodeMessage } from '@godwit/wire'
import { afterEach, describe, expect, it } from 'vitest'
import { Peer, hello } from './peer.ts'
import type { Destination } from './process.ts'
import { endProcesses, freshPath, readReport, runGodwit, startDestination } from './process.ts'

const sockets: Socket[] = []
const peers: Peer[] = []
let isOver = false

afterEach(async () => {
  isOver = true
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const peer of peers.splice(0)) peer.channel.destroy()
  await endProcesses()
})

/** Not where the good one comes from. */
const elsewhere = '127.0.0.2'

/** A bare connection; `from` is an address of this machine. */
function connect(destination: Destination, from = elsewhere): Socket {
  const [host, port] = destination.address.split(':')
  const socket = createConnection({ host, port: Number(port), localAddress: from })
  socket.on('error', () => {})
  sockets.push(socket)
  return socket
}

async function opened(socket: Socket): Promise<void> {
  if (socket.connecting) await new Promise((resolve) => socket.once('connect', resolve))
}

async function dial(destination: Destination, from = elsewhere): Promise<Peer> {
  const socket = connect(destination, from)
  await opened(socket)
  const peer = new Peer(new TcpChannel(socket, from))
  peers.push(peer)
  return peer
}

async function greet(destination: Destination): Promise<{ id: Uint8Array; control: Peer }> {
  const id = Uint8Array.from(secretBytes(16))
  const control = await dial(destination)
  control.preface(id).send('Hello', hello)
  await control.until('Welcome')
  return { id, control }
}

/** A session with memory. */
async function reserve(destination: Destination): Promise<Peer> {
  const { control } = await greet(destination)
  const regions = [{ id: 0, name: 'ram', byteLength: 4096 }]
  control.send('Reserve', { guest: { kind: 'idle', options: {} }, regions })
  await control.until('Reserved')
  return control
}

/** The beginning of a STATE message that is never whole. */
function stateHead(control: Peer, byteCount: number): Uint8Array {
  const frame = control.frame(FrameType.State, new Uint8Array(1000))
  new DataView(frame.buffer, frame.byteOffset).setUint32(FRAME.length, byteCount, true)
  return frame
}

/** Goes on until the test is over, and leaves the machine to others now and then. */
async function forEver(attack: () => Promise<void>): Promise<void> {
  while (!isOver) {
    await attack().catch(() => {})
    await setTimeout(1)
  }
}

const preface = (): Uint8Array => {
  const head = [0x89, 0x47, 0x44, 0x57, 0x0d, 0x0a, 0x1a, 0x0a, 1, 0, 1, 0, 0, 0, 0, 0]
  return Uint8Array.from([...head, ...secretBytes(16)])
}

/** What they do; each is at it before the good one comes, and as long as it is there. */
const attacks: Readonly<Record<string, (to: Destination) => Promise<unknown>>> = {
  // First, since these would make room for the others.
  async 'never reading'(to) {
    const socket = connect(to)
    await opened(socket)
    const frames = new FrameWriter()
    const send = (message: Message): void => {
      socket.write(frames.frame(FrameType[message.name], encodeMessage(message)))
    }
    socket.write(preface())
    send({ name: 'Hello', body: hello })
    const regions = [{ id: 0, name: 'ram', byteLength: 4096 }]
    send({ name: 'Reserve', body: { guest: { kind: 'idle', options: {} }, regions } })
    void forEver(async () => send({ name: 'Heartbeat', body: {} }))
  },
  async 'a state that dribbles'(to) {
    const control = await reserve(to)
    control.raw(stateHead(control, 60 * MIB))
    const dribble = new Uint8Array(10)
    void forEver(async () => void control.raw(dribble))
  },
  async idle(to) {
    const idle = Array.from({ length: 150 }, () => connect(to))
    await Promise.all(idle.map(opened))
    void forEver(() => opened(connect(to)))
  },
  async 'byte by byte'(to) {
    for (let i = 0; i < 20; i++) {
      const socket = connect(to)
      await opened(socket)
      const bytes = preface()
      let at = 0
      void forEver(async () => void socket.write(bytes.subarray(at++ % 31, (at % 31) + 1)))
    }
  },
  garbage: async (to) => {
    void forEver(async () => {
      const socket = connect(to)
      await opened(socket)
      socket.write(secretBytes(3000))
      await new Promise((resolve) => socket.on('close', resolve))
    })
  },
  async 'greeting and no more'(to) {
    for (let i = 0; i < 20; i++) await greet(to).catch(() => {})
    void forEver(async () => void (await greet(to)))
  },
}

describe('a destination', () => {
  it('takes a guest in whatever others do', { timeout: 120_000 }, async () => {
    isOver = false
    const limits = ['--memory-limit', '64MiB', '--max-connections', '100']
    const destination = await startDestination('--run-for', '50ms', ...limits)
    for (const attack of Object.values(attacks)) await attack(destination)
    const file = freshPath('report.json')
    const options = ['--memory', '16MiB', '--warmup', '20ms', '--quiet', '--json', file]
    const to = ['--to', destination.address]
    const ended = await runGodwit('send', 'writer,wss=4MiB,rate=2000', ...to, ...options)
    expect(ended).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(readReport(file)).toMatchObject({
      outcome: 'completed',
      memory: { equal: true },
      guestProof: { continuous: true },
    })
    expect(destination.process.isOver).toBe(false)
    expect(destination.process.stderr).not.toMatch(/INTERNAL|\bat .*:\d+:\d+/)
    // A line for each would be thousands.
    expect(destination.process.stderr.split('\n').length).toBeLessThan(100)
  })
})

describe('a peer', () => {
  it('that says nothing makes room for another', async () => {
    const destination = await startDestination('--max-connections', '5')
    const first = connect(destination)
    await opened(first)
    let last = first
    for (let i = 0; i < 5; i++) {
      last = connect(destination)
      await opened(last)
    }
    let isRefused = false
    last.on('close', () => {
      isRefused = true
    })
    last.resume()
    await new Promise((resolve) => first.on('close', resolve).resume())
    expect(isRefused).toBe(false)
    expect(await reserve(destination)).toBeDefined()
  })

  it('has its share of the sessions, and leaves one to another address', async () => {
    const destination = await startDestination('--max-sessions', '4', '--memory-limit', '1MiB')
    const own = [await reserve(destination), await reserve(destination)]
    await expect(reserve(destination)).rejects.toThrow(/2 migrations of 127.0.0.2 are going on/)
    const socket = connect(destination, '127.0.0.1')
    await opened(socket)
    const answer = new Promise<Buffer>((resolve) => socket.once('data', resolve))
    socket.write(preface())
    // Its preface is answered: it is a session.
    expect((await answer)[0]).toBe(0x89)
    expect(own).toHaveLength(2)
  })

  it('sends no long message before there is memory for its guest', async () => {
    const destination = await startDestination()
    const { control } = await greet(destination)
    control.raw(stateHead(control, 1 * MIB))
    expect(await control.refusal()).toMatch(/^LIMIT_EXCEEDED: .*1048576 .*tableBytesMax/)
  })

  it('shares the room for states with all others', async () => {
    const destination = await startDestination('--max-sessions', '16', '--memory-limit', '1MiB')
    const big = 60 * MIB
    for (let i = 0; i < 4; i++) {
      const control = await reserve(destination)
      control.raw(stateHead(control, big))
    }
    const one = await reserve(destination)
    one.raw(stateHead(one, big))
    expect(await one.refusal()).toMatch(/^LIMIT_EXCEEDED: .*stateBytesMax/)
  })
})

/**
 * The destination's lanes on threads of their own: connections, memory and ends.
 */
import { closeSync, readdirSync } from 'node:fs'
import type { GuestHost, Report } from '@godwit/core'
import { GodwitError, KIB, MIB, systemClock } from '@godwit/core'
import type { DestinationOptions, IncomingMigration, LaneReport } from '@godwit/destination'
import { DestinationAgent } from '@godwit/destination'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import { loadSystemCalls } from '@godwit/linux'
import { createDialler, listen } from '@godwit/transport'
import { FrameType } from '@godwit/wire'
import { nodePrimitives, randomBytes, receive, send } from 'godwit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { DestinationThread, FakeThreads } from './fake-threads.ts'
import { createFakeThreads, laneSeconds } from './fake-threads.ts'
import { advances, expectContinuous } from './oracle.ts'
import { Peer, hello } from './peer.ts'
import type { SourceSettings } from './rig.ts'
import { createSource } from './rig.ts'
import { someOf } from './variants.ts'

const calls = await loadSystemCalls().catch(() => undefined)
/** Where there is no koffi, connections stay where they are. */
const isImpossible = calls === undefined
const memoryBytes = 2 * MIB
let guest: WorkloadGuest
let threads: FakeThreads
let onReport: (thread: DestinationThread, report: LaneReport) => void
const cleanups: (() => unknown)[] = []

beforeEach(async () => {
  const spec = `writer,wss=${512 * KIB},rate=20000,content=0/30/20/50`
  const { identity } = parseGuest(spec, memoryBytes)
  guest = await WorkloadGuest.start(identity, memoryBytes)
  onReport = () => {}
  threads = createFakeThreads(
    (descriptor) => calls!.duplicate(descriptor),
    closeSync,
    (thread, report) => onReport(thread, report),
  )
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  await guest.stop()
})

interface Destination {
  readonly address: string
  readonly sessions: readonly IncomingMigration[]
  readonly reports: readonly Report[]
  /** Resolves when no session is going on. */
  readonly idle: () => Promise<void>
}

async function startDestination(options: Partial<DestinationOptions> = {}): Promise<Destination> {
  const sessions: IncomingMigration[] = []
  const reports: Report[] = []
  const agent = new DestinationAgent(
    {
      host: new WorkloadHost({ memoryBytesMax: memoryBytes }),
      clock: systemClock,
      primitives: await nodePrimitives(),
      randomBytes,
      software: 'test',
      heartbeatMs: 60_000,
      lanes: threads,
      usage: () => ({ start() {}, exclude() {}, read: () => ({ cpuSeconds: 1 }) }),
      ...options,
    },
    {
      began: (session) => sessions.push(session),
      ended: (_session, report) => reports.push(report),
    },
  )
  const listener = await listen('127.0.0.1:0', (channel) => agent.accept(channel))
  cleanups.push(async () => {
    await listener.close()
    await agent.close()
    for (const session of sessions) await session.guest?.discard()
  })
  return {
    address: listener.address,
    sessions,
    reports,
    async idle() {
      await Promise.all(sessions.map((session) => session.done))
      while (agent.sessions.length > 0) await new Promise(setImmediate)
    },
  }
}

async function migrate(to: string, settings: SourceSettings = {}): Promise<Report> {
  const dialler = createDialler(to)
  const migration = await createSource(guest, (signal) => dialler.dial(signal), settings)
  return migration.run()
}

async function expectMoved(destination: Destination, report: Report): Promise<void> {
  expect(report.error).toBeUndefined()
  expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
  await destination.idle()
  expect(destination.reports.at(-1)!.wireBytes).toBe(report.wireBytes)
  expect(threads.started.every((thread) => thread.isOver)).toBe(true)
  const arrived = destination.sessions.at(-1)!.guest as IncomingWorkload
  await expectContinuous(arrived, guest.identity, guest.steps())
}

/** The source has its guest, and the next attempt moves it. */
async function expectStayed(destination: Destination, report: Report): Promise<void> {
  expect(report.outcome).toBe('failed')
  await advances(guest)
  await destination.idle()
  expect(threads.started.every((thread) => thread.isOver)).toBe(true)
  onReport = () => {}
  await expectMoved(destination, await migrate(destination.address))
}

const died = new GodwitError('INTERNAL', 'The thread "lane" ended by itself')

describe('lanes on threads', { skip: isImpossible }, () => {
  it.each([1, 3])('move a guest: %i', async (lanes) => {
    const destination = await startDestination()
    const report = await migrate(destination.address, { lanes, stop: 'max-rounds=3' })
    await expectMoved(destination, report)
    expect(threads.started).toHaveLength(lanes)
    for (const { commands, reports } of threads.started) {
      expect(commands).toEqual(['prepare', 'install', 'open', 'close'])
      expect(reports.filter((type) => type === 'barrier')).toHaveLength(report.rounds.length)
      expect([reports[0], reports[1], reports.at(-1)]).toEqual(['ready', 'opened', 'ended'])
    }
    const cpu = { destinationSeconds: 1 + lanes * laneSeconds }
    expect(report.cpu).toMatchObject(cpu)
    expect(destination.reports[0]!.cpu).toMatchObject(cpu)
    const sums = destination.reports[0]!.rounds.map((round) => round.bytes)
    expect(sums).toEqual(report.rounds.map((round) => round.bytes))
  })

  it('start when the host has agreed to the guest, once, long before there is memory', async () => {
    const inner = new WorkloadHost({ memoryBytesMax: memoryBytes })
    const ready = Promise.withResolvers<void>()
    onReport = (_thread, { type }) => {
      if (type === 'ready') ready.resolve()
    }
    const host: GuestHost = {
      async reserve(offer, zero, agreed) {
        agreed!()
        agreed!()
        await ready.promise
        return inner.reserve(offer, zero)
      },
    }
    const destination = await startDestination({ host })
    await expectMoved(destination, await migrate(destination.address))
    expect(threads.started).toHaveLength(1)
  })

  it('end where a host cannot take the guest that it has agreed to', async () => {
    const inner = new WorkloadHost({ memoryBytesMax: memoryBytes })
    const refusals = [new GodwitError('GUEST_OPTION', 'no')]
    const host: GuestHost = {
      reserve(offer, zero, agreed) {
        agreed!()
        const refusal = refusals.pop()
        return refusal === undefined ? inner.reserve(offer, zero) : Promise.reject(refusal)
      },
    }
    const destination = await startDestination({ host })
    const report = await migrate(destination.address)
    expect(report.error).toMatchObject({ code: 'GUEST_OPTION' })
    expect(threads.started).toHaveLength(1)
    await expectStayed(destination, report)
    expect(threads.started).toHaveLength(2)
  })

  it('end where the source is gone before the host has agreed', async () => {
    const inner = new WorkloadHost({ memoryBytesMax: memoryBytes })
    const asked = Promise.withResolvers<void>()
    const gone = Promise.withResolvers<void>()
    const host: GuestHost = {
      async reserve(offer, zero, agreed) {
        asked.resolve()
        await gone.promise
        agreed!()
        return inner.reserve(offer, zero)
      },
    }
    const destination = await startDestination({ host })
    const dialler = createDialler(destination.address)
    const migration = await createSource(guest, (signal) => dialler.dial(signal))
    const running = migration.run()
    await asked.promise
    migration.cancel()
    expect((await running).outcome).toBe('cancelled')
    while (destination.sessions[0]!.state === 'reserving') {
      await new Promise(setImmediate)
    }
    gone.resolve()
    await destination.idle()
    expect(threads.started.every((thread) => thread.isOver)).toBe(true)
    await expectMoved(destination, await migrate(destination.address))
  })

  const ways = [
    ['stop-copy', { mode: 'stop-copy' }],
    ['no verification', { verify: 'none' }],
    ['sha256', { hash: 'sha256', verify: 'sha256' }],
    ['xxh64', { hash: 'xxh64' }],
  ] as const

  it.each(someOf(ways))('know every mode: %s', async (_name, settings) => {
    const destination = await startDestination()
    const report = await migrate(destination.address, { ...settings, lanes: 2 })
    expect(report.error).toBeUndefined()
    await destination.idle()
    const arrived = destination.sessions[0]!.guest as IncomingWorkload
    await expectContinuous(arrived, guest.identity, guest.steps())
    expect(threads.started.map((thread) => thread.isOver)).toEqual([true, true])
  })

  it('are as many as the destination agrees to', async () => {
    const destination = await startDestination({ dataChannelsMax: 2 })
    await expectMoved(destination, await migrate(destination.address, { lanes: 5 }))
    expect(threads.started).toHaveLength(2)
  })

  it('have their progress told', async () => {
    const destination = await startDestination()
    const report = await migrate(destination.address, { lanes: 2 })
    expect(report.outcome).toBe('completed')
    for (const { reports } of threads.started) expect(reports).toContain('progress')
  })

  it('are not started for connections that stay here', async () => {
    const destination = await startDestination()
    await expectMoved(destination, await migrate(`ws://${destination.address}`, { lanes: 2 }))
    expect(threads.started).toEqual([])
  })

  it.each([0, 1])('are real ones by default, and none when told so: %i', async (lanes) => {
    const tasks = (): number => readdirSync('/proc/self/task').length
    const before = tasks()
    let during = 0
    const own = {
      memory: new SharedArrayBuffer(MIB),
      pause: () => void (during = tasks()),
      resume() {},
    }
    const asked = lanes === 0 ? { lanes } : {}
    const receiver = await receive({}, { listen: '127.0.0.1:0', ...asked })
    cleanups.push(() => receiver.close())
    const report = await send(own, { to: receiver.address, lanes: 0 })
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(during - before).toBe(lanes)
  })

  it('are left alone where the memory is not shared', async () => {
    const memory = new Uint8Array(MIB)
    const receiver = await receive({ memory }, { listen: '127.0.0.1:0' })
    cleanups.push(() => receiver.close())
    const own = { memory: new Uint8Array(MIB).fill(3), pause() {}, resume() {} }
    const report = await send(own, { to: receiver.address, lanes: 2 })
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(memory).toEqual(own.memory)
  })
})

describe('a thread that dies', { skip: isImpossible }, () => {
  const deaths: [string, LaneReport['type'], number][] = [
    ['while it gets ready', 'ready', 1],
    ['before the second round', 'barrier', 1],
    ['as it takes the connection', 'opened', 1],
    ['before the last round', 'barrier', 2],
    ['with the first pages', 'progress', 1],
  ]

  it.each(someOf(deaths))('%s leaves the guest at the source', async (_name, type, count) => {
    const destination = await startDestination()
    onReport = (thread, report) => {
      if (thread !== threads.started[1] || report.type !== type) return
      if (thread.reports.filter((one) => one === type).length === count) thread.die(died)
    }
    const report = await migrate(destination.address, { lanes: 3 })
    expect(report.outcome).toBe('failed')
    await destination.idle()
    expect(destination.reports[0]!.error).toMatchObject({ code: 'INTERNAL', text: died.message })
    await expectStayed(destination, report)
    expect(threads.closed).toHaveLength(type === 'opened' ? 1 : 0)
  })

  it('is a failure, too, when it could not even begin', async () => {
    const destination = await startDestination()
    const start = threads.start.bind(threads)
    let isBroken = true
    threads.start = () => {
      if (isBroken && threads.started.length === 1) throw new Error('no threads left')
      return start()
    }
    const report = await migrate(destination.address, { lanes: 2 })
    isBroken = false
    expect(report.error!.code).toBe('INTERNAL')
    await expectStayed(destination, report)
  })

  it('is a failure when no descriptor is left', async () => {
    const destination = await startDestination()
    const duplicate = threads.duplicate.bind(threads)
    let isBroken = true
    threads.duplicate = (descriptor) => {
      if (isBroken) throw new GodwitError('INTERNAL', 'dup: too many open files (EMFILE)')
      return duplicate(descriptor)
    }
    const report = await migrate(destination.address, { lanes: 2 })
    isBroken = false
    await destination.idle()
    expect(destination.reports[0]!.error).toMatchObject({ text: expect.stringMatching(/EMFILE/) })
    await expectStayed(destination, report)
  })
})

describe('a stranger on a connection that was handed over', { skip: isImpossible }, () => {
  const idle = { kind: 'idle', options: {} }
  const regions = [{ id: 0, name: 'ram', byteLength: memoryBytes }]

  async function open(destination: Destination): Promise<{ control: Peer; data: Peer }> {
    const session = crypto.getRandomValues(new Uint8Array(16))
    const dialler = createDialler(destination.address)
    const [control, data] = [new Peer(await dialler.dial()), new Peer(await dialler.dial())]
    cleanups.push(
      () => control.channel.destroy(),
      () => data.channel.destroy(),
    )
    control.preface(session).send('Hello', hello).send('Reserve', { guest: idle, regions })
    await control.until('Reserved')
    data.preface(session, { role: 2 })
    return { control, data }
  }

  const words: [string, RegExp, (data: Peer) => Uint8Array][] = [
    ['noise', /^WIRE_/, () => new Uint8Array(100).fill(0xee)],
    [
      'a wrong checksum',
      /^WIRE_CHECKSUM: /,
      (data) => data.frame(FrameType.Barrier, new Uint8Array(9)).fill(1, 20),
    ],
    ['no batch', /^CODEC_BATCH: /, (data) => data.frame(FrameType.Pages, new Uint8Array(40))],
    [
      'a barrier that does not fit',
      /^PROTOCOL_TOTALS: /,
      (data) =>
        data.message('Barrier', { round: 1, batches: 1, pages: 1, digest: new Uint8Array(8) }),
    ],
    ['a frame of the other channel', /^WIRE_/, (data) => data.message('RoundAck', { round: 1 })],
  ]

  it.each(someOf(words))(
    'is told what is wrong on both channels: %s',
    async (_name, why, bytes) => {
      const destination = await startDestination()
      const { control, data } = await open(destination)
      // In one piece with the preface, or later: both end in the same way.
      data.raw(bytes(data))
      expect(await data.refusal()).toMatch(why)
      expect(await control.refusal()).toMatch(why)
      expect(data.prefaceHeard).toHaveLength(32)
      await destination.idle()
      expect(`${destination.reports[0]!.error!.code}: `).toMatch(why)
      expect(threads.started.map((thread) => thread.isOver)).toEqual([true])
      await expectMoved(destination, await migrate(destination.address))
    },
  )

  it('ends the session when it goes away', async () => {
    const destination = await startDestination()
    const { control, data } = await open(destination)
    await data.introduced()
    data.channel.end()
    expect(await control.refusal()).toMatch(/^CONNECTION_LOST: /)
    await destination.idle()
    await expectMoved(destination, await migrate(destination.address))
  })

  it('cannot store to memory that was given back', async () => {
    const host = new WorkloadHost({ memoryBytesMax: memoryBytes })
    const hadStopped: boolean[] = []
    const destination = await startDestination({
      host: {
        async reserve(offer, zero) {
          const reserved = await host.reserve(offer, zero)
          const discard = reserved.discard.bind(reserved)
          reserved.discard = async () => {
            const [thread] = threads.started
            hadStopped.push(thread!.isOver || thread!.reports.includes('closed'))
            await discard()
          }
          return reserved
        },
      },
    })
    const { control, data } = await open(destination)
    await data.introduced()
    control.channel.destroy()
    await destination.idle()
    expect(hadStopped).toEqual([true])
  })

  it('cannot take a number twice', async () => {
    const destination = await startDestination()
    const { control, data } = await open(destination)
    await data.introduced()
    const other = new Peer(await createDialler(destination.address).dial())
    other.raw(data.prefaceHeard)
    expect(await other.refusal()).toMatch(/^PROTOCOL_STATE: Data channel 0 is not expected/)
    control.channel.destroy()
    await destination.idle()
  })

  it('gives its threads back when it says nothing at all', async () => {
    const destination = await startDestination()
    const { control } = await open(destination)
    control.channel.destroy()
    await destination.idle()
    expect(threads.started.map((thread) => thread.isOver)).toEqual([true])
  })
})

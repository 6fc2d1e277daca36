import { MIB } from '@godwit/core'
import type { Report } from '@godwit/core'
import type { IncomingMigration } from '@godwit/destination'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import { randomBytes } from '@godwit/testkit'
import type { MemorySource, Receiver } from 'godwit'
import { createMigration, receive } from 'godwit'
import { afterEach, describe, expect, it } from 'vitest'
import { FrameProxy } from './frame-proxy.ts'
import { advances, expectContinuous } from './oracle.ts'
import { difference } from './shadow.ts'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

interface Place {
  readonly receiver: Receiver
  readonly arrived: () => Promise<IncomingWorkload>
}

async function open(host: WorkloadHost): Promise<Place> {
  const migrations: IncomingMigration[] = []
  const options = { listen: '127.0.0.1:0' }
  const receiver = await receive(host, options, { ended: (one) => migrations.push(one) })
  cleanups.push(() => receiver.close())
  return {
    receiver,
    async arrived() {
      await receiver.arrival()
      const guest = migrations.at(-1)!.guest as IncomingWorkload
      cleanups.push(() => guest.discard())
      return guest
    },
  }
}

async function move(
  guest: WorkloadGuest,
  to: Place,
  mode = 'pre-copy',
): Promise<[IncomingWorkload, Report]> {
  const settings = { to: to.receiver.address, mode, stop: 'max-rounds=3' }
  const report = await (await createMigration(guest, settings)).run()
  expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
  await guest.stop()
  const arrived = await to.arrived()
  await advances(arrived, 50)
  return [arrived, report]
}

async function start(options = {}): Promise<WorkloadGuest> {
  const spec = 'writer,wss=1MiB,threads=2,order=rand,rate=5000'
  const { identity, memoryBytes } = parseGuest(spec, 8 * MIB + 123)
  const guest = await WorkloadGuest.start(identity, memoryBytes, options)
  cleanups.push(() => guest.stop())
  await advances(guest, 100)
  return guest
}

const isLong = process.env['GODWIT_LONG'] !== undefined
/** On a machine that is busy several hops take their time. */
const busy = { timeout: 120_000 }
/** The ways of several hops, one after another. */
const chains: readonly [string[]][] = [
  [['post-copy', 'pre-copy', 'hybrid,rounds=1', 'stop-copy']],
  ...(isLong
    ? ([
        [['hybrid,rounds=1', 'post-copy', 'stop-copy', 'hybrid,rounds=2']],
        [['stop-copy', 'post-copy', 'post-copy', 'pre-copy', 'post-copy']],
      ] as [string[]][])
    : []),
]

describe('a guest that moves on', () => {
  it('goes from A to B to C as if it had stayed', async () => {
    const guest = await start({ regionBytesMax: 3 * MIB + 4097 })
    expect(guest.regions.length).toBeGreaterThan(2)
    const [b, c] = [await open(new WorkloadHost()), await open(new WorkloadHost())]
    const [second, first] = await move(guest, b)
    expect(first.rounds).toHaveLength(4)
    const stepsAtB = second.steps()
    expect(stepsAtB).toBeGreaterThan(guest.steps())
    const [third, report] = await move(second.asGuest(), c)
    expect(report.guest).toEqual({ ...guest.identity })
    await expectContinuous(third, guest.identity, stepsAtB)
  })

  // So does the chain below, by other ways.
  it.runIf(isLong)('goes from A to B and back to A', async () => {
    const guest = await start()
    const home = new WorkloadHost()
    const [a, b] = [await open(home), await open(new WorkloadHost())]
    const [away] = await move(guest, b)
    const stepsAway = away.steps()
    expect(stepsAway).toBeGreaterThan(guest.steps())
    const [back] = await move(away.asGuest(), a)
    await expectContinuous(back, guest.identity, stepsAway)
  })

  // Hops between two hosts, and then on to a third: each lands where its predecessors were.
  it.each(chains)('goes to and fro, each time in another way: %j', busy, async (modes) => {
    const guest = await start()
    const hosts = [new WorkloadHost(), new WorkloadHost()]
    const [a, b] = [await open(hosts[0]!), await open(hosts[1]!)]
    const c = await open(new WorkloadHost())
    let [moving, steps] = [guest, 0]
    let arrived: IncomingWorkload | undefined
    for (const [hop, mode] of modes.entries()) {
      const to = hop === modes.length - 1 ? c : [b, a][hop % 2]!
      steps = moving.steps()
      ;[arrived] = await move(moving, to, mode)
      expect(arrived.steps()).toBeGreaterThan(steps)
      moving = arrived.asGuest()
    }
    await expectContinuous(arrived!, guest.identity, steps)
  })

  it('goes on after a hop that failed: A to B, not to C, and to C', busy, async () => {
    const guest = await start()
    const [b, c] = [await open(new WorkloadHost()), await open(new WorkloadHost())]
    const [second] = await move(guest, b, 'post-copy')
    const moving = second.asGuest()
    for (const [mode, name] of [
      ['pre-copy', 'RoundEnd'],
      ['post-copy', 'Ready'],
    ] as const) {
      const proxy: FrameProxy = new FrameProxy(c.receiver.address, (unit) => unit.name === name)
      cleanups.push(async () => proxy.close())
      const migration = await createMigration(moving, { to: await proxy.listen(), mode })
      const report = await migration.run()
      expect(report).toMatchObject({ outcome: 'failed', error: { code: 'CONNECTION_LOST' } })
      expect(proxy.cuts).toBe(1)
      await advances(moving)
    }
    const steps = moving.steps()
    const [third] = await move(moving, c, 'hybrid,rounds=1')
    await expectContinuous(third, guest.identity, steps)
  })
})

/** What a TypeScript without the DOM's types knows of wasm. */
const { WebAssembly } = globalThis as unknown as {
  WebAssembly: { Memory: new (shape: object) => { readonly buffer: ArrayBufferLike } }
}

describe('memory of a program', () => {
  it.each<[string, () => MemorySource]>([
    ['an ArrayBuffer', () => new ArrayBuffer(MIB + 1)],
    ['a SharedArrayBuffer', () => new SharedArrayBuffer(MIB + 4097)],
    ['a WebAssembly.Memory', () => new WebAssembly.Memory({ initial: 17 })],
    ['a view of bytes', () => new Uint8Array(new ArrayBuffer(MIB), 3, 100_001)],
  ])('moves: %s', async (_name, make) => {
    const memory = make()
    const view = memory instanceof Uint8Array ? memory : new Uint8Array(bufferOf(memory))
    view.set(randomBytes(view.length, 1))
    const marker = Uint8Array.of(1, 2, 3, 4, 5)
    const arrival = Promise.withResolvers<Uint8Array>()
    let state: Uint8Array | undefined
    const receiver = await receive(
      {
        prepare: (bytes) => {
          state = bytes.slice()
        },
        run: ([region]) => arrival.resolve(region!.bytes),
      },
      { listen: '127.0.0.1:0' },
    )
    cleanups.push(() => receiver.close())
    const owner = {
      memory,
      // The last stores of a guest, which only the paused round can carry.
      pause: () => view.set(marker, view.length - 5),
      resume: () => {},
      state: () => Uint8Array.of(9, 8, 7),
    }
    const migration = await createMigration(owner, { to: receiver.address })
    const report = await migration.run()
    expect(report).toMatchObject({ outcome: 'completed', tracker: 'scan' })
    const markedPages = Math.ceil(view.length / 4096) - Math.floor((view.length - 5) / 4096)
    expect(report.rounds.map((round) => round.pages).slice(1)).toEqual([markedPages])
    const arrived = await arrival.promise
    expect(arrived.subarray(-5)).toEqual(marker)
    expect(state).toEqual(Uint8Array.of(9, 8, 7))
    expect(difference([arrived], [view])).toBeUndefined()
  })
})

function bufferOf(memory: Exclude<MemorySource, Uint8Array>): ArrayBufferLike {
  return 'buffer' in memory ? memory.buffer : memory
}

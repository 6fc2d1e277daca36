/**
 * Threads that wait for pages: many at once, in every state of both sides, at the edges of regions,
 * for pages that were there in an older form, and not at all.
 */
import { setImmediate } from 'node:timers/promises'
import type { Clock, GuestHost, Report } from '@godwit/core'
import { KIB, MIB, systemClock } from '@godwit/core'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import { FETCH_NAMES } from '@godwit/policy'
import { afterEach, describe, expect, it } from 'vitest'
import { HeldChannel } from './held-channel.ts'
import { expectContinuous } from './oracle.ts'
import { PageWatch } from './page-watch.ts'
import type { Rig } from './rig.ts'
import { createRig } from './rig.ts'
import { TapChannel } from './tap.ts'
import { UrgentTrace, urgentIndex } from './urgent-trace.ts'

/** In the order of dialling: the channels of one connection. */
const [dataIndex, channelCount] = [1, 3]
const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** What waits for a second without faults is not to wait so long. */
const quickClock: Clock = {
  ...systemClock,
  nowMs: () => systemClock.nowMs() * 20,
  after: (delayMs, task) => systemClock.after(delayMs / 20, task),
}

async function startGuest(
  spec: string,
  memoryBytes: number,
  regionBytesMax = MIB,
): Promise<WorkloadGuest> {
  const { identity } = parseGuest(spec, memoryBytes)
  const guest = await WorkloadGuest.start(identity, memoryBytes, { regionBytesMax })
  cleanups.push(() => guest.stop())
  return guest
}

async function startRig(host: GuestHost = new WorkloadHost()): Promise<Rig> {
  const rig = await createRig(host, { recoverMs: Infinity })
  cleanups.push(async () => {
    for (const session of rig.sessions) await session.release()
  })
  return rig
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await setImmediate()
}

/** The guest is there, whole, and went on. */
async function expectMoved(rig: Rig, guest: WorkloadGuest, report: Report): Promise<void> {
  expect(report.error).toBeUndefined()
  expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
  await rig.idle()
  expect([rig.held(), rig.runs()]).toEqual([1, 1])
  const arrived = rig.sessions[0]!.guest as IncomingWorkload
  await expectContinuous(arrived, guest.identity, guest.steps())
}

describe('a storm of faults', () => {
  // More threads than the source has answers under way at once.
  const [threads, pagesEach, waves] = [36, 12, 6]

  it('is answered in order, and starves no thread', async () => {
    const spec = `writer,wss=${threads * pagesEach * 4}KiB,threads=${threads},order=rand`
    const guest = await startGuest(spec, 4 * MIB, 4 * MIB)
    const rig = await startRig()
    const trace = new UrgentTrace()
    let urgent: HeldChannel | undefined
    const migration = await rig.source(guest, {
      mode: 'post-copy',
      fetch: 'demand',
      wrap: (channel, index) => {
        if (index !== urgentIndex) return channel
        urgent = new HeldChannel(channel, true)
        return new TapChannel(urgent, trace.onUnit)
      },
      onControl: ({ name }) => {
        if (name === 'Commit') urgent!.hold()
        return undefined
      },
    })
    const running = migration.run()
    for (let wave = 1; wave <= waves; wave++) {
      // All of them wait, and for nobody else's page.
      await until(() => trace.asked.length === wave * threads)
      urgent!.allow(wave < waves ? threads : Infinity)
    }
    const report = await running

    const { asked, answered } = trace
    expect(new Set(asked).size).toBe(asked.length)
    const known = new Set(answered)
    expect(asked.filter((page) => known.has(page))).toEqual(answered)
    // Each thread has pages of its own, side by side at the end of memory.
    const firstPage = 1024 - threads * pagesEach
    for (let wave = 0; wave < waves; wave++) {
      const pages = asked.slice(wave * threads, (wave + 1) * threads)
      const owners = pages.map((page) => {
        return Math.floor((Number(page.split('/')[1]) - firstPage) / pagesEach)
      })
      expect(owners.toSorted((a, b) => a - b)).toEqual([...owners.keys()])
    }
    await expectMoved(rig, guest, report)
    expect(report.faults!.count).toBeGreaterThanOrEqual(asked.length - threads)
  })
})

/** Bits of a page's state: a thread waits for it. */
const awaited = 2

function waitedFor(rig: Rig): string[] {
  const { pager } = rig.sessions[0]!.guest as IncomingWorkload
  return pager!.states.flatMap(({ words }, region) => {
    const pages = [...words.keys()].filter((page) => (words[page]! & awaited) !== 0)
    return pages.map((page) => `${region}/${page}`)
  })
}

describe('a thread that waits', () => {
  /** So little that all of it is on its way at once. */
  const memoryBytes = 128 * KIB
  const spec = `writer,wss=${112 * KIB},threads=2`

  it('is served before RUNNING is said and heard', async () => {
    const guest = await startGuest(spec, memoryBytes)
    const trace = new UrgentTrace()
    const states = new Set<string>()
    const host: GuestHost = {
      async reserve(offer, zero) {
        const incoming = await new WorkloadHost().reserve(offer, zero)
        const run = incoming.run.bind(incoming)
        incoming.run = async () => {
          await run()
          await until(() => trace.answered.length >= 5)
          states.add(`${migration.state} ${rig.sessions[0]!.state}`)
        }
        return incoming
      },
    }
    const rig = await startRig(host)
    const { wrap } = trace
    const migration = await rig.source(guest, { mode: 'post-copy', fetch: 'demand', wrap })
    const report = await migration.run()
    expect([...states]).toEqual(['released starting'])
    await expectMoved(rig, guest, report)
  })

  it('is served when the connection was lost before the guest was said to run', async () => {
    const guest = await startGuest(spec, memoryBytes)
    let dialled = 0
    const host: GuestHost = {
      async reserve(offer, zero) {
        const incoming = await new WorkloadHost().reserve(offer, zero)
        const run = incoming.run.bind(incoming)
        incoming.run = async () => {
          await run()
          // The source tries again, and again too early.
          await until(() => dialled >= channelCount + 3)
        }
        return incoming
      },
    }
    const rig = await startRig(host)
    const migration = await rig.source(guest, {
      mode: 'post-copy',
      fetch: 'demand',
      recoverMs: Infinity,
      clock: quickClock,
      wrap: (channel, index) => {
        if (index !== urgentIndex) return channel
        return new TapChannel(channel, ({ name }) => (name === 'Pages' ? 'lose' : 'pass'))
      },
      onDial: () => dialled++,
    })
    const report = await migration.run()
    // Refused at first, and right behind the preface: that is no reason to give up.
    expect(report.recoveries).toBeGreaterThanOrEqual(1)
    await expectMoved(rig, guest, report)
  })

  it('is served by what was pushed before it asked', async () => {
    const guest = await startGuest(spec, memoryBytes)
    const rig = await startRig()
    const trace = new UrgentTrace()
    let data: HeldChannel | undefined
    const migration = await rig.source(guest, {
      mode: 'post-copy',
      fetch: 'push',
      wrap: (channel, index) => {
        if (index !== dataIndex) return trace.wrap(channel, index)
        data = new HeldChannel(channel, false)
        return data
      },
      onControl: ({ name }) => {
        if (name === 'Commit') data!.hold()
        return undefined
      },
    })
    const running = migration.run()
    await until(() => migration.state === 'pushed')
    // What was answered before that is still on its way.
    const pushed = (): string[] => waitedFor(rig).filter((page) => !trace.answered.includes(page))
    await until(() => pushed().length === 2)
    const waiting = pushed()
    await until(() => waiting.every((page) => trace.asked.includes(page)))
    expect([migration.state, rig.sessions[0]!.state]).toEqual(['pushed', 'filling'])
    data!.allow(Infinity)
    const report = await running
    expect(waiting.filter((page) => trace.answered.includes(page))).toEqual([])
    await expectMoved(rig, guest, report)
  })

  it('is served when the network is there again, and waits in every state until then', async () => {
    const guest = await startGuest(spec, memoryBytes)
    const rig = await startRig()
    const trace = new UrgentTrace()
    const [here, there] = [new Set<string>(), new Set<string>()]
    let isDown = false
    const note = (): void => {
      here.add(migration.state)
      there.add(rig.sessions[0]!.state)
    }
    const migration = await rig.source(guest, {
      mode: 'post-copy',
      fetch: 'demand',
      recoverMs: Infinity,
      clock: quickClock,
      wrap: (channel, index) => {
        if (index < channelCount) {
          return new TapChannel(channel, ({ name, direction }) => {
            return direction === 'read' && name === 'PageRequest' ? 'lose' : 'pass'
          })
        }
        return new TapChannel(channel, (unit, bytes) => {
          if (trace.answered.length === 0) note()
          return trace.onUnit(unit, bytes)
        })
      },
      onDial: () => {
        if (rig.sessions.length > 0) note()
        if (isDown) throw new Error('the network is down')
      },
      onSuspended: () => {
        isDown = true
      },
    })
    const running = migration.run()
    await until(() => migration.isSuspended && rig.sessions[0]!.isSuspended)
    await until(() => waitedFor(rig).length === 2)
    const waiting = waitedFor(rig)
    note()
    isDown = false
    const report = await running
    // Asked for anew, and first.
    expect(trace.asked.slice(0, 2).toSorted()).toEqual(waiting.toSorted())
    for (const name of ['paused', 'reconnecting', 'resuming', 'reopening', 'pushing']) {
      expect(here).toContain(name)
    }
    for (const name of ['paused', 'resuming', 'filling']) expect(there).toContain(name)
    await expectMoved(rig, guest, report)
  })
})

describe('pages', () => {
  it('are waited for at both edges of every region, and the short one at the end', async () => {
    const guest = await startGuest('memory-read', 2 * MIB + 5000)
    const rig = await startRig()
    const { onControl, onData, requested, discarded } = new PageWatch()
    const settings = { mode: 'post-copy', fetch: 'demand', onControl, onData } as const
    const report = await (await rig.source(guest, { ...settings, clock: quickClock })).run()
    expect(guest.regions.length).toBe(3)
    for (const { id, bytes } of guest.regions) {
      expect([...requested.keys()]).toContain(`${id}/0`)
      expect([...requested.keys()]).toContain(`${id}/${Math.ceil(bytes.length / 4096) - 1}`)
    }
    expect(guest.regions[2]!.bytes.length % 4096).toBeGreaterThan(0)
    expect(discarded.size).toBe(514)
    await expectMoved(rig, guest, report)
  })

  it.each(FETCH_NAMES.flatMap((fetch) => [['idle', fetch] as const, ['cpu', fetch] as const]))(
    'all come although nobody waits for one (%s, %s)',
    async (spec, fetch) => {
      const guest = await startGuest(spec, 2 * MIB + 5000)
      const rig = await startRig()
      const { onControl, onData, requested, sent } = new PageWatch()
      const settings = { mode: 'post-copy', fetch, onControl, onData, clock: quickClock } as const
      const report = await (await rig.source(guest, settings)).run()
      expect([requested.size, sent.size, report.faults!.count]).toEqual([0, 514, 0])
      await expectMoved(rig, guest, report)
    },
  )

  it('that are there in an older form are waited for like all others', async () => {
    const guest = await startGuest(`writer,wss=${512 * KIB},threads=2`, 2 * MIB)
    const rig = await startRig()
    const watch = new PageWatch()
    const { onControl, onData } = watch
    const migration = await rig.source(guest, {
      mode: 'hybrid',
      hybrid: { rounds: 1 },
      stop: 'max-rounds=9',
      fetch: 'demand',
      onControl,
      onData,
    })
    const report = await migration.run()
    const [first] = watch.rounds
    expect(first!.size).toBe(guest.regions.length * 256)
    const stale = [...watch.discarded.keys()].filter((page) => first!.has(page))
    expect(stale.filter((page) => watch.requested.has(page)).length).toBeGreaterThan(0)
    expect([...watch.sent.keys()].toSorted()).toEqual([...watch.discarded.keys()].toSorted())
    await expectMoved(rig, guest, report)
  })
})

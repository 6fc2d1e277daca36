/**
 * Hybrid that sends the guest's working set first, and all else when the guest runs there.
 */
import { setImmediate as turn } from 'node:timers/promises'
import type { PageBitmap } from '@godwit/core'
import { KIB, MIB, pagesCovering } from '@godwit/core'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import { ByteMapTracker } from '@godwit/memory'
import { parseEncode, parseMode } from '@godwit/policy'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { advances, expectContinuous } from './oracle.ts'
import { PageWatch } from './page-watch.ts'
import type { Rig, SourceSettings } from './rig.ts'
import { createRig } from './rig.ts'

const memoryBytes = 2 * MIB + 5000
const pageBytes = 4096
let guest: WorkloadGuest
let rig: Rig

beforeEach(async () => {
  const spec = `writer,wss=${512 * KIB},rate=20000,content=10/30/20/40`
  const { identity } = parseGuest(spec, memoryBytes)
  guest = await WorkloadGuest.start(identity, memoryBytes, { regionBytesMax: MIB })
  rig = await createRig(new WorkloadHost())
})
afterEach(async () => {
  await guest.stop()
  await rig.agent.abandon()
  for (const session of rig.sessions) await session.guest?.discard()
})

const start = (mode: string, settings: SourceSettings) =>
  rig.source(guest, { ...parseMode(mode), stop: 'max-rounds=9', ...settings })

/** Pages, as `region/page`, that are no longer what they were. */
function changedPages(before: readonly Uint8Array[]): Set<string> {
  const changed = new Set<string>()
  for (const [index, { id, bytes }] of guest.regions.entries()) {
    for (let page = 0; page < pagesCovering(bytes.length, pageBytes); page++) {
      const [at, end] = [page * pageBytes, (page + 1) * pageBytes]
      const was = before[index]!.subarray(at, end)
      if (Buffer.compare(was, bytes.subarray(at, end)) !== 0) changed.add(`${id}/${page}`)
    }
  }
  return changed
}

describe('the working set', () => {
  it.each([
    ['hybrid,working-set=30ms', 1, {}],
    ['hybrid,working-set=30ms', 1, { fetch: 'demand', encode: parseEncode('auto') }],
    ['hybrid,working-set=20ms,rounds=3', 3, { encode: parseEncode('delta,lz4') }],
    ['hybrid,working-set=20ms,rounds=3', 3, { encode: parseEncode('same,mdd,zstd'), lanes: 2 }],
  ] as const)(
    'is all that goes before the guest: %s (%i rounds, %j)',
    async (mode, rounds, more) => {
      await advances(guest, 300)
      const before = guest.regions.map(({ bytes }) => bytes.slice())
      const watch = new PageWatch()
      const { onControl, onData } = watch
      const migration = await start(mode, { onControl, onData, ...more })
      const report = await migration.run()
      expect(report.error).toBeUndefined()
      expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
      expect(report.stop).toMatchObject({ rule: 'rounds', round: rounds })
      expect(report.rounds).toHaveLength(rounds + 1)

      const changed = changedPages(before)
      const first = watch.rounds[0]!
      expect(first.size).toBe(report.rounds[0]!.pages)
      expect(first.size).toBeGreaterThan(100)
      // The guest was stopped later, so it has stored to everything that was sent.
      const early = new Set(watch.rounds.flatMap((round) => [...round.keys()]))
      expect([...early].filter((page) => !changed.has(page))).toEqual([])
      const pages = guest.regions.reduce((n, { bytes }) => n + pagesCovering(bytes.length, 4096), 0)
      expect(changed.size).toBeLessThan(pages / 2)
      const late = new Set(watch.discarded.keys())
      expect(new Set([...early, ...late]).size).toBe(pages)
      expect([...watch.sent.keys()].toSorted()).toEqual([...late].toSorted())

      await rig.idle()
      expect([rig.held(), rig.runs()]).toEqual([1, 1])
      const arrived = rig.sessions[0]!.guest as IncomingWorkload
      await expectContinuous(arrived, guest.identity, guest.steps())
    },
  )

  it('never leaves the rest to the pause, whichever rule ends the rounds', async () => {
    const mode = 'hybrid,working-set=20ms,rounds=9'
    const report = await (await start(mode, { stop: 'max-rounds=2' })).run()
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(report.stop).toMatchObject({ rule: 'max-rounds', round: 2 })
    expect(report.rounds.map(({ paused }) => paused)).toEqual([false, false, false])
    expect(report.stages.map(({ name }) => name)).toContain('post-copy')
  })

  it('may be of pages that were known to be zero before', async () => {
    await guest.stop()
    guest = await WorkloadGuest.start(parseGuest('idle', MIB).identity, MIB)
    const { identity, regions } = guest
    const { bytes } = regions[0]!
    bytes.fill(0)
    const map = new Uint8Array(256)
    class UntouchedTracker extends ByteMapTracker {
      addUntouched(into: PageBitmap): void {
        into.addAll()
        // As soon as the search is on.
        setImmediate(() => {
          bytes[5 * pageBytes] = 1
          map[5] = 1
        })
      }
    }
    const watch = new PageWatch()
    const { onControl, onData } = watch
    const source = {
      identity,
      regions,
      trackers: [new UntouchedTracker({ map, pageCount: 256 })],
      pause: () => guest.pause(),
      resume: () => guest.resume(),
      captureState: () => guest.captureState(),
    }
    const mode = parseMode('hybrid,working-set=20ms')
    const report = await (await rig.source(source, { ...mode, onControl, onData })).run()
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect([[...watch.rounds[0]!.keys()], watch.discarded.size]).toEqual([['0/5'], 0])
    await rig.idle()
    expect(rig.sessions[0]!.guest!.regions[0]!.bytes[5 * pageBytes]).toBe(1)
  })

  it('is looked for as long as it takes, and no longer where that is cancelled', async () => {
    const migration = await start('hybrid,working-set=1m', {})
    const running = migration.run()
    while (migration.state !== 'sending') await turn()
    await advances(guest, 20)
    expect(migration.progress.round).toBe(0)
    migration.cancel()
    expect(await running).toMatchObject({ outcome: 'cancelled', rounds: [] })
    await advances(guest)
    await rig.idle()
    expect(rig.held()).toBe(0)
  })

  it('cannot be found by a tracker that compares with what was sent', async () => {
    const refused = start('hybrid,working-set', { tracker: 'scan' })
    await expect(refused).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('the scan tracker sees no stores'),
    })
  })
})

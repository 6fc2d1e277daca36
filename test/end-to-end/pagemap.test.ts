/**
 * Memory whose stores only the kernel tells: whoever scans again and again loses none.
 */
import type { DirtyTracker, Guest } from '@godwit/core'
import { MIB } from '@godwit/core'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import { createPagemapTrackers, probePagemap } from '@godwit/linux'
import { describe, expect, it } from 'vitest'
import { advances, expectContinuous } from './oracle.ts'
import { createRig } from './rig.ts'

const probe = await probePagemap()

/** The same guest, as if it did not mark its stores. */
function trackedBy(guest: WorkloadGuest, trackers: readonly DirtyTracker[]): Guest {
  const { identity, regions } = guest
  return {
    identity,
    regions,
    trackers,
    pause: () => guest.pause(),
    resume: () => guest.resume(),
    captureState: () => guest.captureState(),
  }
}

describe('the pagemap tracker', { skip: !probe.ok }, () => {
  it.each([
    ['pre-copy', undefined],
    ['hybrid', undefined],
    ['hybrid', 30],
  ] as const)(
    'finds all pages that are stored to at random, round after round (%s, working set: %s ms)',
    async (mode, workingSetMs) => {
      const memoryBytes = 64 * MIB
      const spec = 'writer,wss=48MiB,rate=400000,order=rand,threads=2'
      const { identity } = parseGuest(spec, memoryBytes)
      const guest = await WorkloadGuest.start(identity, memoryBytes)
      const made = await createPagemapTrackers(guest.regions, 4096)
      if (!('trackers' in made)) throw new Error(made.reason)
      const rig = await createRig(new WorkloadHost())
      try {
        await advances(guest, 20_000)
        const stop = mode === 'hybrid' ? 'max-rounds=9' : 'max-rounds=6'
        const settings = { mode, hybrid: { rounds: 6, workingSetMs }, stop }
        const migration = await rig.source(trackedBy(guest, made.trackers), settings)
        const report = await migration.run()
        expect(report.error).toBeUndefined()
        expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
        expect(report.tracker).toBe('pagemap')
        expect(report.rounds).toHaveLength(7)
        // On a busy machine no thread of the guest may run during one of the short rounds.
        const stored = report.rounds.filter(({ pages }) => pages > 0)
        expect(stored.length).toBeGreaterThan(3)
        await rig.idle()
        const arrived = rig.sessions[0]!.guest as IncomingWorkload
        await expectContinuous(arrived, guest.identity, guest.steps())
      } finally {
        made.close()
        await guest.stop()
        await rig.agent.abandon()
        for (const session of rig.sessions) await session.guest?.discard()
      }
    },
  )
})

/**
 * Migrations of a guest whose every byte is known, compared after every round.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import { MIB } from '@godwit/core'
import { randomBytes } from '@godwit/testkit'
import { MemoryHost } from 'godwit'
import { expect } from 'vitest'
import type { Rig, SourceSettings } from './rig.ts'
import { createRig } from './rig.ts'
import { ShadowGuest, difference } from './shadow.ts'

/** What the guest does between two rounds. */
export type Edit = (guest: ShadowGuest) => void

/**
 * Moves `guest`. After the acknowledgement of round n its memory is edited by `edits[n - 1]`; after
 * each acknowledgement the destination must hold exactly what the edits before that round left.
 */
export async function moveWatched(
  guest: ShadowGuest,
  edits: readonly Edit[],
  settings: SourceSettings = {},
  more: (rig: Rig) => SourceSettings = () => ({}),
): Promise<Report> {
  const arrival = guest.regions.map((region) => new Uint8Array(region.bytes.length).fill(0xee))
  const rig = await createRig(new MemoryHost({ memory: arrival }, 64 * MIB))
  let sent = guest.snapshot()
  let round = 0
  const faults: (string | undefined)[] = []
  const migration = await rig.source(guest, {
    stop: `max-rounds=${Math.max(1, edits.length)}`,
    ...settings,
    ...more(rig),
    onControl: ({ direction, name }) => {
      if (direction === 'written' || name !== 'RoundAck') return undefined
      const found = difference(arrival, sent)
      if (found !== undefined) faults.push(`round ${round + 1}: ${found}`)
      if (!guest.isPaused) edits[round]?.(guest)
      sent = guest.snapshot()
      round++
      return undefined
    },
  })
  const report = await migration.run()
  expect(faults).toEqual([])
  expect(report.error).toBeUndefined()
  expect(report.outcome).toBe('completed')
  expect(difference(arrival, guest.snapshot())).toBeUndefined()
  expect(report.memory!.equal).toBe(true)
  expect(report.rounds).toHaveLength(round)
  return report
}

/** Regions of sizes that nobody would choose. */
export function oddGuest(pageBytes: number): ShadowGuest {
  const sizes = [1, 5000, pageBytes, 3 * 65536 + 17, 40 * pageBytes + 4095]
  return new ShadowGuest(
    sizes.map((size, seed) => randomBytes(size, seed)),
    pageBytes,
  )
}

/** The changes that a dirty set, or a memory of what was sent, gets wrong. */
export function traps(pageBytes: number): Edit[] {
  const zeros = new Uint8Array(pageBytes)
  const fresh = randomBytes(pageBytes, 99)
  let first: Uint8Array
  return [
    (guest) => {
      first = guest.page(4, 7)
      guest.storePage(4, 7, fresh)
      guest.storePage(4, 20, zeros)
      guest.storePage(4, 21, guest.page(4, 22))
      guest.store(0, 0, Uint8Array.of(7))
    },
    (guest) => {
      guest.storePage(4, 7, first)
      guest.storePage(4, 20, fresh)
      guest.storePage(4, 30, guest.page(4, 31))
      guest.storePage(4, 31, guest.page(4, 32))
      for (const [index, { bytes }] of guest.regions.entries()) {
        guest.store(index, bytes.length - 1, Uint8Array.of(bytes.at(-1)! ^ 0xff))
      }
    },
    (guest) => {
      guest.storePage(4, 7, fresh)
      guest.storePage(4, 7, first)
      const [a, b] = [guest.page(4, 1), guest.page(4, 2)]
      guest.storePage(4, 1, b)
      guest.storePage(4, 2, a)
      guest.storePage(4, 20, zeros)
      guest.store(0, 0, Uint8Array.of(0))
      guest.store(1, 0, new Uint8Array(5000))
    },
    (guest) => {
      guest.storePage(4, 21, zeros)
      guest.storePage(4, 21, fresh)
      guest.store(1, 4999, Uint8Array.of(1))
      guest.store(0, 0, Uint8Array.of(7))
    },
  ]
}

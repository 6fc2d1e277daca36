/**
 * Whole migrations by the library, over TCP on loopback.
 *
 * @module
 */
import assert from 'node:assert/strict'
import type { GuestHost, IncomingGuest, Report } from '@godwit/core'
import { GodwitError, MIB } from '@godwit/core'
import { receive } from '../receive.ts'
import type { SendOptions } from '../send.ts'
import { send } from '../send.ts'
import type { Room, Runner, Stand, Trial } from './stand.ts'
import { copyOf, hostWith, offerOf } from './stand.ts'

/** Rounds last long enough for the guest to store to pages that were sent. */
const maxBandwidth = 100e6

export const moveTrials: readonly Trial[] = [
  {
    name: 'move/pre-copy',
    promise: 'It moves while it runs: all of memory is the same there, and it goes on there only.',
    async play(stand) {
      const { from, room, arrived, memory } = await moved(stand, 'pre-copy')
      stand.sameMemory(from.guest.regions, memory!, 'the two sides')
      await stand.goesOn(() => room.progress(arrived), 'it does not go on there')
      await verify(stand, from, arrived)
    },
  },
  {
    name: 'move/post-copy-memory',
    promise: 'By post-copy all of memory comes, too.',
    async play(stand) {
      if (!(await canWait(stand))) return 'it cannot wait for pages'
      // It runs late: what came is looked at before it stores to it.
      let run: (() => unknown) | undefined
      const late = (guest: IncomingGuest): IncomingGuest =>
        changed(guest, { run: () => void (run = () => guest.run()) })
      const { from, room, arrived } = await moved(stand, 'post-copy', late)
      const memory = copyOf(arrived.regions)
      stand.sameMemory(from.guest.regions, memory, 'the two sides')
      await stand.within(run!(), 'run()')
      await stand.goesOn(() => room.progress(arrived), 'it does not go on there')
      return undefined
    },
  },
  {
    name: 'move/post-copy',
    promise: 'By post-copy it goes on before its pages are there, and waits for those it touches.',
    async play(stand) {
      if (!(await canWait(stand))) return 'it cannot wait for pages'
      const { from, room, arrived } = await moved(stand, 'post-copy')
      await stand.goesOn(() => room.progress(arrived), 'it does not go on there')
      await verify(stand, from, arrived)
      return undefined
    },
  },
  {
    name: 'move/cancelled',
    promise: 'After a cancel in a round or in the pause it goes on here, and moves the next time.',
    async play(stand) {
      const from = await stand.start()
      const room = await stand.open()
      for (const stage of ['pre-copy', 'stop-and-copy']) {
        const cancel = new AbortController()
        const onStage = ({ name }: { name: string }): void => {
          if (name === stage) cancel.abort()
        }
        const options = { mode: 'pre-copy', onStage, signal: cancel.signal } as const
        const { report } = await move(stand, from, room, options)
        assert.equal(report.outcome, 'cancelled', `cancelled in ${stage}: ${textOf(report)}`)
        await stand.goesOn(from.progress, `it does not go on after a cancel in ${stage}`)
      }
      const { report, arrived } = await move(stand, from, room, { mode: 'pre-copy' })
      assert.equal(report.outcome, 'completed', textOf(report))
      await stand.goesOn(() => room.progress(arrived!), 'it does not go on there')
    },
  },
  {
    name: 'move/refused',
    promise: 'Where the destination does not take its state it goes on here.',
    async play(stand) {
      const from = await stand.start()
      const room = await stand.open()
      const picky = (guest: IncomingGuest): IncomingGuest =>
        changed(guest, { restoreState: () => Promise.reject(new Error('not today')) })
      const { report } = await move(stand, from, room, { mode: 'pre-copy' }, picky)
      assert.equal(report.outcome, 'failed', textOf(report))
      await stand.goesOn(from.progress, 'it does not go on here')
    },
  },
]

interface Moved {
  readonly report: Report
  readonly arrived: IncomingGuest | undefined
  /** Of the guest that arrived, before it ran. */
  readonly memory: readonly Uint8Array[] | undefined
}

type Change = (guest: IncomingGuest) => IncomingGuest

async function move(
  stand: Stand,
  { guest }: Runner,
  room: Room,
  options: Partial<SendOptions>,
  change: Change = (incoming) => incoming,
): Promise<Moved> {
  let arrived: IncomingGuest | undefined
  let memory: readonly Uint8Array[] | undefined
  const host: GuestHost = hostWith(room.host, (incoming) => {
    const inner = change(incoming)
    return changed(inner, {
      run: () => {
        memory = copyOf(incoming.regions)
        arrived = incoming
        return inner.run()
      },
    })
  })
  const bytes = guest.regions.reduce((sum, region) => sum + region.bytes.length, 0)
  const pageBytes = [stand.pageBytes]
  const receiver = await receive(host, { listen: '127.0.0.1:0', lanes: 0, pageBytes })
  stand.onEnd(async () => {
    await receiver.close()
    await arrived?.discard()
  })
  const report = await stand.within(
    send(guest, {
      to: receiver.address,
      tracker: guest.trackers === undefined ? 'scan' : 'barrier',
      pageBytes: stand.pageBytes,
      maxBandwidth: Math.max(maxBandwidth, bytes),
      pauseBandwidth: Infinity,
      ...(guest.nextRound === undefined ? { stop: 'max-rounds=3' } : {}),
      ...options,
    }),
    `a migration of ${Math.ceil(bytes / MIB)} MiB`,
  )
  // What was given up is given back when the destination has heard of it.
  if (report.outcome !== 'completed') await receiver.close()
  return { report, arrived, memory }
}

/** A guest that moved, and the one that it was: paused, and never told to go on. */
async function moved(
  stand: Stand,
  mode: 'pre-copy' | 'post-copy',
  change?: Change,
): Promise<Moved & { from: Runner; room: Room; arrived: IncomingGuest }> {
  const from = await stand.start()
  const room = await stand.open()
  const { report, arrived, memory } = await move(stand, from, room, { mode }, change)
  assert.equal(report.outcome, 'completed', textOf(report))
  assert.ok(arrived, 'the guest was not told to run')
  await stand.stands(from.guest.regions, from.progress, 'handed over')
  return { from, room, report, arrived, memory }
}

/** Whether the adapter's guests can run before all of their pages are there. */
async function canWait(stand: Stand): Promise<boolean> {
  const { guest } = await stand.start()
  if (guest.nextRound !== undefined) return false
  const room = await stand.open()
  try {
    const reserved = await room.reserve(offerOf(guest, stand.pageBytes, true))
    const { pager } = reserved.guest
    await reserved.discard()
    return pager !== undefined
  } catch (thrown) {
    if (thrown instanceof GodwitError && thrown.code === 'PROTOCOL_CAPABILITY') return false
    throw thrown
  }
}

async function verify(stand: Stand, from: Runner, arrived: IncomingGuest): Promise<void> {
  const { adapter } = stand
  await stand.within(adapter.verify?.(arrived, from.guest) ?? Promise.resolve(), 'verify()')
}

/** The same guest, some of whose members are others. */
function changed(guest: IncomingGuest, parts: Partial<IncomingGuest>): IncomingGuest {
  return new Proxy(guest, {
    get(target, name) {
      const own = Reflect.get(parts, name) as unknown
      if (own !== undefined) return own
      const value = Reflect.get(target, name, target) as unknown
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

function textOf({ outcome, error }: Report): string {
  return error === undefined ? outcome : `${outcome}: ${error.code}: ${error.text}`
}

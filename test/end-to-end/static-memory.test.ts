/**
 * A guest that was filled from a sibling does not keep the sibling's memory: nothing of it is held
 * when the migration is over, however long the guest stays.
 */
import type { Report } from '@godwit/core'
import type { IncomingMigration, StaticFinder } from '@godwit/destination'
import type { SendOptions } from 'godwit'
import { receive, send } from 'godwit'
import { describe, expect, it } from 'vitest'
import { collectGarbage } from '../faults/footprint.ts'
import {
  SiblingFinder,
  mapOffering,
  sharedPages,
  siblingGuest,
  siblingMemory,
} from './static-sibling.ts'

const goneMs = 10_000

/** Has a sibling when it is asked, and keeps nothing of it. */
class LeavingSibling implements StaticFinder {
  #memory: WeakRef<ArrayBufferLike> | undefined

  find: StaticFinder['find'] = (...asked) => {
    const memory = siblingMemory()
    this.#memory = new WeakRef(memory.buffer)
    return new SiblingFinder(memory, [mapOffering('content')]).find(...asked)
  }

  /** Threads that have been told to end take a while. */
  async isGone(): Promise<boolean> {
    if (this.#memory === undefined) throw new Error('nobody asked for it')
    const endMs = performance.now() + goneMs
    do {
      await collectGarbage()
      if (this.#memory.deref() === undefined) return true
    } while (performance.now() < endMs)
    return false
  }
}

interface Move {
  readonly source: Report
  readonly destination: Report
  /** As long as somebody has it, so is the guest. */
  readonly migration: IncomingMigration
  readonly finder: LeavingSibling
  readonly close: () => Promise<void>
}

async function move(scheme: string, settings: Partial<SendOptions> = {}): Promise<Move> {
  const guest = siblingGuest()
  const finder = new LeavingSibling()
  const arrival = guest.regions.map(({ bytes }) => {
    return new Uint8Array(new SharedArrayBuffer(bytes.length))
  })
  const ended = Promise.withResolvers<{ migration: IncomingMigration; destination: Report }>()
  const receiver = await receive(
    { memory: arrival },
    { listen: '127.0.0.1:0', static: finder },
    { ended: (migration, destination) => ended.resolve({ migration, destination }) },
  )
  const memory = guest.regions.map(({ bytes }) => bytes)
  const source = await send(
    { memory, pause: async () => {}, resume() {} },
    { to: `${scheme}${receiver.address}`, static: { map: mapOffering('content') }, ...settings },
  )
  return { source, finder, ...(await ended.promise), close: () => receiver.close() }
}

describe('the memory of a sibling that left', () => {
  it.each([
    ['on threads', ''],
    ['on one thread', 'ws://'],
  ])('is not kept by a guest that was filled from it: lanes %s', async (_, scheme) => {
    const { source, destination, migration, finder, close } = await move(scheme)
    for (const report of [source, destination]) {
      expect(report).toMatchObject({ outcome: 'completed', static: { pages: sharedPages } })
    }
    expect(await finder.isGone()).toBe(true)
    expect(migration.guest).toBeDefined()
    await close()
  })

  it('is not kept where the migration was cancelled', async () => {
    const cancel = new AbortController()
    const { source, migration, finder, close } = await move('', {
      signal: cancel.signal,
      onStage: ({ name }) => {
        if (name === 'pre-copy') cancel.abort()
      },
    })
    expect(source).toMatchObject({ outcome: 'cancelled' })
    expect(await finder.isGone()).toBe(true)
    expect(migration.guest).toBeUndefined()
    await close()
  })
})

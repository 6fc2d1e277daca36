import { createPrimitives, Workspace } from '@godwit/codec'
import type { Clock, PageHasher } from '@godwit/core'
import { MIB } from '@godwit/core'
import { TokenBucket, parseEncode } from '@godwit/policy'
import { describe, expect, it } from 'vitest'
import { createSlots, laneBytes } from './lane-memory.ts'
import { warmUpLane } from './warm-up.ts'

const primitives = await createPrimitives()
const pageBytes = 4096

/** Tasks that wait for {@link turn}. */
class Turns implements Clock {
  #tasks: (() => void)[] = []

  nowMs(): number {
    return 0
  }

  after(): () => void {
    return () => {}
  }

  soon(task: () => void): void {
    this.#tasks.push(task)
  }

  /** Some tasks, and the promises that they keep. @returns whether there was anything to do */
  async turn(): Promise<boolean> {
    const tasks = this.#tasks.splice(0)
    for (const task of tasks) task()
    for (let i = 0; i < 20; i++) await Promise.resolve()
    return tasks.length > 0
  }
}

/** A warm-up for a lane of its own, and how many batches it has come to. */
function begin(memoryBytes: number): { clock: Turns; end: () => void; batches: () => number } {
  const settings = parseEncode('none')
  const workspace = new Workspace(primitives, laneBytes(pageBytes, settings, 0))
  const inner = workspace.createHasher('xxh3', new Uint8Array(8))
  let batches = 0
  const hasher: PageHasher = {
    name: inner.name,
    entryBytes: inner.entryBytes,
    hashPages: (...parts) => inner.hashPages(...parts),
    digest: (entries) => {
      batches++
      return inner.digest(entries)
    },
  }
  const limits = { creditBytes: Infinity, cacheBytes: 0, storeBytes: 0, roundTripMs: 0 }
  const slots = createSlots(workspace, pageBytes, settings)
  const parts = { pageBytes, workspace, slots, hasher, settings, compressors: {}, sent: [] }
  const options = { ...limits, ...parts, index: 0, lanes: 1, pacer: new TokenBucket(Infinity) }
  const clock = new Turns()
  return { clock, end: warmUpLane(clock, options, memoryBytes), batches: () => batches }
}

describe('the warm-up of a lane', () => {
  it('lets several lanes come to the batches of a guest of that size', async () => {
    const { clock, batches } = begin(1024 * MIB)
    while (await clock.turn()) continue
    // An eighth without SIMD; batches of zero pages alone have no digest.
    expect(batches()).toBeGreaterThan(150)
    expect(batches()).toBeLessThan(220)
  })

  it('ends at once, in the middle of a round', async () => {
    const { clock, end, batches } = begin(1024 * MIB)
    for (let i = 0; i < 3; i++) await clock.turn()
    const before = batches()
    expect(before).toBeGreaterThan(0)
    end()
    while (await clock.turn()) continue
    expect(batches()).toBe(before)
  })

  it('is not worth it for a guest that is over before', async () => {
    const { clock, batches } = begin(256 * 1024)
    expect(await clock.turn()).toBe(false)
    expect(batches()).toBe(0)
  })
})

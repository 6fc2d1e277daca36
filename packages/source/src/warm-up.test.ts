import { createHash } from 'node:crypto'
import type { Compressor, PrimitivesOptions } from '@godwit/codec'
import { createPrimitives, warmUpBatches, Workspace } from '@godwit/codec'
import type { HashName, PageHasher } from '@godwit/core'
import { MIB, systemClock } from '@godwit/core'
import { TokenBucket, parseEncode } from '@godwit/policy'
import { describe, expect, it } from 'vitest'
import { createSlots, laneBytes, warmUpBytes } from './lane-memory.ts'
import { warmUpLane } from './warm-up.ts'

const primitives = await createPrimitives()
const pageBytes = 4096
/** Halves what it gets. */
const zstd: Compressor = {
  parallel: 0,
  compress: (input, _settings, done) => done(input.subarray(0, input.length >>> 1)),
  decompress: (input) => input,
}

/** The event loop goes round so many times. */
async function turn(times = 1): Promise<void> {
  for (let i = 0; i < times; i++) await new Promise<void>((resolve) => systemClock.soon(resolve))
}

/** A warm-up for a lane of its own, and how many batches it has come to. */
function begin(
  memoryBytes: number,
  encode = 'none',
  hash: HashName = 'xxh3',
): { end: () => void; batches: () => number } {
  const settings = parseEncode(encode)
  const ownBytes = laneBytes(pageBytes, settings, 0, false) + warmUpBytes(pageBytes, settings)
  const workspace = new Workspace(primitives, ownBytes)
  const inner = workspace.createHasher(hash, new Uint8Array(8))
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
  const limits = {
    creditBytes: Infinity,
    cacheBytes: 0,
    storeBytes: 0,
    isLoopback: false,
    scan: undefined,
    onHungry: () => {},
    roundTripMs: 0,
  }
  const slots = createSlots(workspace, pageBytes, settings, false)
  const parts = { pageBytes, workspace, slots, hasher, settings, compressors: { zstd }, sent: [] }
  const options = { ...limits, ...parts, index: 0, lanes: 1, pacer: new TokenBucket(Infinity) }
  return { end: warmUpLane(systemClock, options, memoryBytes), batches: () => batches }
}

describe('the warm-up of a lane', () => {
  it('lets several lanes come to the batches of a guest of that size, and no more', async () => {
    const { batches } = begin(1024 * MIB)
    // An eighth without SIMD; batches of zero pages alone have no digest.
    while (batches() < 150) await turn()
    await turn(500)
    expect(batches()).toBeLessThan(220)
  })

  it.each(['none', 'same'])('has room for what it makes: %s', async (encode) => {
    const { batches } = begin(1024 * MIB, encode)
    // The fourth lane.
    while (batches() < 151) await turn()
    expect(batches()).toBeGreaterThan(150)
  })

  it.each(['auto', 'same,delta,zstd', 'mecom'])(
    'goes as far with fewer batches: %s',
    async (encode) => {
      const { batches } = begin(1024 * MIB, encode)
      // Sixteen that are compressed, twelve each of two lanes more, and the fourth lane's first.
      while (batches() < 42) await turn()
      await turn(500)
      expect(batches()).toBeLessThan(80)
    },
  )

  it('leaves pages to the encoder that will look at them', async () => {
    const digests = { none: 0, same: 0 }
    for (const encode of ['none', 'same'] as const) {
      const { batches, end } = begin(1024 * MIB, encode)
      await turn(2)
      digests[encode] = batches()
      end()
    }
    // It lets others have their turn after every batch.
    expect(digests.same).toBeLessThan(digests.none)
    expect(digests.same).toBeGreaterThan(0)
  })

  it('ends at once, in the middle of a round', async () => {
    const { end, batches } = begin(1024 * MIB)
    while (batches() === 0) await turn()
    end()
    const before = batches()
    await turn(50)
    expect([before < 150, batches()]).toEqual([true, before])
  })

  it('is not worth it for a guest that is over before', async () => {
    const { batches } = begin(256 * 1024)
    await turn(50)
    expect(batches()).toBe(0)
  })

  it('is not worth it where SHA-256 is computed by hand', async () => {
    const batchesWith = async (options: PrimitivesOptions): Promise<number> => {
      const workspace = new Workspace(await createPrimitives(options), 0)
      const hasher = workspace.createHasher('sha256', new Uint8Array(8))
      return warmUpBatches('encoder', workspace, 64 * MIB, hasher)
    }
    const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()
    expect([await batchesWith({}), await batchesWith({ sha256 })]).toEqual([0, 32])
  })
})

/**
 * Pages that are found to be zero before round 1, and that the guest stores to afterwards: each of
 * them arrives as it was when the guest stopped.
 */
import { MIB } from '@godwit/core'
import { allocateRegion } from '@godwit/memory'
import { randomBytes } from '@godwit/testkit'
import { MemoryHost } from 'godwit'
import { afterEach, describe, expect, it } from 'vitest'
import type { Rig, SourceSettings } from './rig.ts'
import { createRig } from './rig.ts'
import { ShadowGuest, difference } from './shadow.ts'

const pageBytes = 4096
/** More than is looked through exactly before each round. */
const pageCount = 17_000
/** One page of so many is not zero. */
const noisyShare = 4
const noise = randomBytes(pageBytes, 5)
const zeroPages = pageCount - pageCount / noisyShare

/** Takes as long to make room as a look at all of memory does. */
class SlowHost extends MemoryHost {
  override async reserve(
    ...offered: Parameters<MemoryHost['reserve']>
  ): ReturnType<MemoryHost['reserve']> {
    for (let turn = 0; turn < 500; turn++) await new Promise((resolve) => setImmediate(resolve))
    return super.reserve(...offered)
  }
}

let rig: Rig | undefined
afterEach(() => rig?.idle())

async function setUp(onPause: (guest: ShadowGuest) => void = () => {}) {
  const byteLength = pageCount * pageBytes
  const region = allocateRegion({ id: 0, name: 'part0', byteLength, comparesInPlace: true })
  for (let page = 0; page < pageCount; page += noisyShare) region.bytes.set(noise, page * pageBytes)
  class Guest extends ShadowGuest {
    override readonly regions = [region]
    override async pause(): Promise<void> {
      onPause(this)
      await super.pause()
    }
  }
  const guest = new Guest([region.bytes])
  const arrival = [new Uint8Array(byteLength).fill(0xee)]
  rig = await createRig(new SlowHost({ memory: arrival }, 128 * MIB))
  const migrate = async (settings: SourceSettings) => {
    const tracker = 'scan'
    const report = await (await rig!.source(guest, { tracker, ...settings })).run()
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(difference(arrival, guest.snapshot())).toBeUndefined()
    return report
  }
  return { guest, migrate }
}

/** Makes all zero pages others. */
function storeToZeros(guest: ShadowGuest): void {
  for (let page = 0; page < pageCount; page++) {
    if (page % noisyShare > 0) guest.storePage(0, page, noise)
  }
}

describe('pages that were zero while the destination made room', () => {
  it('go as such in round 1, without a look, and as they are in a later one', async () => {
    const { guest, migrate } = await setUp()
    const { rounds, pages } = await migrate({
      stop: 'max-rounds=2',
      onControl: ({ name }) => {
        if (name === 'RoundBegin' && !guest.isPaused) storeToZeros(guest)
        return undefined
      },
    })
    expect(rounds.map((round) => round.pages)).toEqual([pageCount, zeroPages, 0])
    expect(pages!.zero).toBe(zeroPages)
  })

  it('are looked at again in a round that no later look follows', async () => {
    const { migrate } = await setUp(storeToZeros)
    const { pages } = await migrate({ mode: 'stop-copy' })
    expect(pages!.zero).toBe(0)
  })
})

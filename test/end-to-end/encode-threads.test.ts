/**
 * Lanes on threads that look at pages one by one.
 */
import type { EncodingReport, Report } from '@godwit/core'
import { MIB } from '@godwit/core'
import { parseEncode } from '@godwit/policy'
import { receive, send } from 'godwit'
import { describe, expect, it } from 'vitest'
import type { SourceThread } from './fake-threads.ts'
import { sourceThreads } from './fake-threads.ts'
import { mixedBytes } from './memory-contents.ts'
import { moveCounted } from './mixed-memory.ts'
import type { SourceSettings } from './rig.ts'
import { ShadowGuest, difference } from './shadow.ts'
import type { Edit } from './watched.ts'
import { oddGuest, traps } from './watched.ts'

function shared(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length))
  copy.set(bytes)
  return copy
}

function batches({ encoding }: Report): number {
  const { batchesByLevel, randomBatches, plainBatches } = encoding!.compression!
  const byLevel = Object.values(batchesByLevel).reduce((sum, count) => sum + count, 0)
  return byLevel + randomBatches + plainBatches
}

describe('lanes on threads', () => {
  it.each([
    ['auto', { lanes: 1, tracker: 'barrier' }],
    ['auto', { lanes: 3, tracker: 'scan' }],
    ['same,delta,zstd', { lanes: 1, tracker: 'barrier' }],
    ['same,delta,zstd', { lanes: 3, tracker: 'scan' }],
  ] as const)('bring every change over: %s %o', async (encode, settings) => {
    const guest = oddGuest(4096)
    guest.regions[4]!.bytes.set(mixedBytes(40, 4096))
    const moved = new ShadowGuest(guest.regions.map(({ bytes }) => shared(bytes)))
    const started: SourceThread[] = []
    const all: SourceSettings = { ...settings, encode: parseEncode(encode) }
    const { source } = await moveCounted(moved, traps(4096), all, (rig) => ({
      startLane: sourceThreads(() => rig.dial(), started),
    }))
    expect(started).toHaveLength(settings.lanes)
    expect(source.encoding).toMatchObject({ asked: encode, repairedPages: 0, heldPages: 0 })
    expect(source.encoding!.compression!.algorithm).toBe('zstd')
    expect(batches(source)).toBeGreaterThan(0)
  })

  it('tell as much about encoding as lanes that have none', async () => {
    const edit: Edit = (guest) => {
      for (let page = 0; page < 400; page++) guest.store(0, page * 4096 + 8, Uint8Array.of(page))
    }
    const move = async (settings: SourceSettings, onThreads: boolean): Promise<EncodingReport> => {
      const guest = new ShadowGuest([shared(mixedBytes(800, 4096))])
      // The same seeds, the same batches.
      const fixed = { randomBytes: (count: number) => new Uint8Array(count).fill(3), ...settings }
      const { source } = await moveCounted(guest, [edit, edit, edit], fixed, (rig) => {
        return onThreads ? { startLane: sourceThreads(() => rig.dial(), []) } : {}
      })
      return source.encoding!
    }
    for (const encode of ['same,mdd', 'same,delta,lz4', 'mecom'].map(parseEncode)) {
      expect(await move({ encode }, true)).toEqual(await move({ encode }, false))
    }
  })

  it.each(['auto', 'same,delta,zstd'])('are real ones through the library: %s', async (encode) => {
    const memory = shared(mixedBytes(3000, 4096))
    const arrival = new Uint8Array(new SharedArrayBuffer(memory.length))
    const receiver = await receive({ memory: arrival }, { listen: '127.0.0.1:0', lanes: 2 })
    const own = { memory, pause() {}, resume() {} }
    const report = await send(own, { to: receiver.address, lanes: 2, encode })
    await receiver.close()
    expect(report.error).toBeUndefined()
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(difference([arrival], [memory])).toBeUndefined()
    expect(report.encoding).toMatchObject({ asked: encode, compression: { algorithm: 'zstd' } })
    expect(batches(report)).toBeGreaterThan(memory.length / (4 * MIB))
  })
})

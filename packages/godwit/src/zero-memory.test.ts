import type { Region } from '@godwit/core'
import { MIB, PageBitmap, pagesCovering } from '@godwit/core'
import { PagemapTracker, WriteWatch, loadSystemCalls, probePagemap } from '@godwit/linux'
import { allocateRegion } from '@godwit/memory'
import { afterEach, describe, expect, it } from 'vitest'
import { startThread } from './thread.ts'
import type { ZeroThread } from './zero-memory.ts'
import { startZeroThread, zeroInThreads, zeroWith } from './zero-memory.ts'

const probe = await probePagemap()
const threads: ZeroThread[] = []

afterEach(async () => {
  for (const thread of threads) thread.end()
  await Promise.all(threads.splice(0).map((thread) => thread.ended))
})

function kept(thread: ZeroThread): ZeroThread {
  threads.push(thread)
  return thread
}

/** A thread whose whole program is `code`; `port` is its line to this one. */
function startCode(code: string): ZeroThread {
  const { href } = new URL('./parent-thread.ts', import.meta.url)
  const program = `import { parentThread } from '${href}'\nconst port = parentThread()\n${code}`
  const entry = new URL(`data:text/javascript,${encodeURIComponent(program)}`)
  return kept(startThread(entry, 'one'))
}

function allocate(...lengths: number[]): Region[] {
  return lengths.map((byteLength, id) => allocateRegion({ id, name: `ram${id}`, byteLength }))
}

function areZero(regions: readonly Region[]): boolean {
  return regions.every(({ bytes }) => Buffer.compare(bytes, Buffer.alloc(bytes.length)) === 0)
}

/** Pages of 4 KiB that the kernel has no memory for. */
async function missingPages(regions: readonly Region[]): Promise<number> {
  const watch = new WriteWatch(await loadSystemCalls())
  try {
    let missing = 0
    for (const region of regions) {
      const tracker = new PagemapTracker({ region, pageBytes: 4096, watch })
      const untouched = new PageBitmap(pagesCovering(region.bytes.length, 4096))
      tracker.addUntouched(untouched)
      missing += untouched.size
    }
    return missing
  } finally {
    watch.close()
  }
}

describe('threads', () => {
  const lengths = [33 * MIB + 123, 5000, 40 * MIB, 1]

  it.each([1, 3])('fill memory that is not fresh: %i', async (count) => {
    const regions = allocate(...lengths)
    for (const { bytes } of regions) Buffer.from(bytes.buffer).fill(1)
    await zeroWith({ count, start: () => kept(startZeroThread()) }, regions, false)
    expect(areZero(regions)).toBe(true)
    expect(threads).toHaveLength(count)
    const ends = await Promise.all(threads.map((thread) => thread.ended))
    expect(ends.every((error) => error === undefined)).toBe(true)
    // Beside the memory nothing was stored.
    expect(new Uint8Array(regions[1]!.bytes.buffer)[5000]).toBe(1)
  })

  it('make fresh memory resident', async ({ skip }) => {
    if (!probe.ok) skip(probe.reason)
    const regions = allocate(...lengths)
    expect(await missingPages(regions)).toBe(8449 + 2 + 10_240 + 1)
    await zeroWith({ count: 2, start: () => kept(startZeroThread()) }, regions, true)
    expect(await missingPages(regions)).toBe(0)
    expect(areZero(regions)).toBe(true)
  })

  it('say why one died, when none of the others stores any more', async () => {
    const order: string[] = []
    const starts = [
      () => startCode("port.listen(() => { throw new Error('no way') })"),
      () => {
        const thread = kept(startZeroThread())
        const listen = thread.listen.bind(thread)
        thread.listen = (hear) => {
          listen((message) => {
            order.push(message)
            hear(message)
          })
        }
        return thread
      },
    ]
    const work = zeroWith({ count: 2, start: () => starts.shift()!() }, allocate(64 * MIB), true)
    await expect(work).rejects.toThrow('The thread "one" ended by itself: no way')
    order.push('rejected')
    expect(order).toEqual(['done', 'rejected'])
    const ends = await Promise.all(threads.map((thread) => thread.ended))
    expect(ends.map((error) => error?.code)).toEqual(['INTERNAL', undefined])
  })

  it('that cannot be started are a reason, too', async () => {
    const start = (): never => {
      throw new Error('no more threads')
    }
    const work = zeroWith({ count: 2, start }, allocate(MIB), true)
    await expect(work).rejects.toThrow('no more threads')
  })
})

describe('zeroInThreads', () => {
  const shared = (length: number): Uint8Array => new Uint8Array(new SharedArrayBuffer(length))

  it.each([
    ['large', [shared(129 * MIB), shared(100)]],
    ['small', [shared(MIB + 1)]],
    ['not shared', [new Uint8Array(129 * MIB)]],
    ['partly shared', [shared(129 * MIB), new Uint8Array(100)]],
  ])('makes memory zero that is %s', async (_name, pieces) => {
    const regions = pieces.map((bytes, id) => ({ id, name: `own${id}`, bytes: bytes.fill(1) }))
    await zeroInThreads()(regions, false)
    expect(areZero(regions)).toBe(true)
  })
})

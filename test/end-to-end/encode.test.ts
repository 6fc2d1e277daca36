/**
 * Whole migrations with every way to encode pages: whatever is chosen, memory arrives.
 */
import type { Report } from '@godwit/core'
import { MIB } from '@godwit/core'
import { parseEncode } from '@godwit/policy'
import { FakeClock, randomBytes } from '@godwit/testkit'
import { MemoryHost } from 'godwit'
import { describe, expect, it } from 'vitest'
import { mixedBytes } from './memory-contents.ts'
import { moveCounted } from './mixed-memory.ts'
import type { SourceSettings } from './rig.ts'
import { createRig } from './rig.ts'
import { ShadowGuest, difference } from './shadow.ts'
import type { Edit } from './watched.ts'
import { oddGuest, traps } from './watched.ts'

/** The guest of the traps, with memory that can be made smaller in its largest region. */
function mixedGuest(pageBytes: number): ShadowGuest {
  const guest = oddGuest(pageBytes)
  guest.regions[4]!.bytes.set(mixedBytes(40, pageBytes))
  return guest
}

/** Moves a guest that also stores while a round goes on; in the end all of its memory is there. */
async function moveStoring(
  guest: ShadowGuest,
  edits: readonly Edit[],
  settings: SourceSettings,
): Promise<Report> {
  const arrival = guest.snapshot().map((bytes) => new Uint8Array(bytes.length))
  const rig = await createRig(new MemoryHost({ memory: arrival }, 64 * MIB))
  let round = 0
  const migration = await rig.source(guest, {
    ...settings,
    onControl: ({ direction, name }) => {
      if (direction === 'read' && name === 'RoundAck') edits[round++]?.(guest)
      return undefined
    },
  })
  const report = await migration.run()
  await rig.idle()
  expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
  expect(difference(arrival, guest.snapshot())).toBeUndefined()
  return report
}

/** Names of counts that are not 0. */
function used({ pages }: Report): string[] {
  return Object.entries(pages!).flatMap(([name, count]) => (count > 0 ? [name] : []))
}

type Setup = Pick<SourceSettings, 'tracker' | 'hash' | 'lanes'> & { pageBytes: number }

const barrier = { tracker: 'barrier', lanes: 1, pageBytes: 4096 } as const
const scan = { tracker: 'scan', lanes: 1, pageBytes: 4096 } as const
const large = { pageBytes: 65536 } as const
const two = { lanes: 2 } as const

describe('every way to encode pages', () => {
  it.each<[string, Setup, string[]]>([
    ['same', { ...barrier, hash: 'xxh3' }, []],
    ['same', { ...scan, ...large, ...two, hash: 'sha256' }, []],
    ['same,delta', { ...scan, hash: 'xxh64' }, ['delta']],
    ['same,delta', { ...barrier, ...two, hash: 'xxh3' }, []],
    ['mdd', { ...barrier, hash: 'xxh3' }, ['delta']],
    ['mdd', { ...scan, ...large, hash: 'sha256' }, ['delta']],
    ['mdd', { ...scan, ...two, hash: 'xxh64' }, []],
    ['zstd', { ...scan, ...large, hash: 'xxh3' }, ['compressed']],
    ['zstd', { ...barrier, ...two, hash: 'sha256' }, ['compressed']],
    ['lz4', { ...barrier, ...two, hash: 'xxh64' }, ['compressed']],
    ['lz4', { ...scan, ...large, hash: 'xxh3' }, ['compressed']],
    ['mecom', { ...barrier, hash: 'sha256' }, ['compressed']],
    ['mecom', { ...scan, ...large, ...two, hash: 'xxh3' }, ['compressed']],
    ['auto', { ...barrier, hash: 'xxh3' }, []],
    ['auto', { ...scan, ...large, ...two, hash: 'xxh64' }, []],
    ['same,delta,zstd,level=3', { ...barrier, ...two, hash: 'xxh64' }, ['compressed']],
    ['same,delta,zstd,level=3', { ...scan, ...large, hash: 'sha256' }, ['delta']],
    ['same,mdd,lz4', { ...scan, hash: 'xxh3' }, ['delta', 'compressed']],
    ['same,mdd,lz4', { ...barrier, ...large, ...two, hash: 'sha256' }, ['compressed']],
  ])('brings all changes over: %s %o', async (encode, settings, expected) => {
    const { pageBytes, tracker } = settings
    const all = { ...settings, encode: parseEncode(encode) }
    const { source } = await moveCounted(mixedGuest(pageBytes), traps(pageBytes), all)
    expect(source.rounds).toHaveLength(5)
    expect(source.tracker).toBe(tracker)
    expect(used(source)).toEqual(expect.arrayContaining(['raw', 'zero', ...expected]))
    expect(source.encoding).toMatchObject({ asked: encode, heldPages: 0, repairedPages: 0 })
    expect(source.error).toBeUndefined()
  })

  it('has pages on the lane that knows them, where there are two', async () => {
    const pageCount = 1300
    const guest = new ShadowGuest([mixedBytes(pageCount, 4096)])
    const edit: Edit = (one) => {
      for (let page = 1; page < pageCount; page += 8) one.store(0, page * 4096, Uint8Array.of(7))
      // What each lane sent, and what the other did.
      for (let page = 4; page < 512; page += 32) {
        one.storePage(0, page, one.page(0, page + 2))
        one.storePage(0, 512 + page, one.page(0, page + 6))
        one.storePage(0, page + 16, one.page(0, 512 + page + 18))
      }
    }
    const undo: Edit = (one) => {
      for (let page = 1; page < pageCount; page += 8) one.store(0, page * 4096, Uint8Array.of(0))
      for (let page = 4; page < 512; page += 32) {
        one.storePage(0, page, one.page(0, page + 1))
        one.storePage(0, 512 + page, one.page(0, page))
      }
    }
    const settings = { ...two, encode: parseEncode('same,delta,zstd') }
    const { source } = await moveCounted(guest, [edit, undo, edit], settings)
    expect(source.pages!.delta).toBeGreaterThan(150)
    expect(source.pages!.same).toBeGreaterThan(0)
  })

  it.each(['same,mdd,zstd', 'auto', 'lz4'])('is there in stop-copy mode: %s', async (encode) => {
    const settings = { mode: 'stop-copy', encode: parseEncode(encode) } as const
    const { source } = await moveCounted(mixedGuest(4096), [], settings)
    expect(source.rounds).toHaveLength(1)
    expect(source.encoding).toMatchObject({ asked: encode, heldPages: 0 })
  })
})

describe('auto', () => {
  it.each([1, 2])('goes on where nobody tells how fast the link is: %i', async (lanes) => {
    // Its time stands still: after the first credit comes none before 4 MiB more are there.
    const clock = new FakeClock()
    const memory = mixedBytes(800, 4096)
    const arrival = new Uint8Array(memory.length)
    const rig = await createRig(new MemoryHost({ memory: arrival }, memory.length), { clock })
    const settings = { lanes, encode: parseEncode('auto') }
    const migration = await rig.source(new ShadowGuest([memory]), settings)
    const report = await migration.run()
    await rig.idle()
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(difference([arrival], [memory])).toBeUndefined()
  })
})

describe('duplicates that are not sent', () => {
  // What finds them forgets some: of so many pages never all.
  const half = 32
  const hashes = ['xxh3', 'xxh64', 'sha256'] as const
  const random = (): ShadowGuest => new ShadowGuest([randomBytes(2 * half * 4096, 1)])
  const before = random()
  const move = async (edits: readonly Edit[], settings: SourceSettings = {}): Promise<Report> => {
    const encode = parseEncode('same')
    const { source } = await moveCounted(random(), edits, { encode, ...settings })
    return source
  }
  /** Gives every page of the first half another content. */
  const storeHalf = (content: (page: number) => Uint8Array): Edit => {
    return (guest) => {
      for (let page = 0; page < half; page++) guest.storePage(0, page, content(page))
    }
  }
  const fresh = (page: number): Uint8Array => randomBytes(4096, 100 + page)

  it.each(hashes)('are told, where pages take the content of others (%s)', async (hash) => {
    const { pages, savedBytes } = await move([storeHalf((p) => before.page(0, half + p))], { hash })
    const { raw, same } = pages!
    expect(pages).toMatchObject({ zero: 0, unchanged: 0, reference: 0 })
    expect(same).toBeGreaterThan(half / 4)
    expect(raw + same).toBe(3 * half)
    expect(savedBytes!['same']).toBeGreaterThan(same * 4000)
  })

  it.each(hashes)('are told, where pages go back two rounds (%s)', async (hash) => {
    const edits = [storeHalf(fresh), storeHalf((page) => before.page(0, page))]
    const { pages, savedBytes } = await move(edits, { hash })
    const { raw, reference } = pages!
    expect(pages).toMatchObject({ zero: 0, unchanged: 0, same: 0 })
    expect(reference).toBeGreaterThan(half / 4)
    expect(raw + reference).toBe(4 * half)
    expect(savedBytes!['reference']).toBeGreaterThan(reference * 4000)
  })

  it('are told again and again, where pages go to and fro', async () => {
    const back = storeHalf((page) => before.page(0, page))
    const { pages } = await move([storeHalf(fresh), back, storeHalf(fresh), back])
    expect(pages!.reference).toBeGreaterThan(half / 2)
  })

  it('are none while the others are on their way, too', async () => {
    const swap: Edit = (guest) => {
      for (let page = 0; page < half; page++) {
        guest.storePage(0, page, before.page(0, half + page))
        guest.storePage(0, half + page, fresh(page))
      }
    }
    const { pages } = await move([swap])
    expect(pages).toMatchObject({ raw: 4 * half, same: 0, reference: 0, unchanged: 0 })
  })

  it('are not those of pages that changed in the round before', async () => {
    const overwrite: Edit = (guest) => {
      for (let page = 0; page < half; page++) guest.storePage(0, half + page, fresh(page))
    }
    const { pages } = await move([overwrite, storeHalf((page) => before.page(0, half + page))])
    // The second half does not hold it any more; the store does.
    expect(pages!.same).toBe(0)
    expect(pages!.reference).toBeGreaterThan(half / 4)
  })

  it('are not those of pages that took the content back while they are sent', async () => {
    const guest = new ShadowGuest([randomBytes(800 * 4096, 1)])
    const before = guest.snapshot()[0]!
    const original = (page: number): Uint8Array => before.slice(page * 4096, (page + 1) * 4096)
    const edits: Edit[] = [
      storeHalf(fresh),
      () => {
        // More than a batch, so that something is sent before the others are looked at.
        for (let page = 300; page < 700; page++) guest.storePage(0, page, fresh(page))
        for (let page = 0; page < half; page++) guest.storePage(0, 760 + page, original(page))
      },
    ]
    let round = 1
    const settings: SourceSettings = {
      // No older versions: they would be found as well.
      encode: { ...parseEncode('same'), storeBytes: 0 },
      onData: ({ direction, name }) => {
        if (direction === 'read') return undefined
        if (name === 'Barrier') round++
        if (name !== 'Pages' || round !== 3) return undefined
        round += 0.5
        storeHalf(original)(guest)
        return undefined
      },
      stop: 'max-rounds=4',
    }
    const report = await moveStoring(guest, edits, settings)
    expect(report.encoding!.repairedPages).toBe(0)
    // What they take back is told in round 4 only: then it is what the others hold.
    expect(report.pages!.raw).toBeGreaterThanOrEqual(800 + half + 400 + half)
    expect(report.pages!.reference).toBe(0)
  })
})

describe('similar pages', () => {
  it('are told by what is there, never by pages that come with them', async () => {
    // Two batches: the second half is like the first, then ten pages are like each other.
    const alike: Edit = (guest) => {
      for (let page = 0; page < 660; page++) {
        const content = randomBytes(4096, page < 600 ? page % 300 : 1000 + (page % 10))
        content.set(randomBytes(8, page), (page * 61) % 4000)
        guest.storePage(0, page, content)
      }
    }
    const guest = new ShadowGuest([randomBytes(700 * 4096, 9999)])
    const { source } = await moveCounted(guest, [alike], { encode: parseEncode('mdd') })
    expect(source.encoding!.repairedPages).toBe(0)
    expect(source.encoding!.cache!.similarPages).toBeGreaterThan(100)
    expect(source.pages!.raw).toBeGreaterThanOrEqual(700 + 300 + 10)
  })
})

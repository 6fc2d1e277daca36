/**
 * Pages that the guest can do without: what is not sent, what must be sent after all, and that the
 * destination holds exactly what it should.
 */
import type { CreatePager, PageBitmap, PageClassName, PageClasses, Report } from '@godwit/core'
import { MIB, pagesCovering } from '@godwit/core'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import { GatePager } from '@godwit/memory'
import { parseEncode, parseMode, parseSelect } from '@godwit/policy'
import { randomBytes, seededRandom } from '@godwit/testkit'
import { MemoryHost } from 'godwit'
import { afterEach, describe, expect, it } from 'vitest'
import { advances, expectContinuous, expectReplayed } from './oracle.ts'
import type { Rig, SourceSettings } from './rig.ts'
import { createRig } from './rig.ts'
import { ShadowGuest, difference } from './shadow.ts'

const pageBytes = 4096
const pageCount = 64
const select = parseSelect('classes')

/** A guest whose test says what its pages are; all are anonymous at first. */
class ClassedGuest extends ShadowGuest {
  readonly is: PageClassName[]
  givenUp: number[] = []
  readonly classes: PageClasses

  constructor() {
    // The last page is short.
    super([randomBytes(pageCount * pageBytes - 100, 7)])
    this.is = Array<PageClassName>(pageCount).fill('anonymous')
    this.classes = {
      addPages: (names, _region, _pageBytes, into) => void this.#add(names, into),
      giveUp: (names, _pageBytes, [into]) => {
        if (!this.isPaused) throw new Error('only a paused guest gives pages up')
        this.givenUp = this.#add(names, into!)
      },
    }
  }

  #add(names: readonly PageClassName[], into: PageBitmap): number[] {
    const pages = [...this.is.keys()].filter((page) => names.includes(this.is[page]!))
    for (const page of pages) into.add(page)
    return pages
  }

  change(is: PageClassName, ...pages: number[]): void {
    for (const page of pages) this.is[page] = is
  }

  /** What must be at the destination. */
  get expected(): Uint8Array[] {
    const [memory] = this.snapshot()
    for (const page of this.givenUp) memory!.fill(0, page * pageBytes, (page + 1) * pageBytes)
    return [memory!]
  }
}

/** What the guest does after the acknowledgement of round n. */
type Edit = (guest: ClassedGuest) => void

async function move(
  guest: ClassedGuest,
  edits: readonly Edit[],
  settings: SourceSettings = {},
): Promise<Report> {
  const arrival = new Uint8Array(guest.regions[0]!.bytes.length).fill(0xee)
  const createPager: CreatePager = (regions) =>
    new GatePager(regions.map(({ bytes }) => pagesCovering(bytes.length, pageBytes)))
  const rig = await createRig(new MemoryHost({ memory: arrival }, MIB, createPager))
  let round = 0
  const migration = await rig.source(guest, {
    select,
    stop: `max-rounds=${Math.max(1, edits.length)}`,
    ...settings,
    onControl: ({ direction, name }) => {
      if (direction === 'written' || name !== 'RoundAck' || guest.isPaused) return undefined
      edits[round++]?.(guest)
      return undefined
    },
  })
  const report = await migration.run()
  expect(report.error).toBeUndefined()
  expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
  expect(difference([arrival], guest.expected)).toBeUndefined()
  expect(report.droppedPages).toBe(guest.givenUp.length)
  return report
}

const store = (guest: ClassedGuest, page: number): void => {
  guest.store(0, page * pageBytes, randomBytes(16, page))
}

describe('pages of classes that are dropped', () => {
  it('are not sent: the destination has zero bytes', async () => {
    const guest = new ClassedGuest()
    guest.change('free', 3, 4, 63)
    guest.change('cache', 10)
    guest.change('kernel', 11)
    guest.change('inode', 12)
    const report = await move(guest, [])
    expect(report.pages).toMatchObject({ raw: 60, zero: 4 })
    expect(report.rounds.map(({ pages }) => pages)).toEqual([64, 0])
    expect(guest.givenUp).toEqual([3, 4, 10, 63])
    expect(report.policies).toMatchObject({ select: 'classes,drop=free+cache' })
  })

  it('are those that were asked for', async () => {
    const guest = new ClassedGuest()
    guest.change('free', 3)
    guest.change('cache', 10)
    const report = await move(guest, [], { select: parseSelect('classes,drop=free') })
    expect([report.pages!.raw, guest.givenUp]).toEqual([63, [3]])
  })

  it('are sent in the pause where they are none any more, though not stored to', async () => {
    const guest = new ClassedGuest()
    guest.change('cache', 3, 4)
    const pin: Edit = () => guest.change('anonymous', 3)
    const report = await move(guest, [pin])
    expect(report.rounds.map(({ pages }) => pages)).toEqual([64, 1])
    expect([report.pages!.raw, guest.givenUp]).toEqual([63, [4]])
  })

  it('are sent in the next round where they are none any more, and stored to', async () => {
    const guest = new ClassedGuest()
    guest.change('free', 3, 4)
    const use: Edit = () => {
      guest.change('anonymous', 3)
      store(guest, 3)
    }
    const report = await move(guest, [use, () => {}])
    expect(report.rounds.map(({ pages }) => pages)).toEqual([64, 1, 0])
  })

  it('are zero at the destination although their content was sent', async () => {
    const guest = new ClassedGuest()
    const free: Edit = () => guest.change('free', 5, 6)
    const report = await move(guest, [free])
    expect(report.rounds.map(({ pages }) => pages)).toEqual([64, 2])
    expect(report.pages).toMatchObject({ raw: 64, zero: 2 })
  })

  it('are not sent however often they are stored to', async () => {
    const guest = new ClassedGuest()
    guest.change('cache', 5, 6)
    const fill: Edit = () => {
      store(guest, 5)
      store(guest, 7)
    }
    const report = await move(guest, [fill, fill, fill])
    expect(report.rounds.map(({ pages }) => pages)).toEqual([64, 1, 1, 1])
    expect(report.rounds.map(({ dirtyPages }) => dirtyPages)).toEqual([1, 1, 1, undefined])
  })

  it('are told to be zero once where they become free after they were sent', async () => {
    const guest = new ClassedGuest()
    const evict: Edit = () => {
      guest.change('cache', 5)
      store(guest, 5)
    }
    const fill: Edit = () => store(guest, 5)
    const report = await move(guest, [evict, fill, fill])
    expect(report.rounds.map(({ pages }) => pages)).toEqual([64, 1, 0, 0])
    expect(report.pages).toMatchObject({ raw: 64, zero: 1 })
  })

  it('are zero in post-copy where they are free again after they were announced', async () => {
    const guest = new ClassedGuest()
    guest.change('free', 5)
    const pause = guest.pause.bind(guest)
    guest.pause = () => {
      guest.change('free', 5)
      return pause()
    }
    const use: Edit = () => {
      guest.change('anonymous', 5)
      store(guest, 5)
    }
    const report = await move(guest, [use], {
      ...parseMode('hybrid,rounds=1'),
      stop: 'few-dirty=1',
    })
    expect(report.rounds.map(({ pages }) => pages)).toEqual([64, 1])
    expect(guest.givenUp).toEqual([5])
  })

  it('make the pause of stop-copy short, too', async () => {
    const guest = new ClassedGuest()
    guest.change('free', ...Array.from({ length: 50 }, (_, page) => page))
    const report = await move(guest, [], { mode: 'stop-copy', tracker: 'scan' })
    expect(report.pages).toMatchObject({ raw: 14, zero: 50 })
    expect(report.policies).toEqual({ select: 'classes,drop=free+cache' })
  })

  it.each([
    [1, 'barrier', 'none', 1, 'pre-copy'],
    [2, 'scan', 'none', 1, 'pre-copy'],
    [3, 'barrier', 'same,delta,zstd', 2, 'pre-copy'],
    [4, 'barrier', 'auto', 1, 'pre-copy'],
    [5, 'scan', 'mdd,lz4', 3, 'pre-copy'],
    [6, 'barrier', 'none', 2, 'hybrid,rounds=5'],
    [7, 'barrier', 'delta', 1, 'hybrid,rounds=5'],
    [8, 'scan', 'same,delta', 1, 'hybrid,rounds=5'],
  ] as const)('whatever becomes of them: %i, %s, %s, %i, %s', async (...settings) => {
    const [seed, tracker, encode, lanes, mode] = settings
    const next = seededRandom(seed)
    const guest = new ClassedGuest()
    const names = ['anonymous', 'anonymous', 'kernel', 'cache', 'free'] as const
    const edit: Edit = () => {
      for (let i = 0; i < 20; i++) guest.change(names[next(5)]!, next(pageCount))
      for (let i = 0; i < 20; i++) store(guest, next(pageCount))
      for (let i = 0; i < 3; i++) guest.storePage(0, next(pageCount - 1), new Uint8Array(pageBytes))
    }
    edit(guest)
    const all = { tracker, encode: parseEncode(encode), lanes, ...parseMode(mode) }
    const stop = 'max-rounds=9'
    const report = await move(guest, Array<Edit>(5).fill(edit), { ...all, stop })
    expect(report.rounds.length).toBeGreaterThanOrEqual(6)
    expect(guest.givenUp.length).toBeGreaterThan(0)
  })

  it('are refused where nobody tells them, or every page is to be sent as it is', async () => {
    const rig = await createRig(new MemoryHost({ memory: new Uint8Array(pageBytes) }, MIB))
    const plain = rig.source(new ShadowGuest([new Uint8Array(pageBytes)]), { select })
    await expect(plain).rejects.toMatchObject({
      code: 'USAGE',
      message: 'select: classes: a memory guest does not tell classes of pages',
    })
    const raw = rig.source(new ClassedGuest(), { select, encode: parseEncode('raw') })
    await expect(raw).rejects.toMatchObject({ code: 'USAGE' })
  })
})

describe('a service with a page cache', () => {
  const memoryBytes = 4 * MIB + 5000
  let guest: WorkloadGuest | undefined
  let rig: Rig | undefined
  afterEach(async () => {
    await guest?.stop()
    await rig?.agent.abandon()
    for (const session of rig?.sessions ?? []) await session.guest?.discard()
  })

  async function start(size: number): Promise<WorkloadGuest> {
    const { identity } = parseGuest(`cache,wss=${MIB},rate=20000`, memoryBytes)
    const options = { regionBytesMax: 3 * MIB, pageBytes: size }
    guest = await WorkloadGuest.start(identity, memoryBytes, options)
    rig = await createRig(new WorkloadHost())
    await advances(guest, 2000)
    return guest
  }

  it.each([
    ['pre-copy', {}],
    ['pre-copy', { select: parseSelect('classes,drop=cache'), pageBytes: 8192 }],
    ['pre-copy', { encode: parseEncode('same,delta,zstd'), lanes: 2, stop: 'max-rounds=5' }],
    ['pre-copy', { tracker: 'scan', stop: 'max-rounds=3' }],
    ['stop-copy', {}],
    ['post-copy', {}],
    ['post-copy', { encode: parseEncode('auto'), lanes: 2 }],
    ['hybrid,rounds=2', {}],
    ['hybrid,working-set=30ms', { encode: parseEncode('delta') }],
  ] as const)('goes on as if it had stayed and given up the same: %s, %j', async (mode, more) => {
    const all: SourceSettings = more
    const one = await start(all.pageBytes ?? pageBytes)
    const settings = { select, ...parseMode(mode), stop: 'max-rounds=3', ...more }
    const report = await (await rig!.source(one, settings)).run()
    expect(report.error).toBeUndefined()
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(report.droppedPages).toBeGreaterThan(40)
    const isWhole = mode === 'pre-copy'
    expect(report.rounds.length).toBeGreaterThanOrEqual(isWhole ? 3 : 1)
    await rig!.idle()
    const arrived = rig!.sessions[0]!.guest as IncomingWorkload
    await expectContinuous(arrived, one.identity, one.steps())
  })

  it('goes on here without them, when the migration came to nothing after all', async () => {
    const one = await start(pageBytes)
    const migration = await rig!.source(one, {
      select,
      onControl: ({ direction, name }) => {
        if (direction === 'written' && name === 'State') migration.cancel()
        return undefined
      },
    })
    const steps = one.steps()
    expect(await migration.run()).toMatchObject({ outcome: 'cancelled' })
    await advances(one)
    // And once more, whole, from there.
    const second = await (await rig!.source(one, { select, stop: 'max-rounds=2' })).run()
    expect(second).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    await rig!.idle()
    const arrived = rig!.sessions[1]!.guest as IncomingWorkload
    expect(one.steps()).toBeGreaterThan(steps)
    await expectContinuous(arrived, one.identity, one.steps())
  })

  it('is as if nothing had happened but that, where it stayed', async () => {
    const one = await start(pageBytes)
    const migration = await rig!.source(one, {
      select,
      mode: 'stop-copy',
      onControl: ({ direction, name }) => {
        if (direction === 'written' && name === 'State') migration.cancel()
        return undefined
      },
    })
    const steps = one.steps()
    expect(await migration.run()).toMatchObject({ outcome: 'cancelled' })
    await expectReplayed(one, steps)
  })
})

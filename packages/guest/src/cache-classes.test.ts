import { PAGE_CLASSES, PageBitmap } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import { CacheClasses, dropAgain, dropsOf } from './cache-classes.ts'
import { allocateControlBlock, allRegisters, seedRegisters, STEPS } from './control-block.ts'
import { completeGuest } from './guest-spec.ts'
import { fillMemory } from './initial-memory.ts'
import { cacheLayoutOf, stateOfTag } from './page-cache.ts'
import { createWorkload } from './workload.ts'

const work = 4096
const sizes = [3 * work, 40 * work + 5]
const identity = completeGuest(
  { kind: 'cache', options: { wss: 30 * work, content: '0/0/0/100' } },
  sizes,
)

/** A guest of 28 slots, from page 12 of its second region on, whose steps are asked for. */
function createGuest() {
  const regions = sizes.map((size) => new Uint8Array(size))
  const maps = [new Uint8Array(3), new Uint8Array(41)]
  const [registers] = allRegisters(allocateControlBlock(1))
  seedRegisters(registers!, 1, 0)
  const memory = { regions, maps, pageBytes: work }
  fillMemory(identity, { regions })
  const workload = createWorkload(identity, 0, memory, registers!)
  const classes = new CacheClasses(identity, memory, () => registers!.counts[STEPS]!)
  const tags = new Int32Array(regions[1]!.buffer, 11 * work, 28)
  const pagesOf = (name: (typeof PAGE_CLASSES)[number], pageBytes = work): number[] => {
    const into = new PageBitmap(Math.ceil(sizes[1]! / pageBytes))
    classes.addPages([name], 1, pageBytes, into)
    return [...Array(into.pageCount).keys()].filter((page) => into.has(page))
  }
  return { regions, maps, memory, registers: registers!, workload, classes, tags, pagesOf }
}

function range(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, i) => first + i)
}

describe('classes of a page cache', () => {
  it('has log, tags and slots in its working set', () => {
    const layout = { logPage: 10, tagPage: 11, slotPage: 12, slotCount: 28 }
    expect(cacheLayoutOf(identity, sizes)).toEqual(layout)
    // 1025 pages of slots take two pages of tags.
    const large = { ...identity, options: { ...identity.options, wss: 1028 * work } }
    const { tagPage, slotPage, slotCount } = cacheLayoutOf(large, [1028 * work])
    expect([tagPage, slotPage, slotCount]).toEqual([1, 3, 1025])
  })

  it('begins with slots that are free, and hold what they hold', () => {
    const { pagesOf, regions } = createGuest()
    expect(pagesOf('free')).toEqual(range(12, 40))
    expect(pagesOf('kernel')).toEqual([10, 11])
    expect(pagesOf('anonymous')).toEqual([...range(0, 10), 40])
    expect(regions[1]!.subarray(20 * work, 21 * work).some((byte) => byte !== 0)).toBe(true)
  })

  it('says of every page one thing, by its tag', () => {
    const { pagesOf, tags, workload } = createGuest()
    workload.step(300)
    const states = [...tags].map((tag) => stateOfTag(tag))
    expect(new Set(states).size).toBe(3)
    const ofState = (state: string): number[] =>
      range(12, 40).filter((page) => states[page - 12] === state)
    expect(pagesOf('free')).toEqual(ofState('free'))
    expect(pagesOf('cache')).toEqual(ofState('cached'))
    expect(pagesOf('anonymous')).toEqual([...range(0, 10), ...ofState('pinned'), 40])
    const all = PAGE_CLASSES.flatMap((name) => pagesOf(name))
    expect(all.toSorted((a, b) => a - b)).toEqual(range(0, 41))
  })

  it('says of a larger page what holds for all of it', () => {
    const { pagesOf, tags } = createGuest()
    // Pages of four: log and tags are in 2, slots in 3 to 9, and in 10 five bytes that are not.
    tags.fill(0)
    expect(pagesOf('free', 4 * work)).toEqual(range(3, 10))
    tags[1] = 7
    tags[4] = -1
    tags.fill(9, 8, 12)
    expect(pagesOf('cache', 4 * work)).toEqual([3, 5])
    expect(pagesOf('free', 4 * work)).toEqual(range(6, 10))
    expect(pagesOf('kernel', 4 * work)).toEqual([2])
    expect(pagesOf('anonymous', 4 * work)).toEqual([0, 1, 4, 10])
  })

  it.each([
    [['free', 'cache'], 1],
    [['free'], 1],
    [['cache'], 1],
    [['free', 'cache'], 4],
  ] as const)('gives up %j, pages of %i at a time, and marks what it stores', (names, perPage) => {
    const { classes, maps, pagesOf, regions, tags, workload } = createGuest()
    workload.step(60)
    const expected = names.flatMap((name) => pagesOf(name, perPage * work))
    const pinned = [...tags].filter((tag) => stateOfTag(tag) === 'pinned').length
    for (const map of maps) map.fill(0)
    const before = regions[1]!.slice()
    const into = sizes.map((size) => new PageBitmap(Math.ceil(size / work / perPage)))
    classes.giveUp(names, perPage * work, into)
    const given = range(0, into[1]!.pageCount).filter((page) => into[1]!.has(page))
    expect([into[0]!.size, given]).toEqual([0, expected.toSorted((a, b) => a - b)])
    expect(given.length).toBeGreaterThan(0)
    const slots = given.flatMap((page) => range(page * perPage - 12, (page + 1) * perPage - 12))
    expect(slots.filter((slot) => tags[slot] !== 0)).toEqual([])
    expect([...tags].filter((tag) => stateOfTag(tag) === 'pinned')).toHaveLength(pinned)
    const changed = range(0, 41).filter((page) => {
      const [at, end] = [page * work, (page + 1) * work]
      return Buffer.compare(before.subarray(at, end), regions[1]!.subarray(at, end)) !== 0
    })
    expect(changed.filter((page) => maps[1]![page] !== 1)).toEqual([])
  })

  it('goes on after it, and a run that never moved ends like that', () => {
    const moved = createGuest()
    const stayed = createGuest()
    for (const steps of [100, 0, 250]) {
      moved.workload.step(steps + 1)
      const into = sizes.map((size) => new PageBitmap(Math.ceil(size / work)))
      moved.classes.giveUp(['free', 'cache'], work, into)
      // As it arrives: what was given up is zero.
      for (const page of range(0, 41).filter((one) => into[1]!.has(one))) {
        moved.regions[1]!.fill(0, page * work, (page + 1) * work)
      }
    }
    moved.workload.step(77)
    const drops = dropsOf(identity, moved.regions)
    expect(drops.map(({ steps }) => steps)).toEqual([101, 102, 353])
    let done = 0
    for (const drop of drops) {
      stayed.workload.step(drop.steps - done)
      dropAgain(identity, stayed.memory, drop)
      done = drop.steps
    }
    stayed.workload.step(77)
    expect(Buffer.compare(stayed.regions[1]!, moved.regions[1]!)).toBe(0)
    expect(stayed.registers.lanes).toEqual(moved.registers.lanes)
    // And what it computes is what a guest computes that lost nothing.
    const whole = createGuest()
    whole.workload.step(430)
    expect(whole.registers).toEqual(moved.registers)
  })

  it('gives up nothing any more when its log is full', () => {
    const { classes, regions } = createGuest()
    const sizeAfter = (): number => {
      const into = sizes.map((size) => new PageBitmap(Math.ceil(size / work)))
      classes.giveUp(['free'], work, into)
      return into[1]!.size
    }
    const given = Array.from({ length: 257 }, sizeAfter)
    expect(given.slice(0, 255)).toEqual(Array(255).fill(28))
    expect(given.slice(255)).toEqual([0, 0])
    expect(dropsOf(identity, regions)).toHaveLength(255)
    expect(dropsOf({ kind: 'idle', options: {} }, regions)).toEqual([])
  })
})

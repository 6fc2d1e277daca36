/**
 * Who the guest is, its memory, and whether it stops and goes on.
 *
 * @module
 */
import assert from 'node:assert/strict'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import {
  NAME_CHARS_MAX,
  OPTIONS_MAX,
  OPTION_CHARS_MAX,
  REGIONS_MAX,
  REGION_BYTES_MAX,
} from '@godwit/wire'
import type { Guest, GuestStop } from '@godwit/core'
import { PAGE_CLASSES, PageBitmap, pagesCovering } from '@godwit/core'
import type { Stand, Trial } from './stand.ts'
import { assertDisjoint, collectAll } from './stand.ts'

const pauses = 12

export const guestTrials: readonly Trial[] = [
  {
    name: 'identity/plain',
    promise: 'The identity is plain data within the limits of the wire, and always the same.',
    async play(stand) {
      const { guest } = await stand.start()
      const { kind, options } = guest.identity
      assert.deepEqual(JSON.parse(JSON.stringify(guest.identity)), { kind, options })
      checkName(kind, 'kind')
      const entries = Object.entries(options)
      assert.ok(entries.length <= OPTIONS_MAX, `${entries.length} options`)
      for (const [name, value] of entries) {
        checkName(name, 'option')
        if (typeof value === 'string') {
          assert.ok(value.length <= OPTION_CHARS_MAX, `option ${name}: ${value.length} characters`)
        } else assert.ok(Number.isFinite(value), `option ${name} is ${value}`)
      }
      await stand.within(guest.pause(), 'pause()')
      assert.deepEqual(guest.identity, { kind, options }, 'it changed in a pause')
    },
  },
  {
    name: 'regions/shape',
    promise: 'Regions have ids of their own, legal sizes, and share no byte; they never change.',
    async play(stand) {
      const { guest } = await stand.start()
      const { regions } = guest
      const now = regions.map(({ id, name, bytes }) => ({ id, name, bytes, length: bytes.length }))
      assert.ok(now.length >= 1 && now.length <= REGIONS_MAX, `${now.length} regions`)
      assert.equal(new Set(now.map(({ id }) => id)).size, now.length, 'two have the same id')
      for (const { id, name, length } of now) {
        assert.ok(Number.isInteger(id) && id >= 0 && id <= 0xffff, `id ${id}`)
        checkName(name, 'region')
        assert.ok(length >= 1 && length <= REGION_BYTES_MAX, `region ${id} has ${length} bytes`)
      }
      assertDisjoint(regions)
      await stand.within(guest.pause(), 'pause()')
      const later = guest.regions.map(({ id, name, bytes }) => ({ id, name, length: bytes.length }))
      assert.deepEqual(
        later,
        now.map(({ id, name, length }) => ({ id, name, length })),
        'they changed',
      )
      for (const [index, { bytes }] of guest.regions.entries()) {
        const before = now[index]!.bytes
        const isSame = bytes.buffer === before.buffer && bytes.byteOffset === before.byteOffset
        assert.ok(isSame, `region ${index} is other memory than before`)
      }
    },
  },
  {
    name: 'steps/grow',
    promise: 'Steps are whole numbers that never fall, and stand while the guest does.',
    async play(stand) {
      const { guest } = await stand.start()
      if (guest.steps === undefined) return 'it does not count steps'
      let last = 0
      for (let pause = 0; pause < pauses; pause++) {
        for (let look = 0; look < 50; look++) last = checkSteps(guest.steps(), last)
        await stand.within(guest.pause(), 'pause()')
        last = checkSteps(guest.steps(), last)
        await sleep(2)
        assert.equal(guest.steps(), last, 'steps grow in a pause')
        await guest.resume()
      }
      await stand.goesOn(() => guest.steps!(), 'steps do not grow')
      return undefined
    },
  },
  {
    name: 'pause/stops-stores',
    promise: 'From the moment when pause() resolves nobody stores to memory.',
    async play(stand) {
      const { guest, progress } = await stand.start()
      // At many moments of what it does.
      for (let pause = 0; pause < pauses; pause++) {
        await stand.within(guest.pause(), 'pause()')
        for (const tracker of guest.trackers ?? []) tracker.reset()
        await stand.stands(guest.regions, progress, 'paused')
        await guest.resume()
        await stand.goesOn(progress, 'it does not go on after resume()')
      }
    },
  },
  {
    name: 'pause/resume',
    promise: 'After resume() the guest computes and stores again.',
    async play(stand) {
      const { guest, progress } = await stand.startPaused()
      const { isReadOnly = false } = stand.adapter
      const memory = guest.regions.map(({ bytes }) => Uint8Array.from(bytes))
      await guest.resume()
      await stand.goesOn(progress, 'it does not go on after resume()')
      // The stores of one that stops by itself are here when it stands.
      if (guest.nextRound !== undefined) await stand.within(guest.pause(), 'pause()')
      const stored = (): number => stand.differences(guest.regions, memory).flat().length
      if (!isReadOnly) await stand.goesOn(stored, 'it stores nothing after resume()', 0)
    },
  },
  {
    name: 'pause/twice',
    promise: 'A second pause() resolves, too, once the guest stands; one resume() undoes both.',
    async play(stand) {
      const { guest, progress } = await stand.start()
      await stand.within(Promise.all([guest.pause(), guest.pause()]), 'pause(), twice')
      await stand.stands(guest.regions, progress, 'paused twice at once')
      await stand.within(guest.pause(), 'pause() of a guest that is paused')
      await stand.stands(guest.regions, progress, 'paused again')
      await guest.resume()
      await stand.goesOn(progress, 'one resume() does not undo them')
    },
  },
  {
    name: 'pause/resume-alone',
    promise: 'resume() without pause() changes nothing: the guest runs, and can be paused.',
    async play(stand) {
      const { guest, progress } = await stand.start()
      await guest.resume()
      await guest.resume()
      // What it does wrong now may come a moment later.
      await sleep(30)
      await stand.goesOn(progress, 'it stops')
      await stand.within(guest.pause(), 'pause()')
      await stand.stands(guest.regions, progress, 'paused')
      await guest.resume()
      await stand.goesOn(progress, 'it does not go on after resume()')
    },
  },
  {
    name: 'stop/by-itself',
    promise:
      'nextRound() tells at last that the guest stands, and nextPages() how many pages may wait; ' +
      'one resume() lets it go on.',
    async play(stand) {
      const { guest, progress } = await stand.start()
      if (guest.nextRound === undefined) return 'it does not stop by itself'
      for (const tracker of guest.trackers ?? []) tracker.reset()
      const { stoodMs, numbers } = await stand.within(standing(stand, guest), 'nextRound()')
      assert.ok(Number.isFinite(stoodMs) && stoodMs >= 0, `it stood for ${stoodMs} ms`)
      const areNumbers = Object.values(numbers).every((value) => Number.isFinite(value))
      assert.ok(areNumbers, `what it went by: ${JSON.stringify(numbers)}`)
      await stand.stands(guest.regions, progress, 'stopped by itself')
      await guest.resume()
      await stand.goesOn(progress, 'it does not go on after resume()')
      return undefined
    },
  },
  {
    name: 'classes/pages',
    promise: 'Pages of classes are pages of the region; who asks for no class gets none.',
    async play(stand) {
      const { guest } = await stand.startPaused()
      const { classes } = guest
      if (classes === undefined) return 'it tells no classes'
      for (const [index, { bytes }] of guest.regions.entries()) {
        const whole = Math.floor(bytes.length / stand.pageBytes)
        const pageCount = pagesCovering(bytes.length, stand.pageBytes)
        // Room for some that there are not.
        const pages = new PageBitmap(pageCount, new Uint32Array((pageCount >> 5) + 2))
        classes.addPages([], index, stand.pageBytes, pages)
        assert.equal(pages.size, 0, 'pages of no class')
        classes.addPages(PAGE_CLASSES, index, stand.pageBytes, pages)
        const last = pages.lastSet(pages.words.length * 32)
        assert.ok(last < whole, `region ${index} has ${whole} whole pages, ${last} is told`)
      }
      return undefined
    },
  },
]

/** Rounds as the engine has them, but that nothing is sent; how the guest stopped. */
async function standing(stand: Stand, guest: Guest): Promise<GuestStop> {
  let isOver = false
  stand.onEnd(() => void (isOver = true))
  while (!isOver) {
    collectAll(stand, guest)
    const most = await guest.nextPages?.()
    assert.ok(most === undefined || (most >= 0 && most < Infinity), `${most} pages may wait`)
    collectAll(stand, guest)
    const stop = await guest.nextRound!()
    if (stop !== undefined) return stop
    await setImmediate()
  }
  return assert.fail('nextRound() never tells that it stands')
}

function checkName(text: string, what: string): void {
  assert.ok(text.length >= 1 && text.length <= NAME_CHARS_MAX, `${what} "${text}": its length`)
}

function checkSteps(steps: number, before: number): number {
  assert.ok(Number.isSafeInteger(steps), `${steps} steps`)
  assert.ok(steps >= before, `${steps} steps after ${before}`)
  return steps
}

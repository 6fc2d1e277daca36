/**
 * A VM in which memcached serves clients, moved while they store: what was acknowledged is there.
 */
import { parseQemuHost, QemuFileGuest, QemuHost, QemuStreamGuest } from '@godwit/qemu'
import { receive, send } from 'godwit'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../end-to-end/free-port.ts'
import { closeClients, type TextClient } from '../end-to-end/memcached-client.ts'
import { isLong } from '../end-to-end/variants.ts'
import { cardAt, clientOf, clockOf, memcachedVm, needsMemcached } from './memcached-vm.ts'
import { complaints, consoleLine, isImpossible, isMust, lastTick, needs, Vm, Yard } from './vm.ts'

const longMs = 240_000
const keyCount = 5000
/** Asked for at a time. */
const atOnce = 250
/** A machine that does much else may have its VM wait for its turn. */
const clockToleranceS = 5

/** The second one in long runs only. */
const ways = [
  ['in a file', 'file'],
  ['by its stream', 'stream'],
] as const

const keyOf = (i: number): string => `key:${i}`
const valueOf = (i: number): string => `value ${i} `.repeat(1 + ((i * 37) % 90))

async function storeAll(client: TextClient): Promise<void> {
  for (let first = 0; first < keyCount; first += atOnce) {
    const sets = Array.from({ length: atOnce }, (_, i) => {
      const value = valueOf(first + i)
      return `set ${keyOf(first + i)} 0 0 ${value.length}\r\n${value}\r\n`
    })
    await client.ask(sets.join(''), 'STORED\r\n'.repeat(atOnce))
  }
}

/** Numbers of keys whose values are others. */
async function wrongKeys(client: TextClient): Promise<readonly number[]> {
  const wrong: number[] = []
  for (let first = 0; first < keyCount; first += atOnce) {
    const numbers = Array.from({ length: atOnce }, (_, i) => first + i)
    const values = await client.get(numbers.map(keyOf))
    wrong.push(...numbers.filter((i, index) => values[index] !== valueOf(i)))
  }
  return wrong
}

/** A client that counts in one key until the service stands; as far as it was acknowledged. */
class Counting {
  stored = 0
  readonly ended: Promise<void>

  constructor(client: TextClient) {
    this.ended = this.#count(client).catch(() => {})
  }

  async #count(client: TextClient): Promise<void> {
    for (;;) {
      const said = await client.set('count', String(this.stored + 1))
      if (said !== 'STORED\r\n') throw new Error(said)
      this.stored++
    }
  }
}

describe.skipIf(isImpossible || (needsMemcached !== '' && !isMust))(
  `memcached in a VM${needs}${needsMemcached}`,
  () => {
    let yard: Yard
    const ends: (() => unknown)[] = []

    beforeAll(() => {
      yard = new Yard('ram', { boot: memcachedVm, memoryBytes: 224 * 2 ** 20 })
    })
    afterEach(async () => {
      closeClients()
      for (const end of ends.splice(0).toReversed()) await end()
    })
    afterAll(() => yard.remove())

    /** A destination whose VM's service is at `port`. */
    async function listen(log: string, port: number): Promise<string> {
      const config = yard.config(log, (command) => [...command, ...cardAt(port)])
      const place = parseQemuHost(`qemu,config=${config},ram=${yard.folder}`)
      const host = new QemuHost({ place, onReserved: (guest) => ends.push(() => guest.discard()) })
      const receiver = await receive(host, { listen: '127.0.0.1:0' })
      ends.push(() => receiver.close())
      return receiver.address
    }

    it.each(isLong ? ways : ways.slice(0, 1))(
      'moves with its keys, and its clock goes on: RAM %s',
      async (_, attach) => {
        const [before, after] = [await freePort(), await freePort()]
        const vm = await Vm.boot(yard, attach, { more: cardAt(before) })
        ends.push(() => vm.kill())
        const client = await clientOf(before)
        await storeAll(client)
        const then = { ...(await clockOf(client)), nowS: Date.now() / 1e3 }
        const log = yard.path(`moved-${attach}.log`)
        const to = await listen(log, after)
        const counting = new Counting(await clientOf(before))

        const place = { qmp: vm.qmpPath, ram: vm.ramPath, keeps: true }
        const guest = await (attach === 'file' ? QemuFileGuest : QemuStreamGuest).attach(place)
        const stored = counting.stored
        const report = await send(guest, { to })
        expect(report.error).toBeUndefined()
        expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
        await guest.stop()
        closeClients()
        await counting.ended

        const moved = await clientOf(after)
        expect(counting.stored).toBeGreaterThan(stored)
        const [count] = await moved.get(['count'])
        // The last one may have been stored, and not acknowledged any more.
        expect([counting.stored, counting.stored + 1]).toContain(Number(count))
        expect(await wrongKeys(moved)).toEqual([])
        expect(await moved.set('new', 'here')).toBe('STORED\r\n')
        const now = { ...(await clockOf(moved)), nowS: Date.now() / 1e3 }
        for (const clock of ['uptime', 'time'] as const) {
          const apart = now[clock] - then[clock] - (now.nowS - then.nowS)
          expect(Math.abs(apart)).toBeLessThan(clockToleranceS)
        }
        await consoleLine(log, new RegExp(`^TICK ${lastTick(vm.log) + 10} `, 'm'))
        expect(complaints([vm.log, log])).toEqual([])
      },
      longMs,
    )
  },
)

/**
 * A VM that nobody prepared, moved by way of QEMU's own migration stream while it counts.
 */
import { readFileSync } from 'node:fs'
import type { GuestOffer, Report, ZeroMemory } from '@godwit/core'
import { type IncomingQemu, parseQemuHost, QemuHost, QemuStreamGuest } from '@godwit/qemu'
import { createMigration, type Receiver, receive, send, type SendOptions } from 'godwit'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  endProcesses,
  freshPath,
  type GodwitProcess,
  readReport,
  runGodwit,
  startGodwit,
} from '../end-to-end/process.ts'
import { isLong } from '../end-to-end/variants.ts'
import {
  complaints,
  consoleLine,
  countsOn,
  isImpossible,
  lastTick,
  MEMORY_BYTES,
  needs,
  RNG_DEVICE,
  Vm,
  Yard,
} from './vm.ts'

const longMs = 180_000
/** The first of them always, all of them in long runs. */
const ways = [
  ['lanes-and-auto', { lanes: 2, encode: 'auto' }, 'guest'],
  ['as-it-is', {}, 'guest'],
  ['stopped-first', { mode: 'stop-copy' }, 'mode'],
] as const
let yard: Yard
let vm: Vm | undefined
const receivers: Receiver[] = []
const arrived: IncomingQemu[] = []

beforeAll(() => {
  // What QEMU calls the RAM of a PC that was given none.
  if (!isImpossible) yard = new Yard('pc.ram')
})
afterEach(async () => {
  for (const guest of arrived.splice(0)) await guest.discard()
  for (const receiver of receivers.splice(0)) await receiver.close()
  await vm?.kill()
  vm = undefined
  await endProcesses()
})
afterAll(() => {
  if (!isImpossible) yard.remove()
})

/** Of a command. */
function withoutRng(command: string[]): string[] {
  return command.filter((part) => !RNG_DEVICE.includes(part))
}

/** Looks at a VM's memory when all of it is there, right before it runs. */
class WatchingHost extends QemuHost {
  memory: Uint8Array | undefined

  override async reserve(offer: GuestOffer, zero: ZeroMemory): Promise<IncomingQemu> {
    const guest = await super.reserve(offer, zero)
    const run = guest.run.bind(guest)
    guest.run = () => {
      this.memory = guest.regions.find(({ name }) => name === 'pc.ram')!.bytes.slice()
      return run()
    }
    return guest
  }
}

async function listen(config: string): Promise<{ host: WatchingHost; to: string }> {
  const place = parseQemuHost(`qemu,config=${config},ram=${yard.folder}`)
  const host = new WatchingHost({ place, onReserved: (guest) => void arrived.push(guest) })
  const receiver = await receive(host, { listen: '127.0.0.1:0' })
  receivers.push(receiver)
  return { host, to: receiver.address }
}

/** Waits until a VM counts on in another place; it has said nothing wrong in either. */
async function wrongAfter(from: string, to: string): Promise<readonly string[]> {
  await consoleLine(to, new RegExp(`^TICK ${lastTick(from) + 30} `, 'm'))
  return complaints([from, to])
}

/** A migration that is to come to nothing. */
async function stays(guest: QemuStreamGuest, options: SendOptions): Promise<Report> {
  const report = await send(guest, options)
  await countsOn(vm!.log)
  return report
}

describe.skipIf(isImpossible)(`a VM that nobody prepared${needs}`, () => {
  it.each(isLong ? ways : ways.slice(0, 1))(
    'goes on where it was, with all of its memory: %s',
    async (name, options, rule) => {
      // In a file only so that it can be looked at when QEMU has let go of it.
      vm = await Vm.boot(yard, name)
      const log = yard.path(`moved-${name}.log`)
      const { host, to } = await listen(yard.config(log))
      const guest = await QemuStreamGuest.attach({ qmp: vm.qmpPath, keeps: true })
      const report = await send(guest, { to, ...options })
      expect(report.error).toBeUndefined()
      expect(report).toMatchObject({ stop: { rule }, memory: { equal: true } })
      expect(host.memory!.length).toBe(MEMORY_BYTES)
      expect(Buffer.compare(host.memory!, readFileSync(vm.ramPath))).toBe(0)
      await guest.stop()
      expect(await vm.status()).toBe('postmigrate')
      expect(await wrongAfter(vm.log, log)).toEqual([])
    },
    longMs,
  )

  it(
    'moves from command to command, and on from there by its file',
    async () => {
      vm = await Vm.boot(yard, 'commands', { isPlain: true })
      const logs = ['there.log', 'further.log'].map((name) => yard.path(name))
      const receiveIn = (log: string, ...rest: readonly string[]): GodwitProcess => {
        const guest = `qemu,config=${yard.config(log)},ram=${yard.folder}`
        return startGodwit('receive', '--listen', '127.0.0.1:0', '--guest', guest, ...rest)
      }
      const first = receiveIn(logs[0]!)
      const [, to] = await first.line(/^listening (.+)$/)
      const [json, further] = [freshPath('report.json'), freshPath('further.json')]
      const guest = `qemu,attach=stream,qmp=${vm.qmpPath},downtime=100ms`
      const source = await runGodwit('send', guest, '--to', to!, '--json', json)
      expect(source).toMatchObject({ code: 0 })
      const memory = { equal: true }
      expect(readReport(json)).toMatchObject({ stop: { rule: 'guest' }, memory })
      expect(readReport(json).policies).toMatchObject({ stop: 'guest' })
      await vm.ended()
      expect(await wrongAfter(vm.log, logs[0]!)).toEqual([])

      const [, onward] = await first.line(/to move on from here: (qemu,qmp=\S+,ram=\S+)$/)
      const second = receiveIn(logs[1]!, '--once', '--run-for', '8s')
      const [, next] = await second.line(/^listening (.+)$/)
      const again = await runGodwit('send', onward!, '--to', next!, '--json', further)
      expect(again).toMatchObject({ code: 0 })
      expect(readReport(further)).toMatchObject({ tracker: 'scan', memory })
      first.signal('SIGINT')
      expect(await first.ended).toMatchObject({ code: 0 })
      // The VM there ends with its time; it would outlive an agent that is ended before.
      expect(await second.ended).toMatchObject({ code: 0 })
      expect(lastTick(logs[1]!)).toBeGreaterThan(lastTick(logs[0]!))
      expect(complaints([vm.log, ...logs])).toEqual([])
    },
    longMs,
  )
})

describe.skipIf(isImpossible)(`a VM that nobody prepared stays${needs}`, () => {
  it(
    'where the RAM has another name, and moves to where it has not',
    async () => {
      vm = await Vm.boot(yard, 'refused', { isPlain: true })
      const guest = await QemuStreamGuest.attach({ qmp: vm.qmpPath, keeps: false })
      const other = new Yard('ram')
      const { to: wrong } = await listen(other.config(other.path('none.log')))
      const refused = await stays(guest, { to: wrong })
      other.remove()
      expect(refused.error).toMatchObject({ code: 'GUEST_OPTION' })
      expect(refused.error!.text).toMatch(/called "pc\.ram".*memory-backend=pc\.ram/)
      expect(refused.rounds).toEqual([])
      const log = yard.path('accepted.log')
      const report = await send(guest, { to: (await listen(yard.config(log))).to })
      expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
      await guest.stop()
      expect(await wrongAfter(vm.log, log)).toEqual([])
    },
    longMs,
  )

  it(
    'where devices are lacking, which QEMU says in the pause',
    async () => {
      vm = await Vm.boot(yard, 'devices', { isPlain: true })
      const guest = await QemuStreamGuest.attach({ qmp: vm.qmpPath, keeps: true })
      const { to } = await listen(yard.config(yard.path('devices-there.log'), withoutRng))
      const report = await stays(guest, { to })
      expect(report).toMatchObject({ outcome: 'failed', error: { code: 'PROTOCOL_STATE' } })
      await guest.stop()
      expect(await vm.status()).toBe('running')
      await countsOn(vm.log)
      expect(complaints([vm.log])).toEqual([])
    },
    longMs,
  )

  it(
    'where the migration is cancelled in the midst of its pages',
    async () => {
      vm = await Vm.boot(yard, 'cancelled', { isPlain: true })
      const guest = await QemuStreamGuest.attach({ qmp: vm.qmpPath, keeps: true })
      const { to } = await listen(yard.config(yard.path('cancelled-there.log')))
      const migration = await createMigration(guest, { to, maxBandwidth: 20e6 })
      const next = guest.nextRound.bind(guest)
      guest.nextRound = () => {
        if (migration.progress.round > 2) migration.cancel()
        return next()
      }
      const report = await migration.run()
      expect(report.outcome).toBe('cancelled')
      expect(report.rounds.length).toBeGreaterThan(2)
      await countsOn(vm.log)
      await guest.stop()
      expect(complaints([vm.log])).toEqual([])
    },
    longMs,
  )
})

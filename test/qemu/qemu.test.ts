import { readFileSync } from 'node:fs'
import type { GuestHost, Report } from '@godwit/core'
import { parseQemuHost, QemuFileGuest, QemuHost, type IncomingQemu } from '@godwit/qemu'
import { createMigration, receive, type Receiver, send } from 'godwit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  complaints,
  consoleLine,
  consoleText,
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

describe(`a VM of QEMU${needs}`, () => {
  let yard: Yard
  let vm: Vm
  const receivers: Receiver[] = []
  const arrived: IncomingQemu[] = []

  beforeEach(({ skip }) => {
    if (isImpossible) skip(needs)
  })
  beforeAll(async () => {
    if (isImpossible) return
    yard = new Yard()
    vm = await Vm.boot(yard, 'source')
  }, longMs)
  afterAll(async () => {
    if (isImpossible) return
    for (const guest of arrived) await guest.discard()
    for (const receiver of receivers) await receiver.close()
    await vm.kill()
    yard.remove()
  })

  async function listen(config: string, wrap = (host: GuestHost) => host): Promise<Receiver> {
    const place = parseQemuHost(`qemu,config=${config},ram=${yard.folder}`)
    const host = new QemuHost({ place, onReserved: (guest) => void arrived.push(guest) })
    const receiver = await receive(wrap(host), { listen: '127.0.0.1:0' })
    receivers.push(receiver)
    return receiver
  }

  async function attach(): Promise<QemuFileGuest> {
    return QemuFileGuest.attach({ qmp: vm.qmpPath, ram: vm.ramPath, keeps: false })
  }

  /** Tries to move it to what stays where it is. */
  async function stays(config: string, options: object = {}): Promise<Report> {
    const receiver = await listen(config)
    const guest = await attach()
    const report = await send(guest, { to: receiver.address, ...options })
    await guest.stop()
    await countsOn(vm.log)
    expect(await vm.status()).toBe('running')
    expect(complaints([vm.log])).toEqual([])
    return report
  }

  it(
    'stays where the destination has less memory',
    async () => {
      const report = await stays(
        yard.config(yard.path('small.log'), (command) =>
          command.map((part) => part.replace('{memory}', '128M')),
        ),
      )
      expect(report.error).toMatchObject({ code: 'GUEST_OPTION' })
      expect(report.error!.text).toMatch(/memory of 160 MiB.*here 128 MiB/)
      expect(report.rounds).toEqual([])
    },
    longMs,
  )

  it(
    'stays where the destination has another machine',
    async () => {
      const log = yard.path('other.log')
      const report = await stays(yard.config(log, (same) => [...same, '-machine', 'pc']))
      expect(report.error).toMatchObject({ code: 'GUEST_OPTION' })
      expect(report.error!.text).toMatch(/machine type/)
      expect(report.rounds).toEqual([])
    },
    longMs,
  )

  it(
    'stays where the RAM has another name, which QEMU would tell in the pause',
    async () => {
      const renamed = (command: string[]): string[] =>
        command.map((part) => part.replace(/(id|memory-backend)=ram\b/, '$1=other'))
      const report = await stays(yard.config(yard.path('renamed.log'), renamed))
      expect(report.error).toMatchObject({ code: 'GUEST_OPTION' })
      expect(report.error!.text).toMatch(/called "ram" .* here other; .*memory-backend=ram$/)
      expect(report.rounds).toEqual([])
    },
    longMs,
  )

  it(
    'stays where QEMU does not start, and tells what QEMU said',
    async () => {
      const log = yard.path('none.log')
      const report = await stays(yard.config(log, (same) => [...same, '-no-such-option']))
      expect(report.error).toMatchObject({ code: 'GUEST_OPTION' })
      expect(report.error!.text).toMatch(/no-such-option/)
    },
    longMs,
  )

  it(
    'goes on where the destination refuses its state, in the pause',
    async () => {
      const without = (command: string[]): string[] =>
        command.filter((part) => !RNG_DEVICE.includes(part))
      const report = await stays(yard.config(yard.path('rng.log'), without))
      expect(report).toMatchObject({ outcome: 'failed', error: { code: 'PROTOCOL_STATE' } })
      expect(report.error!.text).toMatch(/did not load the VM's state/)
      expect(report.stages.map(({ name }) => name)).toContain('stop-and-copy')
    },
    longMs,
  )

  it(
    'refuses post-copy, before anything is sent',
    async () => {
      const report = await stays(yard.config(yard.path('post.log')), { mode: 'post-copy' })
      expect(report.error).toMatchObject({ code: 'PROTOCOL_CAPABILITY' })
      expect(report.error!.text).toMatch(/--mode pre-copy or stop-copy/)
    },
    longMs,
  )

  it('refuses trackers that see no stores of QEMU', async () => {
    const guest = await attach()
    const sent = send(guest, { to: '127.0.0.1:1', tracker: 'pagemap' })
    await expect(sent).rejects.toThrow(/Another process stores .* use soft-dirty, scan or auto/)
    await guest.stop()
  })

  it(
    'goes on after a cancel, in a round and in the pause',
    async () => {
      for (const stage of ['pre-copy', 'stop-and-copy']) {
        const receiver = await listen(yard.config(yard.path(`${stage}.log`)))
        const guest = await attach()
        const migration = await createMigration(guest, {
          to: receiver.address,
          onStage: ({ name }) => {
            if (name === stage) setImmediate(() => migration.canCancel && migration.cancel())
          },
        })
        expect(await migration.run()).toMatchObject({ outcome: 'cancelled' })
        await guest.stop()
        await countsOn(vm.log)
        expect(await vm.status()).toBe('running')
        expect(complaints([vm.log])).toEqual([])
      }
    },
    longMs,
  )

  it(
    'moves while it counts: memory is the same, no number is lost, its clock goes on',
    async () => {
      const log = yard.path('moved.log')
      const guest = await attach()
      const compared: boolean[] = []
      const receiver = await listen(yard.config(log), (host) => ({
        async reserve(...parts) {
          const incoming = await host.reserve(...parts)
          const run = incoming.run.bind(incoming)
          incoming.run = async () => {
            const [ram] = arrived.at(-1)!.ramPaths
            const files = [vm.ramPath, ram!].map((path) => readFileSync(path))
            compared.push(files[0]!.length === MEMORY_BYTES, files[0]!.equals(files[1]!))
            await run()
          }
          return incoming
        },
      }))
      const report = await send(guest, { to: receiver.address, lanes: 2 })
      expect(report.error).toBeUndefined()
      expect(report).toMatchObject({
        outcome: 'completed',
        tracker: 'scan',
        memory: { equal: true },
      })
      expect(compared).toEqual([true, true])
      // Holes of the file are known to be zero without a look.
      expect(report.pages!.zero).toBeGreaterThan(0)
      expect(await guest.captureState()).toEqual(await guest.captureState())
      await guest.moved()
      await guest.stop()
      await vm.ended()
      const before = lastTick(vm.log)
      await consoleLine(log, new RegExp(`^TICK ${before + 30} `, 'm'))
      await consoleLine(log, /^SUM /m)
      expect(consoleText(vm.log)).toContain(`TICK ${before} `)
      expect(complaints([vm.log, log])).toEqual([])
    },
    longMs,
  )
})

/**
 * Runs in a VM whose kernel keeps soft-dirty bits: moves a VM of QEMU there, twice, and tells how.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { MIB } from '@godwit/core'
import { type IncomingQemu, parseQemuHost, QemuFileGuest, QemuHost } from '@godwit/qemu'
import { createMigration, receive } from 'godwit'
import { counter, countIn, miscounts } from './counter.ts'
import { Vm, Yard } from './vm.ts'

/** Rounds of more than 64 MiB look for what is dirty while they go on. */
const memoryBytes = 80 * MIB
const pollMs = 50

async function countsOn(path: string, by: number): Promise<void> {
  const first = countIn(path)
  while (countIn(path) < first + by) await sleep(pollMs)
}

const yard = new Yard('ram', { boot: counter, memoryBytes })
const vm = new Vm(yard, 'source')
while (!(await vm.status().catch(() => '')).startsWith('running')) await sleep(pollMs)
await countsOn(vm.ramPath, 100)

const arrived: IncomingQemu[] = []
const place = parseQemuHost(`qemu,config=${yard.config(yard.path('log'))},ram=${yard.folder}`)
const host = new QemuHost({ place, onReserved: (guest) => void arrived.push(guest) })
const receiver = await receive(host, { listen: '127.0.0.1:0' })
const guest = await QemuFileGuest.attach({ qmp: vm.qmpPath, ram: vm.ramPath, keeps: true })
console.log(`PROOF lacking ${JSON.stringify(guest.marks.lacking ?? 'no')}`)
const migration = await createMigration(guest, {
  to: receiver.address,
  lanes: 2,
  stop: 'max-rounds=2',
  tracker: 'soft-dirty',
})
const report = await migration.run()
await guest.stop()
const { outcome, tracker, memory, rounds, error } = report
const pages = rounds.map((round) => round.pages)
const told = { outcome, tracker, equal: memory?.equal, pages, error }
console.log(`PROOF moved ${JSON.stringify(told)}`)
console.log(`PROOF wrong ${JSON.stringify(miscounts(readFileSync(vm.ramPath)))}`)
process.exit()

/**
 * VMs of QEMU, for the suite: one that counts in memory, and whose RAM is a file in any case, so
 * that it can be seen to count.
 *
 * @module
 */
import assert from 'node:assert/strict'
import type { Region } from '@godwit/core'
import {
  type IncomingQemu,
  parseQemuHost,
  QemuFileGuest,
  QemuHost,
  QemuStreamGuest,
  QmpClient,
} from '@godwit/qemu'
import type { AdapterUnderTest } from 'godwit/adapter-suite'
import { counter, COUNTER_MEMORY_BYTES, countIn, miscounts } from '../qemu/counter.ts'
import { Vm, Yard } from '../qemu/vm.ts'
import { roomForOne } from './room.ts'

/** QEMU is a program that starts, and the machine may do other things. */
const timeoutMs = 30_000

/** A guest of the VM that runs. */
type Attach = (place: { qmp: string; ram: string; keeps: boolean }) => Promise<QemuGuest>
type QemuGuest = QemuFileGuest | QemuStreamGuest

export const byFile: Attach = (place) => QemuFileGuest.attach(place)
export const byStream: Attach = ({ qmp, keeps }) => QemuStreamGuest.attach({ qmp, keeps })

/** One VM, started once, when it is needed; each case has a guest of it. */
export class CountingVm {
  #yard: Yard | undefined
  #vm: Vm | undefined

  adapter(attach: Attach): AdapterUnderTest {
    return {
      timeoutMs,
      startGuest: async () => {
        const { qmpPath: qmp, ramPath: ram } = this.#start()
        await goOn(qmp)
        const guest = await attach({ qmp, ram, keeps: true })
        return { guest, progress: () => countIn(ram), end: () => guest.stop() }
      },
      createHost: () => ({
        host: hostIn(this.#yard!),
        progress: (guest) => countIn((guest as IncomingQemu).ramPaths[0]!),
      }),
      async verify(arrived, source) {
        assert.deepEqual(miscounts(ramOf(source.regions)), [])
        await arrived.stop!()
        assert.deepEqual(miscounts(ramOf(arrived.regions)), [])
      },
    }
  }

  async end(): Promise<void> {
    await this.#vm?.kill()
    this.#yard?.remove()
  }

  #start(): Vm {
    this.#yard ??= new Yard('ram', { boot: counter, memoryBytes: COUNTER_MEMORY_BYTES })
    this.#vm ??= new Vm(this.#yard, 'source')
    return this.#vm
  }
}

function hostIn(yard: Yard): QemuHost {
  const config = yard.config(yard.path('arrived.log'))
  const place = parseQemuHost(`qemu,config=${config},ram=${yard.folder}`)
  return new QemuHost({ place, takeRoom: roomForOne(COUNTER_MEMORY_BYTES) })
}

/** Where a case before left it standing, as after a hand-over. */
async function goOn(qmpPath: string): Promise<void> {
  const qmp = await QmpClient.connect(qmpPath, { waits: true, limitMs: timeoutMs })
  const { status } = await qmp.execute<{ status: string }>('query-status')
  if (status !== 'running') await qmp.execute('cont')
  qmp.close()
}

function ramOf(regions: readonly Region[]): Uint8Array {
  return regions.find(({ name }) => name === 'ram')!.bytes
}

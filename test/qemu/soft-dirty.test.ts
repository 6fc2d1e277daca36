import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { MIB } from '@godwit/core'
import { QemuFileGuest } from '@godwit/qemu'
import { beforeEach, describe, expect, it } from 'vitest'
import { counter } from './counter.ts'
import { runInVm } from './node-vm.ts'
import { isImpossible, needs, Vm, Yard } from './vm.ts'

const longMs = 300_000
const pollMs = 10
const isLong = process.env['GODWIT_LONG'] !== undefined

/** Debian's kernel keeps soft-dirty bits, which the one that tests run on may not. */
describe(`soft-dirty bits of a kernel that keeps them${needs}`, () => {
  beforeEach(({ skip }) => {
    if (isImpossible) skip(needs)
  })

  it(
    'tell of all stores of another process, whenever they are',
    async () => {
      const packages = ['@godwit/linux', '@godwit/memory']
      const told = await runInVm('marks-proof.ts', { packages, memory: '1G' })
      expect(Object.fromEntries(told)).toEqual({
        begun: 'yes',
        first: [0, 7, 1023, 1024, 4095],
        second: [0, 7, 8, 1023, 1024, 4095],
        anew: [9],
        race: { lost: 'no', missed: 0, changes: true, falsely: expect.any(Number) as number },
        twice: 'several processes store to the file (N, N)',
        ended: [true, 'the memory of that process is not where it was'],
      })
    },
    longMs,
  )

  it.skipIf(!isLong)(
    'are what a VM of QEMU is moved by',
    async () => {
      const packages = ['godwit', '@godwit/qemu', '@godwit/linux']
      const told = await runInVm('marks-nested.ts', { packages, memory: '1536M', hasQemu: true })
      const { lacking, moved, wrong } = Object.fromEntries(told)
      expect([lacking, wrong]).toEqual(['no', []])
      expect(moved).toMatchObject({ outcome: 'completed', tracker: 'soft-dirty', equal: true })
      const { pages } = moved as { readonly pages: readonly number[] }
      // The window that it counts in, the number, and what an interrupt stores.
      expect(pages).toEqual([20_480, 66, 66])
    },
    longMs,
  )
})

/** QEMU's own words: what it says of a machine that has such a thing. */
describe(`soft-dirty bits of a VM${needs}`, () => {
  beforeEach(({ skip }) => {
    if (isImpossible) skip(needs)
  })

  /** Why they are not used of a VM with these arguments; nothing where they are. */
  async function reason(more: (yard: Yard) => readonly string[]): Promise<string | undefined> {
    const yard = new Yard('ram', { boot: counter, memoryBytes: 16 * MIB })
    const vm = new Vm(yard, 'vm', { more: more(yard) })
    try {
      // It has no socket yet.
      while ((await vm.status().catch(() => '')) !== 'running') await sleep(pollMs)
      const guest = await QemuFileGuest.attach({ qmp: vm.qmpPath, ram: vm.ramPath, keeps: true })
      await guest.stop()
      return guest.marks.lacking
    } finally {
      await vm.kill()
      yard.remove()
    }
  }

  /** A disk of 1 MiB. */
  function disk(yard: Yard, more: string): readonly string[] {
    writeFileSync(yard.path('disk'), new Uint8Array(MIB))
    return ['-blockdev', `driver=file,filename=${yard.path('disk')},node-name=disk${more}`]
  }

  it.each<[string, (yard: Yard) => readonly string[]]>([
    ['free-page-reporting=on', () => ['-device', 'virtio-balloon-pci,free-page-reporting=on']],
    ['free-page-reporting', () => ['-device', 'virtio-balloon-pci,free-page-reporting=on,id=b']],
    ['cache.direct=on', (yard) => disk(yard, ',cache.direct=on')],
  ])('are not used: %s', async (text, more) => {
    expect(await reason(more)).toContain(text)
  })

  it('are for the kernel to say where nothing else stores', async () => {
    const said = await reason((yard) => ['-device', 'virtio-balloon-pci', ...disk(yard, '')])
    // Or for the file system, where temporary files are not in memory.
    expect(said ?? 'kernel').toMatch(/kernel|\(tmpfs\)/)
  })
})

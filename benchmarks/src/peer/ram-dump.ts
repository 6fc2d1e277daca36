/**
 * The memory of a saved guest as a file, for a guest of Godwit to start with.
 *
 * The pages that QEMU's guest writes lie wherever its kernel put them; `writer` writes the end of
 * its memory. So those pages trade places with the last ones: both guests then dirty the same
 * content at the same rate, and everything else is the same, too.
 *
 * @module
 */
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Qemu } from './qemu.ts'
import type { SavedGuest } from './saved-guest.ts'
import { restoreGuest } from './saved-guest.ts'
import { makeOnce } from './workshop.ts'

const pageBytes = 4096
const chunkBytes = 4 << 20
/** A sweep over the working set takes less, with time to spare for a busy machine. */
const sweeps = 1.5
/** Writing it may wait for a disk. */
const dumpMs = 120_000

/** The file with the guest's memory, of exactly its size; made on first use. */
export async function dumpRam(guest: SavedGuest): Promise<string> {
  const { load, workshop } = guest
  const file = join(workshop.folder, `${load.name}.ram`)
  await makeOnce(file, async (part) => {
    const qemu = await restoreGuest(guest, { name: 'dump' })
    const early = `${part}.early`
    try {
      if (load.rate > 0) {
        await letSweep(guest, qemu)
        await save(qemu, load.memoryBytes, early)
        await letSweep(guest, qemu)
      }
      await save(qemu, load.memoryBytes, part)
      if (load.rate === 0) return
      const pageCount = load.wssBytes / pageBytes
      swapPages(part, swapsToEnd(changedPages(early, part), pageCount, load.memoryBytes))
    } finally {
      await qemu.quit()
      rmSync(early, { force: true })
    }
  })
  return file
}

async function letSweep({ load }: SavedGuest, { qmp }: Qemu): Promise<void> {
  await qmp.execute('cont')
  await sleep((load.wssBytes / pageBytes / load.rate) * 1e3 * sweeps)
  await qmp.execute('stop')
}

/** On this machine all memory below 2 GiB lies in one piece from address 0. */
async function save({ qmp }: Qemu, memoryBytes: number, filename: string): Promise<void> {
  await qmp.execute('pmemsave', { val: 0, size: memoryBytes, filename }, dumpMs)
}

/** Pages that differ in two files of the same size. */
function changedPages(before: string, after: string): readonly number[] {
  const files = [openSync(before, 'r'), openSync(after, 'r')] as const
  const chunks = [Buffer.alloc(chunkBytes), Buffer.alloc(chunkBytes)] as const
  const changed: number[] = []
  for (let first = 0; ; first += chunkBytes / pageBytes) {
    const count = readSync(files[0], chunks[0])
    readSync(files[1], chunks[1])
    for (let at = 0; at < count; at += pageBytes) {
      const end = at + pageBytes
      if (chunks[0].compare(chunks[1], at, end, at, end) !== 0) changed.push(first + at / pageBytes)
    }
    if (count < chunkBytes) break
  }
  for (const file of files) closeSync(file)
  return changed
}

/**
 * Pairs of pages to swap so that the last `pageCount` pages are ones that changed. A few more pages
 * change than the working set has, the kernel's own; those first in memory stay where they are.
 */
export function swapsToEnd(
  changed: readonly number[],
  pageCount: number,
  memoryBytes: number,
): readonly (readonly [number, number])[] {
  if (changed.length < pageCount) {
    throw new Error(`the guest wrote ${changed.length} pages of ${pageCount}; it was too slow`)
  }
  const end = memoryBytes / pageBytes
  const written = new Set(changed.slice(changed.length - pageCount))
  const outside = [...written].filter((page) => page < end - pageCount)
  const unwritten: number[] = []
  for (let page = end - pageCount; page < end; page++) if (!written.has(page)) unwritten.push(page)
  return outside.map((page, i) => [page, unwritten[i]!])
}

function swapPages(path: string, swaps: readonly (readonly [number, number])[]): void {
  const file = openSync(path, 'r+')
  const [one, other] = [Buffer.alloc(pageBytes), Buffer.alloc(pageBytes)]
  for (const [a, b] of swaps) {
    readSync(file, one, 0, pageBytes, a * pageBytes)
    readSync(file, other, 0, pageBytes, b * pageBytes)
    writeSync(file, one, 0, pageBytes, b * pageBytes)
    writeSync(file, other, 0, pageBytes, a * pageBytes)
  }
  closeSync(file)
}

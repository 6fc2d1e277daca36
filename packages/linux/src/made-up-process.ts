/**
 * For tests: what a kernel tells of processes that have a file in their memory, in a folder that is
 * like `/proc`.
 *
 * @module
 */
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A piece of the file in the memory of a process, in pages. */
export interface MadeUpMapping {
  readonly at: number
  readonly page: number
  readonly pages: number
  /** As in `maps`. Default `rw-s`. */
  readonly rights?: string
  readonly isEligible?: boolean
}

const pageBytes = 4096
const softDirty = 1n << 55n
const present = 1n << 63n
/** In memory, as the file of a VM is. */
const shared = '/dev/shm'

/** A file in memory, and who has it in theirs. */
export class MadeUpProcesses {
  readonly proc: string = mkdtempSync(join(tmpdir(), 'godwit-proc-'))
  readonly path: string
  readonly file: number
  readonly #folder: string = mkdtempSync(join(shared, 'godwit-marks-'))

  constructor(pages: number) {
    this.path = join(this.#folder, 'ram')
    this.file = openSync(this.path, 'w+')
    ftruncateSync(this.file, pages * pageBytes)
    this.countReclaim(0)
    writeFileSync(join(this.proc, 'version'), 'made up')
  }

  /** What the kernel looked at to be swapped out. */
  countReclaim(scanned: number, swapped = 0): void {
    const text = `nr_free_pages 7\npgscan_anon ${scanned}\npgscan_file 9\npswpout ${swapped}\n`
    writeFileSync(join(this.proc, 'vmstat'), text)
  }

  /** A process, or where it has the file from now on. Nothing is marked there. */
  map(pid: number, mappings: readonly MadeUpMapping[]): void {
    mkdirSync(join(this.proc, `${pid}`), { recursive: true })
    const { dev, ino } = statSync(this.path)
    const [major, minor] = [(dev >>> 8) & 0xfff, (dev & 0xff) | ((dev >>> 12) & 0xfff00)]
    const place = `${hex(major, 2)}:${hex(minor, 2)} ${ino}`
    const rows = mappings.map(({ at, page, pages, rights = 'rw-s', isEligible = false }) => {
      const range = `${hex(at * pageBytes, 8)}-${hex((at + pages) * pageBytes, 8)}`
      const row = `${range} ${rights} ${hex(page * pageBytes, 8)} ${place}    ${this.path}\n`
      return { row, size: `Size:  ${pages * 4} kB\nTHPeligible:   ${isEligible ? 1 : 0}\n` }
    })
    const other = '00400000-00401000 r-xp 00000000 fe:01 4711     /usr/bin/vm\n'
    const maps = [other, ...rows.map(({ row }) => row)].join('')
    const details = rows.map(({ row, size }) => `${row}${size}VmFlags: rd wr sh\n`)
    this.write(pid, 'maps', maps)
    this.write(pid, 'smaps', `${other}THPeligible:   1\n${details.join('')}`)
    for (const name of ['pagemap', 'clear_refs']) this.write(pid, name, '')
    const end = Math.max(0, ...mappings.map(({ at, pages }) => at + pages))
    truncateSync(join(this.proc, `${pid}`, 'pagemap'), end * 8)
  }

  /** Pages of the process' memory are marked, or not any more. */
  mark(pid: number, first: number, pages: number, isMarked = true): void {
    const entries = new BigUint64Array(pages).fill(present | (isMarked ? softDirty : 0n))
    const file = openSync(join(this.proc, `${pid}`, 'pagemap'), 'r+')
    writeSync(file, entries, 0, entries.byteLength, first * 8)
    closeSync(file)
  }

  /** What was asked of the kernel. */
  cleared(pid: number): string {
    return readFileSync(join(this.proc, `${pid}`, 'clear_refs'), 'latin1')
  }

  /** The kernel tells nothing of what it looked at. */
  forgetReclaim(): void {
    writeFileSync(join(this.proc, 'vmstat'), 'nr_free_pages 7\n')
  }

  write(pid: number, name: string, text: string): void {
    writeFileSync(join(this.proc, `${pid}`, name), text)
  }

  forget(pid: number, name: string): void {
    rmSync(join(this.proc, `${pid}`, name))
  }

  /** The process is gone. */
  end(pid: number): void {
    rmSync(join(this.proc, `${pid}`), { recursive: true })
  }

  remove(): void {
    closeSync(this.file)
    rmSync(this.proc, { recursive: true })
    rmSync(this.#folder, { recursive: true })
  }
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0')
}

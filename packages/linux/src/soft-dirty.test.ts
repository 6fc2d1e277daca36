import { existsSync, ftruncateSync, statSync, writeSync } from 'node:fs'
import type { PageBitmap } from '@godwit/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MadeUpProcesses } from './made-up-process.ts'
import { SoftDirtyMarks } from './soft-dirty.ts'

const kernelPageBytes = 4096
const pages = 40
/** The process has the file's pages from here on. */
const at = 0x700
const vm = 1_000_001
const whole = [{ at, page: 0, pages }]
const hasShared = existsSync('/dev/shm')

let made: MadeUpProcesses

beforeEach(() => {
  if (hasShared) made = new MadeUpProcesses(pages)
})
afterEach(() => {
  if (hasShared) made.remove()
})

function open(path = made.path): SoftDirtyMarks | { readonly reason: string } {
  const regionBytes = [24 * kernelPageBytes, 16 * kernelPageBytes]
  return SoftDirtyMarks.open({ path, file: made.file, regionBytes, kernelPageBytes }, made.proc)
}

function reason(path?: string): string {
  const opened = open(path)
  if ('reason' in opened) return opened.reason
  opened.close()
  return 'none'
}

/** A VM with a fresh memory, all of which counts as marked, is being watched from here on. */
function begin(): SoftDirtyMarks {
  made.map(vm, whole)
  made.mark(vm, at, pages)
  const marks = open() as SoftDirtyMarks
  made.mark(vm, at, pages, false)
  marks.begin()
  return marks
}

/** As `region/page`: what is not among the unmarked ones. */
function found(marks: SoftDirtyMarks, pageBytes = kernelPageBytes): string | undefined {
  const list = (bitmap: PageBitmap, region: number): string[] =>
    [...Array(bitmap.pageCount).keys()]
      .filter((page) => !bitmap.has(page))
      .map((page) => `${region}/${page}`)
  return marks.findUnmarked(pageBytes)?.flatMap(list).join(' ')
}

describe.skipIf(!hasShared)('soft-dirty bits of a process', () => {
  it('are cleared once, and tell of stores since then', () => {
    const marks = begin()
    expect(made.cleared(vm)).toBe('4')
    made.mark(vm, at + 3, 1)
    made.mark(vm, at + 23, 2)
    expect(found(marks)).toBe('0/3 0/23 1/0')
    made.mark(vm, at + 39, 1)
    expect(found(marks)).toBe('0/3 0/23 1/0 1/15')
    // A page of 16 KiB is stored to with any of the four in it.
    expect(found(marks, 4 * kernelPageBytes)).toBe('0/0 0/5 1/0 1/3')
    expect(made.cleared(vm)).toBe('4')
    expect(marks.lost).toBeUndefined()
    marks.close()
    expect(marks.findUnmarked(kernelPageBytes)).toBeUndefined()
  })

  it('are of no use before they were cleared, and may be cleared for another migration', () => {
    made.map(vm, whole)
    made.mark(vm, at, pages)
    const marks = open() as SoftDirtyMarks
    expect(marks.findUnmarked(kernelPageBytes)).toBeUndefined()
    made.mark(vm, at, pages, false)
    marks.begin()
    made.mark(vm, at, 1)
    expect(found(marks)).toBe('0/0')
    made.countReclaim(1)
    expect(found(marks)).toBeUndefined()
    made.mark(vm, at, pages, false)
    marks.begin()
    made.mark(vm, at + 1, 1)
    expect(found(marks)).toBe('0/1')
    marks.close()
  })

  it('of parts that are elsewhere, or nowhere, in the memory of the process', () => {
    made.map(vm, [
      { at: 100, page: 20, pages: 10 },
      { at: 300, page: 4, pages: 12 },
    ])
    made.mark(vm, 100, 10)
    const marks = open() as SoftDirtyMarks
    made.mark(vm, 100, 10, false)
    marks.begin()
    // 18 of 40 are stored to by nobody who is known, so they count as stored to.
    expect(marks.lost).toBeUndefined()
    made.mark(vm, 305, 1)
    made.mark(vm, 100, 1)
    const elsewhere = '0/0 0/1 0/2 0/3 0/9 0/16 0/17 0/18 0/19 0/20'
    expect(found(marks)).toBe(`${elsewhere} ${range(6, 16)}`)
    marks.close()
  })
})

describe.skipIf(!hasShared)('soft-dirty bits that may have got lost', () => {
  it.each<[string, () => void]>([
    ['somebody else cleared', () => clearAndStore()],
    ['the kernel was short of memory', () => made.countReclaim(1)],
    ['the kernel was short of memory', () => made.countReclaim(0, 1)],
    ['not where it was', () => made.map(vm, [{ at: at + 1, page: 0, pages }])],
    ['not where it was', () => made.end(vm)],
    ['memory was given back', () => ftruncateSync(made.file, 0)],
    ['cannot be read', () => made.write(vm, 'pagemap', '')],
    ['cannot be read (no pgscan_anon', () => made.forgetReclaim()],
  ])('do not count any more: %s', (text, happen) => {
    const { file } = made
    writeSync(file, new Uint8Array(kernelPageBytes), 0, kernelPageBytes, 0)
    const marks = begin()
    made.mark(vm, at + 3, 1)
    expect(found(marks)).toBe('0/3')
    happen()
    expect(found(marks)).toBeUndefined()
    expect(marks.lost).toContain(text)
    // It was so once: that is enough.
    expect(found(marks)).toBeUndefined()
    marks.close()
  })

  it('count for nothing where not one store was marked', () => {
    const marks = begin()
    expect(found(marks)).toBeUndefined()
    expect(marks.lost).toBe('no store was marked')
    marks.close()
  })

  it('count for nothing where clearing them changes nothing', () => {
    made.map(vm, whole)
    made.mark(vm, at, pages)
    const marks = open() as SoftDirtyMarks
    marks.begin()
    expect(marks.lost).toBe('the kernel does not clear them')
    expect(found(marks)).toBeUndefined()
    marks.close()
  })
})

describe.skipIf(!hasShared)('soft-dirty bits that tell too little', () => {
  it.each<[string, () => void]>([
    ['does not keep them (CONFIG_MEM_SOFT_DIRTY)', () => made.map(vm, whole)],
    ['no process', () => made.map(process.pid, whole)],
    ['no process', () => made.map(vm, [{ ...whole[0]!, rights: 'r--s' }])],
    ['no process', () => made.map(vm, [{ ...whole[0]!, rights: 'rw-p' }])],
    ['several processes store to the file (1000001, 1000002)', () => mapTwice()],
    ['twice', () => made.map(vm, [...whole, { at: 9000, page: 39, pages: 2 }])],
    ['huge pages', () => made.map(vm, [{ ...whole[0]!, isEligible: true }])],
    ['does not tell of that process (ENOENT)', () => forget('clear_refs')],
    ['does not tell of that process (ENOENT)', () => forget('pagemap')],
  ])('are not to be had: %s', (text, happen) => {
    happen()
    expect(reason()).toContain(text)
  })

  it('are not to be had of a file that the kernel may drop from memory', () => {
    made.map(vm, whole)
    made.mark(vm, at, pages)
    expect(reason('/proc/self/maps')).toContain('not in memory (tmpfs)')
    expect(reason()).toBe('none')
  })

  it('are not to be had of this very machine where its kernel keeps none', () => {
    const { path, file } = made
    const regionBytes = [statSync(path).size]
    const opened = SoftDirtyMarks.open({ path, file, regionBytes, kernelPageBytes })
    expect(opened).toEqual({ reason: expect.stringContaining('no process') as string })
  })
})

function clearAndStore(): void {
  made.mark(vm, at, pages, false)
  made.mark(vm, at + 9, 1)
}

function mapTwice(): void {
  made.map(vm, whole)
  made.map(vm + 1, whole)
}

function forget(name: string): void {
  made.map(vm, whole)
  made.mark(vm, at, pages)
  made.forget(vm, name)
}

function range(first: number, end: number): string {
  return Array.from({ length: end - first }, (_, index) => `1/${first + index}`).join(' ')
}

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { isPrivateMemory } from './process-memory.ts'

const isLinux = process.platform === 'linux'

/** Mappings of this process: address range, permissions, inode. */
function mappings(): { start: number; end: number; kind: string; inode: string }[] {
  return readFileSync('/proc/self/maps', 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const [range, permissions, , , inode] = line.split(/\s+/) as string[]
      const [start, end] = range!.split('-').map((text) => Number.parseInt(text, 16))
      return { start: start!, end: end!, kind: permissions![3]!, inode: inode! }
    })
}

test.runIf(isLinux)('a file or a gap is not private memory', () => {
  const all = mappings().filter(({ start }) => start < 2 ** 52)
  const file = all.find(({ inode }) => inode !== '0')!
  expect(isPrivateMemory(file.start, file.end)).toBe(false)
  expect(isPrivateMemory(8192, 16384)).toBe(false)
  const [before] = all.filter(({ end }, index) => (all[index + 1]?.start ?? Infinity) > end)
  expect(isPrivateMemory(before!.end - 4096, before!.end + 4096)).toBe(false)
})

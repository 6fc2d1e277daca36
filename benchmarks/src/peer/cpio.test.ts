import { expect, it } from 'vitest'
import { archiveProgram } from './cpio.ts'

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

it('an archive has the program, its mode and its size, then the trailer', () => {
  const archive = archiveProgram('init', Buffer.from('hello'))
  const header = text(archive.subarray(0, 110))
  expect(header.slice(0, 6)).toBe('070701')
  expect(Number.parseInt(header.slice(14, 22), 16)).toBe(0o100755)
  expect(Number.parseInt(header.slice(54, 62), 16)).toBe(5)
  expect(Number.parseInt(header.slice(94, 102), 16)).toBe('init\0'.length)
  expect(text(archive.subarray(110, 115))).toBe('init\0')
  expect(text(archive.subarray(116, 121))).toBe('hello')
  expect(text(archive.subarray(124, 130))).toBe('070701')
  expect(text(archive)).toContain('TRAILER!!!\0')
})

it.each([0, 1, 2, 3, 4, 5])('entries begin at multiples of four behind %i bytes', (length) => {
  const archive = archiveProgram('init', new Uint8Array(length))
  expect(archive.length % 4).toBe(0)
  expect(text(archive).lastIndexOf('070701') % 4).toBe(0)
})

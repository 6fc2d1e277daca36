/**
 * A VM without a kernel: a program of some hundred bytes that counts in memory. A thousand times a
 * second the number goes up, and is stored to one page of a window after the other: so from the
 * number it can be told what all of the window must hold.
 *
 * @module
 */
import { closeSync, openSync, readSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MIB } from '@godwit/core'
import type { Boot } from './vm.ts'

export const COUNTER_MEMORY_BYTES: number = 16 * MIB

const loadedAt = 0x10_0000
const counterAt = 0x20_0000
const windowAt = 0x40_0000
const windowPages = 64
const pageBytes = 4096
const imageBytes = 0x400

/** What QEMU goes by (`multiboot`): where it is to be in memory, and where it begins. */
const header = [0x1bad_b002, 0x1_0000, -(0x1bad_b002 + 0x1_0000)]
const addresses = [loadedAt, loadedAt, loadedAt + imageBytes, loadedAt + imageBytes]
const codeAt = 0x20
const handlerAt = 0xc0
const descriptorsAt = 0x100
const pointersAt = 0x1f0
/** The only interrupt that is let through, the timer's, is number 32. */
const gateAt = 0x200 + 32 * 8

/** Machine code of 32 bits, each line an instruction or some of one kind. */
const code = `
  fa                      cli
  bc 00002000             mov  esp, 200000
  0f0115 f0011000         lgdt [1001f0]
  ea 34001000 0800        jmp  8:100034
  b8 10000000             mov  eax, 10
  8ed8 8ec0 8ed0          mov  ds, es and ss, ax
  0f011d f8011000         lidt [1001f8]
  b011 e620 b020 e621     out  20, 11; out 21, 20: interrupts are 32 and up
  b004 e621 b001 e621     out  21, 4; out 21, 1
  b0fe e621 b0ff e6a1     out  21, fe; out a1, ff: the timer's alone
  b034 e643               out  43, 34: every
  b0a9 e640 b004 e640     out  40, a9; out 40, 4: 1193 of its ticks
  31db                    xor  ebx, ebx
  fb f4 fa                sti; hlt; cli: wait for it
  0f20e0 3410 0f22e0      mov  eax, cr4; xor al, 10; mov cr4, eax: see below
  43                      inc  ebx
  89d8 83e03f c1e00c      mov  eax, ebx; and eax, 3f; shl eax, c
  8998 00004000           mov  [eax + 400000], ebx
  891d 00002000           mov  [200000], ebx
  ebde                    jmp  back to sti`
// QEMU 7.2 without hardware virtualization knows of a store to a page only after its translations
// were thrown away, which a change of cr4 does: else its own log of stores lacks some.

const handler = `
  50 b020 e620 58 cf      push eax; out 20, 20; pop eax; iret`

/** The bytes of a listing: groups of hex digits, up to two spaces. */
function assembled(listing: string): Uint8Array {
  const lines = listing.trim().split('\n')
  const hex = lines.map((line) => line.trim().split(/ {2,}/)[0]!.replaceAll(' ', ''))
  return new Uint8Array(Buffer.from(hex.join(''), 'hex'))
}

function image(): Uint8Array {
  const bytes = new Uint8Array(imageBytes)
  const view = new DataView(bytes.buffer)
  const words = [...header, ...addresses, loadedAt + codeAt]
  for (const [index, word] of words.entries()) view.setUint32(index * 4, word >>> 0, true)
  bytes.set(assembled(code), codeAt)
  bytes.set(assembled(handler), handlerAt)
  // All of memory as code, all of it as data.
  bytes.set([0xff, 0xff, 0, 0, 0, 0x9a, 0xcf, 0, 0xff, 0xff, 0, 0, 0, 0x92, 0xcf, 0], 0x108)
  view.setUint16(pointersAt, 3 * 8 - 1, true)
  view.setUint32(pointersAt + 2, loadedAt + descriptorsAt, true)
  view.setUint16(pointersAt + 8, 33 * 8 - 1, true)
  view.setUint32(pointersAt + 10, loadedAt + 0x200, true)
  view.setUint16(gateAt, handlerAt, true)
  bytes.set([8, 0, 0, 0x8e], gateAt + 2)
  view.setUint16(gateAt + 6, loadedAt >>> 16, true)
  return bytes
}

/** A VM that counts. */
export const counter: Boot = (folder) => {
  const path = join(folder, 'counter')
  writeFileSync(path, image())
  return ['-kernel', path]
}

/** How far one has counted whose RAM is that file. */
export function countIn(ramPath: string): number {
  const file = openSync(ramPath, 'r')
  try {
    const word = Buffer.alloc(4)
    readSync(file, word, 0, 4, counterAt)
    return word.readUInt32LE()
  } finally {
    closeSync(file)
  }
}

/** What is wrong with the memory of one that stands. */
export function miscounts(ram: Uint8Array): readonly string[] {
  const view = new DataView(ram.buffer, ram.byteOffset, ram.byteLength)
  const count = view.getUint32(counterAt, true)
  const wrong: string[] = []
  for (let page = 0; page < windowPages; page++) {
    const held = view.getUint32(windowAt + page * pageBytes, true)
    // The last number of those whose turn this page has; 0 before the first.
    const last = Math.max(0, count - ((count - page + windowPages) % windowPages))
    const isNext = held === count + 1 && held % windowPages === page
    if (held !== last && !isNext) wrong.push(`page ${page} holds ${held} at ${count}`)
  }
  return wrong
}

/**
 * Regions of which it can be seen whether somebody wrote beside them.
 *
 * @module
 */
import type { Region } from '@godwit/core'

/** What is put around memory, to see that it stays as it is. */
const guardBytes = 96

/** Memory with a guard on both sides, at an offset that nothing is aligned to. */
export function regionOf(id: number, byteLength: number, offset: number): Region {
  const memory = new Uint8Array(guardBytes * 2 + byteLength + 8).fill(0xa5)
  const bytes = memory.subarray(guardBytes + offset, guardBytes + offset + byteLength)
  bytes.fill(0)
  return { id, name: `r${id}`, bytes }
}

/** Whether nothing beside the memory was written. */
export function guardIsWhole({ bytes }: Region): boolean {
  const memory = new Uint8Array(bytes.buffer)
  const end = bytes.byteOffset + bytes.length
  const isWhole = (byte: number): boolean => byte === 0xa5
  return memory.subarray(0, bytes.byteOffset).every(isWhole) && memory.subarray(end).every(isWhole)
}

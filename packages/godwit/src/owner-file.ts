/**
 * One owner record in a file: two slots of a sector's size, written in turn, each with a sequence
 * number and a checksum. A write that is torn leaves the other slot in force. All blocks are there
 * from the beginning, so that a disk which fills up meanwhile does not keep an agent from writing
 * down what it has promised.
 *
 * @module
 */
import type { FileHandle } from 'node:fs/promises'
import { open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { crc32 } from '@godwit/core'

/** What a disk writes whole, or a multiple of it. */
const SLOT_BYTES = 4096
const headerBytes = 16
const magic = 0x4f574731

/** A slot: magic, sequence, length and CRC-32 of these and of the text; then the text. */
function encodeSlot(sequence: number, text: string): Uint8Array {
  const slot = new Uint8Array(SLOT_BYTES)
  const { written, read } = new TextEncoder().encodeInto(text, slot.subarray(headerBytes))
  if (read < text.length) throw new RangeError(`A record of ${text.length} characters`)
  const view = new DataView(slot.buffer)
  view.setUint32(0, magic, true)
  view.setUint32(4, sequence, true)
  view.setUint32(8, written, true)
  view.setUint32(12, checksumOf(slot, written), true)
  return slot
}

function checksumOf(slot: Uint8Array, length: number): number {
  return crc32(slot, crc32(slot, 0, 0, 12), headerBytes, headerBytes + length)
}

interface Slot {
  readonly sequence: number
  readonly text: string
}

function decodeSlot(slot: Uint8Array): Slot | undefined {
  if (slot.length < SLOT_BYTES) return undefined
  const view = new DataView(slot.buffer, slot.byteOffset, SLOT_BYTES)
  const length = view.getUint32(8, true)
  if (view.getUint32(0, true) !== magic || length > SLOT_BYTES - headerBytes) return undefined
  if (view.getUint32(12, true) !== checksumOf(slot, length)) return undefined
  const text = new TextDecoder().decode(slot.subarray(headerBytes, headerBytes + length))
  return { sequence: view.getUint32(4, true), text }
}

/** What is in force in a whole file; undefined where neither slot holds. */
export function readOwnerFile(bytes: Uint8Array): string | undefined {
  return slotInForce(bytes)?.text
}

function slotInForce(bytes: Uint8Array): Slot | undefined {
  const slots = [0, SLOT_BYTES].map((at) => decodeSlot(bytes.subarray(at, at + SLOT_BYTES)))
  const [first, second] = slots
  if (first === undefined || second === undefined) return first ?? second
  return first.sequence > second.sequence ? first : second
}

/** A record that may be written again. One write at a time. */
export class OwnerFile {
  readonly #path: string
  readonly #file: FileHandle
  #sequence: number

  private constructor(path: string, file: FileHandle, sequence: number) {
    this.#path = path
    this.#file = file
    this.#sequence = sequence
  }

  /** Makes one, durable with all of its room. Rejects as `node:fs` does. */
  static async create(path: string, text: string): Promise<OwnerFile> {
    const bytes = new Uint8Array(2 * SLOT_BYTES)
    bytes.set(encodeSlot(1, text))
    const temporary = `${path}.tmp`
    const file = await open(temporary, 'w', 0o600)
    try {
      await file.write(bytes, 0, bytes.length, 0)
      await file.sync()
      await rename(temporary, path)
      await syncDirectory(path)
    } catch (thrown) {
      await file.close()
      await unlink(temporary).catch(() => {})
      throw thrown
    }
    return new OwnerFile(path, file, 1)
  }

  /** One that another process left. Rejects as `node:fs` does. */
  static async open(path: string): Promise<OwnerFile> {
    const file = await open(path, 'r+')
    const bytes = new Uint8Array(2 * SLOT_BYTES)
    await file.read(bytes, 0, bytes.length, 0)
    return new OwnerFile(path, file, slotInForce(bytes)?.sequence ?? 0)
  }

  /** Resolves when it is durable. Rejects as `node:fs` does: then either may be in force. */
  async write(text: string): Promise<void> {
    const sequence = this.#sequence + 1
    const slot = encodeSlot(sequence, text)
    // The slot that is not in force: what is stays whole until this one is.
    await this.#file.write(slot, 0, slot.length, ((sequence + 1) % 2) * SLOT_BYTES)
    await this.#file.datasync()
    this.#sequence = sequence
  }

  async close(): Promise<void> {
    await this.#file.close()
  }

  /** Nobody needs it any more. */
  async remove(): Promise<void> {
    await this.close()
    await unlink(this.#path)
    await syncDirectory(this.#path)
  }
}

/** A name is durable when its directory is. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(dirname(path), 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

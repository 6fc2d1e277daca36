/**
 * The file that is a VM's RAM (`memory-backend-file,share=on`), as regions of this process' memory.
 *
 * @module
 */
import { closeSync, fstatSync, ftruncateSync, openSync, rmSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { getSystemErrorName } from 'node:util'
import {
  formatBytes,
  GodwitError,
  LimitError,
  MIB,
  type PageBitmap,
  type Region,
  type RegionShape,
  systemClock,
  yieldTo,
} from '@godwit/core'
import { FileMemory, SoftDirtyMarks, type SystemCalls } from '@godwit/linux'
import { allocateRegion, REGION_BYTES_MAX } from '@godwit/memory'
import { cutLengths } from './block-regions.ts'

/** What the kernel finds room for before others have their turn: some milliseconds. */
const allocatedAtOnceBytes: number = 16 * MIB

/** The regions of RAM of so many bytes, both sides alike. */
export function ramShapes(byteLength: number): readonly RegionShape[] {
  const lengths = cutLengths(byteLength)
  return lengths.map((length, id) => {
    return { id, name: lengths.length === 1 ? 'ram' : `ram-${id}`, byteLength: length }
  })
}

/** RAM that is mapped here. */
export class RamFile {
  readonly path: string
  readonly byteLength: number
  readonly regions: readonly Region[]
  readonly #file: number
  readonly #memories: readonly FileMemory[]
  readonly #kernelPageBytes: number
  #isOpen = true

  /**
   * @param file - becomes this object's, also where this throws
   * @param newBytes - what it is to have from now on; without, it stays as it is
   * @throws {GodwitError} `USAGE`: it cannot be mapped {@link LimitError} `NO_ROOM`
   */
  private constructor(calls: SystemCalls, path: string, file: number, newBytes?: number) {
    this.path = path
    this.#file = file
    this.#kernelPageBytes = calls.kernelPageBytes
    this.byteLength = newBytes ?? fstatSync(file).size
    const memories: FileMemory[] = []
    this.#memories = memories
    try {
      if (newBytes !== undefined) ftruncateSync(file, newBytes)
      for (const shape of ramShapes(this.byteLength)) {
        const offset = shape.id * REGION_BYTES_MAX
        const region = allocateRegion({ ...shape, comparesInPlace: true })
        memories.push(new FileMemory(calls, region, file, offset, this.byteLength))
      }
    } catch (error) {
      this.close()
      throw error
    }
    this.regions = memories.map(({ region }) => region)
  }

  /**
   * RAM that a VM has already.
   *
   * @throws {GodwitError} `FILE_UNREADABLE`; `GUEST_OPTION`: no file of whole pages; `USAGE`
   */
  static open(calls: SystemCalls, path: string): RamFile {
    let file: number
    try {
      file = openSync(path, 'r+')
    } catch (error) {
      const text = `The VM's RAM file ${path} cannot be opened (${codeOf(error)})`
      throw new GodwitError('FILE_UNREADABLE', text, { cause: error })
    }
    const { size } = fstatSync(file)
    if (size > 0 && size % calls.kernelPageBytes === 0) return new RamFile(calls, path, file)
    closeSync(file)
    throw new GodwitError('GUEST_OPTION', `${path} has ${size} bytes: it is not the RAM of a VM`)
  }

  /**
   * Fresh RAM, for which there is room; all of it is zero.
   *
   * @param path - must not be there yet
   * @throws {LimitError} `NO_ROOM` with what is lacking
   * @throws {GodwitError} `FILE_UNWRITABLE`, `USAGE`; then there is no file
   */
  static async create(calls: SystemCalls, path: string, byteLength: number): Promise<RamFile> {
    let file: number
    try {
      checkRoom(path, byteLength)
      // Nobody else's business: it is all that the guest has in memory.
      file = openSync(path, 'wx+', 0o600)
    } catch (error) {
      if (error instanceof GodwitError) throw error
      const text = `The VM's RAM file ${path} cannot be made (${codeOf(error)})`
      throw new GodwitError('FILE_UNWRITABLE', text, { cause: error })
    }
    let ram: RamFile | undefined
    try {
      ram = new RamFile(calls, path, file, byteLength)
      await ram.#allocate(calls)
      return ram
    } catch (error) {
      ram?.close()
      rmSync(path, { force: true })
      throw error
    }
  }

  /** Touching what there is no room for would end the process. */
  async #allocate(calls: SystemCalls): Promise<void> {
    for (let at = 0; at < this.byteLength; at += allocatedAtOnceBytes) {
      const byteCount = Math.min(allocatedAtOnceBytes, this.byteLength - at)
      const result = calls.tryAllocate(this.#file, at, byteCount)
      if (result < 0 && getSystemErrorName(result) === 'ENOSPC')
        throw full(this.path, this.byteLength, at)
      // Where the file system has no such call, the look at its free room must do.
      await yieldTo(systemClock)
    }
  }

  /** See `Guest.addUntouched`. */
  addUntouched(pageBytes: number, region: number, into: PageBitmap): void {
    this.#memories[region]?.addHoles(pageBytes, into)
  }

  /**
   * What the kernel marks of stores of the only other process that has the file in its memory; to
   * be closed before this is.
   *
   * @returns or why there is nothing
   */
  openMarks(): SoftDirtyMarks | { readonly reason: string } {
    return SoftDirtyMarks.open({
      path: this.path,
      file: this.#file,
      regionBytes: this.regions.map(({ bytes }) => bytes.length),
      kernelPageBytes: this.#kernelPageBytes,
    })
  }

  /** Whether QEMU's mem-path is this very file. */
  is(device: number, inode: number): boolean {
    const { dev, ino } = fstatSync(this.#file)
    return dev === device && ino === inode
  }

  /** The regions are this process' own from here on; the file stays. Idempotent. */
  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    for (const memory of this.#memories) memory.close()
    closeSync(this.#file)
  }

  /** {@link close}, and the file is no more. */
  remove(): void {
    this.close()
    rmSync(this.path, { force: true })
  }
}

function checkRoom(path: string, byteLength: number): void {
  const { bavail, bsize } = statfsSync(dirname(path))
  const free = bavail * bsize
  if (free < byteLength) throw full(path, byteLength, free)
}

function full(path: string, byteLength: number, free: number): LimitError {
  const text =
    `The VM needs ${formatBytes(byteLength)} for its RAM file, and ${formatBytes(free)} are ` +
    `free in ${dirname(path)}; --guest qemu,...,ram=FOLDER takes another place`
  return new LimitError('NO_ROOM', text, { limit: 'ramFile', value: byteLength, maximum: free })
}

function codeOf(error: unknown): string {
  return (error as { code?: string }).code ?? String(error)
}

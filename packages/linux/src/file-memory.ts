/**
 * A file as memory of this process: what another program keeps in a file that it maps (the RAM of a
 * virtual machine), all threads here load and store in place.
 *
 * @module
 */
import { GodwitError, type PageBitmap, type Region, toGodwitError } from '@godwit/core'
import { startOf } from './process-memory.ts'
import { loadSystemCalls, type SystemCalls } from './system-calls.ts'

/** A file of more pieces has been written all over: the rest of it counts as data. */
const runsMax = 8192

/**
 * The system calls that {@link FileMemory} takes.
 *
 * @throws {GodwitError} `USAGE`: this machine has them not, and why
 */
export async function loadFileMemory(
  load: () => Promise<SystemCalls> = loadSystemCalls,
): Promise<SystemCalls> {
  try {
    return await load()
  } catch (thrown) {
    const reason = toGodwitError(thrown).message
    const text = `Files cannot be used as memory here: ${reason}; that takes Linux and npm's koffi`
    throw new GodwitError('USAGE', text, { cause: thrown })
  }
}

/** Bytes of the file. */
interface Run {
  readonly start: number
  readonly end: number
}

/**
 * A piece of a file in the place of a region's memory: {@link Region.bytes} is the file's content,
 * for every thread that has it, until {@link close}.
 *
 * The file must not become shorter meanwhile: touching what is not there any more ends the process
 * (`SIGBUS`). So does touching a hole where its file system is full, see
 * {@link SystemCalls.tryAllocate}.
 */
export class FileMemory {
  readonly region: Region
  readonly #calls: SystemCalls
  readonly #start: number
  readonly #mappedBytes: number
  readonly #file: number
  readonly #offset: number
  /** As of the last look. */
  #holes: readonly Run[] | undefined
  #isOpen = true

  /**
   * Maps `region.bytes.length` bytes of `file` from `offset` on. The caller keeps the descriptor
   * open until {@link close}, and closes it.
   *
   * @param region - a shared `WebAssembly.Memory`, whose content is lost
   * @throws {GodwitError} `USAGE`: the region does not start with a page, the file ends too early,
   *   or cannot be mapped in pages of the kernel (as on hugetlbfs)
   */
  constructor(calls: SystemCalls, region: Region, file: number, offset: number, fileBytes: number) {
    const { byteLength } = region.bytes
    const { kernelPageBytes } = calls
    this.region = region
    this.#calls = calls
    this.#start = startOf(region, calls)
    this.#mappedBytes = Math.ceil(byteLength / kernelPageBytes) * kernelPageBytes
    this.#file = file
    this.#offset = offset
    if (offset + byteLength > fileBytes) {
      const end = offset + byteLength
      const text = `The file ends at ${fileBytes}, region "${region.name}" at ${end}`
      throw new GodwitError('USAGE', text)
    }
    try {
      calls.mapFile(this.#start, this.#mappedBytes, file, offset)
    } catch (thrown) {
      const text = `The file cannot be mapped as memory: ${toGodwitError(thrown).message}`
      throw new GodwitError('USAGE', text, { cause: thrown })
    }
  }

  /**
   * Adds pages that are holes of the file: they hold zero bytes, and a look would fill them in.
   * Those in the midst of being stored to may be told or not, and those that became holes since
   * the first time are not.
   */
  addHoles(pageBytes: number, into: PageBitmap): void {
    if (!this.#isOpen) return
    const end = this.#offset + this.region.bytes.byteLength
    this.#holes = this.#findHoles(this.#holes ?? [{ start: this.#offset, end }])
    for (const hole of this.#holes) {
      const first = Math.ceil((hole.start - this.#offset) / pageBytes)
      const isLast = hole.end === end
      const last = isLast ? into.pageCount : Math.floor((hole.end - this.#offset) / pageBytes)
      for (let page = first; page < last; page++) into.add(page)
    }
  }

  /** What are holes still. Through data the kernel goes page by page: nobody looks there. */
  #findHoles(within: readonly Run[]): readonly Run[] {
    const holes: Run[] = []
    let runs = 0
    for (const { start, end } of within) {
      for (let at = start; at < end && runs < runsMax; runs++) {
        const data = Math.min(end, this.#calls.seek('data', this.#file, at) ?? end)
        if (data > at) holes.push({ start: at, end: data })
        if (data === end) break
        at = this.#calls.seek('hole', this.#file, data) ?? end
      }
    }
    return holes
  }

  /**
   * From here on the memory is fresh and this process' own: whoever still holds it does not touch
   * the file any more. Idempotent.
   */
  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#calls.mapFresh(this.#start, this.#mappedBytes)
  }
}

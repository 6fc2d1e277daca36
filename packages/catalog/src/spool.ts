/**
 * Input that comes once and may take its time, kept until all of it is there: in a file that nobody
 * else can open, and that is gone with the process.
 *
 * @module
 */
import type { FileHandle } from 'node:fs/promises'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GodwitError } from '@godwit/core'

export class Spool {
  readonly #file: FileHandle

  private constructor(file: FileHandle) {
    this.#file = file
  }

  /** @throws {GodwitError} `FILE_UNWRITABLE` */
  static open(): Promise<Spool> {
    return writing(async () => {
      const folder = await mkdtemp(join(tmpdir(), 'godwit-import-'))
      try {
        return new Spool(await open(join(folder, 'lines'), 'wx+', 0o600))
      } finally {
        // It has no name from here on.
        await rm(folder, { recursive: true, force: true })
      }
    })
  }

  /**
   * Passes chunks on, and keeps them.
   *
   * @throws {GodwitError} `FILE_UNWRITABLE`
   */
  async *keep(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      await writing(() => this.#file.writeFile(chunk))
      yield chunk
    }
  }

  /** What was kept, from its beginning. */
  read(): AsyncIterable<Uint8Array> {
    return this.#file.createReadStream({ start: 0, autoClose: false })
  }

  async close(): Promise<void> {
    await this.#file.close()
  }
}

async function writing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown)
    throw new GodwitError('FILE_UNWRITABLE', `What is imported cannot be kept: ${reason}`)
  }
}

/**
 * One migration as QEMU sees it: its `migrate` to a socket of this process, which is read no faster
 * than the engine sends.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  GodwitError,
  type GuestStop,
  KIB,
  releaseChunk,
  SinkFeed,
  toGodwitError,
} from '@godwit/core'
import { toDirectSocket } from '@godwit/transport'
import { askMigration, isUnderWay, type MigrationInfo } from './migration-info.ts'
import type { QmpClient } from './qmp.ts'
import { type BlockParts, STREAM_PAGE_BYTES, type StreamSetup } from './stream-format.ts'
import type { MarksTaken } from './stream-memory.ts'
import { PAGES_BYTES, PassLeft, ROUND_BYTES, isLittle, readAheadBytes } from './stream-pace.ts'
import { StreamReader } from './stream-reader.ts'
import { type AppliedSettings, applySettings } from './stream-settings.ts'

/** QEMU connects at once; the machine may have many disks. */
const setupLimitMs = 30_000
/** Of a disk that is slow to take what is under way. */
const stopLimitMs = 60_000
/** As long as a timer can be: who else waits has a limit of his own. */
const forEverMs = 2 ** 31 - 1
const progressMs = 50
/** More than the kernel keeps for a socket of this kind. */
const readBytes = 256 * KIB
const settleMs = 2
/** Of QEMU's passes over memory. Each begins by a look at its log of stores, which it counts. */
const secondPass = 2

const failures: ReadonlySet<string> = new Set(['failed', 'cancelled'])

export interface StreamRunOptions {
  readonly qmp: QmpClient
  /** QEMU's `downtime-limit`; what it has else. */
  readonly downtimeMs: number | undefined
  /** Hears what memory there is, once, and gives it. */
  readonly begin: (setup: StreamSetup) => BlockParts
}

/** Use once. It reads nothing but what memory there is before {@link begun}. */
export class StreamRun implements MarksTaken {
  /** Resolves when all of it is here and the machine stands; rejects when it does not come. */
  readonly ended: Promise<void>
  readonly #qmp: QmpClient
  readonly #reader: StreamReader
  readonly #folder: string
  readonly #server: Server
  readonly #end = Promise.withResolvers<void>()
  readonly #isSetUp = Promise.withResolvers<void>()
  readonly #over = new AbortController()
  #socket: Socket | undefined
  #settings: AppliedSettings | undefined
  #isWanted = false
  #isUnlimited = false
  #isEnded = false
  #hasAll = false
  readonly #left = new PassLeft()
  #stoppedMs: number | undefined
  #passes = 0
  /** Who waits for so many bytes of pages. */
  #enough: ({ readonly bytes: number } & PromiseWithResolvers<void>) | undefined

  /** Resolves when it is known what memory there is. @throws {GodwitError} `GUEST_FAILED` */
  static async begin(options: StreamRunOptions): Promise<StreamRun> {
    const run = new StreamRun(options)
    try {
      await run.#start(options)
    } catch (thrown) {
      await run.cancel().catch(() => {})
      throw thrown
    }
    return run
  }

  private constructor({ qmp, begin }: StreamRunOptions) {
    this.#qmp = qmp
    this.ended = this.#end.promise
    this.ended.catch(() => {})
    this.#isSetUp.promise.catch(() => {})
    this.#reader = new StreamReader((setup) => {
      const memory = begin(setup)
      this.#isSetUp.resolve()
      return memory
    })
    this.#folder = mkdtempSync(join(tmpdir(), 'godwit-'))
    this.#server = createServer((socket) => this.#accept(socket))
  }

  async #start({ downtimeMs }: StreamRunOptions): Promise<void> {
    this.#settings = await applySettings(this.#qmp, downtimeMs)
    const path = join(this.#folder, 'stream')
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(path, resolve)
    })
    this.#watchStops()
    await this.#qmp.execute('migrate', { uri: `unix:${path}` })
    void this.#followProgress()
    const late = 'QEMU does not begin its stream'
    const timer = setTimeout(() => this.#fail(new GodwitError('GUEST_FAILED', late)), setupLimitMs)
    try {
      await this.#isSetUp.promise
    } finally {
      clearTimeout(timer)
    }
  }

  /** Everything behind the memory, in pieces; when it has ended. */
  get rest(): readonly Uint8Array[] {
    return this.#reader.rest
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  begun(): void {
    this.#reader.markedPages = 0
    this.#isWanted = true
    this.#goOn()
  }

  taken(pages: number): void {
    this.#reader.markedPages = Math.max(0, this.#reader.markedPages - pages)
    this.#goOn()
  }

  /** The machine is to stand, if it does not yet: all that is left comes at once. */
  async stop(): Promise<void> {
    this.#isWanted = true
    this.#isUnlimited = true
    this.#goOn()
    if (!this.#isEnded) await this.#qmp.execute('stop', {}, stopLimitMs)
    await this.ended
  }

  /** @returns how many pages may wait to be sent, beside those that nobody has taken */
  async nextPages(): Promise<number> {
    if (!this.#isEnding) await this.#pages(PAGES_BYTES)
    return this.#isEnding ? 0 : this.#readAheadBytes / STREAM_PAGE_BYTES
  }

  /** Resolves when there is enough for a round, or with how the machine stopped. */
  async nextRound(): Promise<GuestStop | undefined> {
    if (!this.#isEnding) await this.#pages(ROUND_BYTES)
    if (this.#isEnding) {
      // Nobody takes any of it before all is here.
      this.#isUnlimited = true
      this.#goOn()
      await this.ended
    }
    if (!this.#isEnded) return undefined
    await this.ended
    const stoodMs = performance.now() - (this.#stoppedMs ?? performance.now())
    return { stoodMs, numbers: { passes: this.#passes } }
  }

  /**
   * Ends it, wherever it is, and lets the machine go on if it stands because of it.
   *
   * @throws {GodwitError} `GUEST_FAILED`: it does not
   */
  async cancel(): Promise<void> {
    try {
      const asked = this.#isEnded ? undefined : this.#qmp.execute('migrate_cancel')
      // In its last phase QEMU hears nothing as long as nobody reads.
      this.#fail(new GodwitError('GUEST_FAILED', 'The stream of QEMU was cancelled'))
      await asked
      await this.#settled()
      const { status } = await this.#qmp.execute<{ status: string }>('query-status')
      if (status !== 'running') await this.#qmp.execute('cont')
    } finally {
      await this.close()
    }
  }

  /** QEMU's settings are as they were. What has ended stays as it is. */
  async close(): Promise<void> {
    this.#fail(new GodwitError('GUEST_FAILED', 'The stream of QEMU was closed'))
    this.#server.close()
    rmSync(this.#folder, { recursive: true, force: true })
    const settings = this.#settings
    this.#settings = undefined
    await settings?.restore()
  }

  get #aheadBytes(): number {
    return this.#reader.markedPages * STREAM_PAGE_BYTES
  }

  get #readAheadBytes(): number {
    return readAheadBytes(this.#leftBytes, this.#stoppedMs !== undefined)
  }

  get #leftBytes(): number {
    return this.#left.leftBytes(this.#reader.pages)
  }

  #accept(accepted: Socket): void {
    if (this.#socket !== undefined) return void accepted.destroy()
    this.#server.close()
    const socket = this.#open(accepted)
    this.#socket = socket
    socket.on('error', (cause) => this.#fail(lost(cause)))
    socket.on('end', () => {
      this.#hasAll = true
      void this.#finish()
    })
    socket.on('close', () => {
      if (!this.#hasAll) this.#fail(lost())
    })
  }

  /** Reads into one buffer again and again where this Node can do that. */
  #open(accepted: Socket): Socket {
    const buffer = new Uint8Array(readBytes)
    const feed = new SinkFeed()
    feed.open({
      space: () => buffer,
      received: (byteCount) => this.#take(buffer.subarray(0, byteCount)),
      closed: () => {},
    })
    // QEMU does not wait for an answer, and its rate is that of whoever sends.
    const direct = toDirectSocket(accepted, feed, false)
    if (direct === undefined) {
      accepted.on('data', (chunk: Uint8Array) => {
        this.#take(chunk)
        releaseChunk(chunk)
      })
      return accepted
    }
    const { socket, early } = direct
    socket.on('close', () => accepted.destroy())
    this.#socket = socket
    socket.resume()
    if (early !== undefined) this.#take(early)
    return socket
  }

  #take(chunk: Uint8Array): void {
    try {
      this.#reader.push(chunk)
    } catch (thrown) {
      return this.#fail(toGodwitError(thrown))
    }
    this.#tellOfPages()
    if (!this.#reader.isPastMemory && !this.#mayRead) this.#socket!.pause()
  }

  /** Resolves when so much has come that nobody has taken, or all is here. */
  async #pages(bytes: number): Promise<void> {
    if (this.#isEnded || this.#aheadBytes >= bytes) return
    if (this.#over.signal.aborted) return this.ended
    // What is raced with something that lasts is kept as long as that: so there is one for each.
    this.#enough = { bytes, ...Promise.withResolvers<void>() }
    await this.#enough.promise
  }

  /** The machine stands, and so little is left that it need not go while the rest comes. */
  get #isEnding(): boolean {
    return this.#isEnded || (this.#stoppedMs !== undefined && isLittle(this.#leftBytes))
  }

  #tellOfPages(): void {
    if (this.#enough === undefined) return
    if (this.#aheadBytes < this.#enough.bytes && !this.#isEnding) return
    this.#enough.resolve()
    this.#enough = undefined
  }

  #goOn(): void {
    if (this.#mayRead) this.#socket?.resume()
  }

  get #mayRead(): boolean {
    return this.#isUnlimited || (this.#isWanted && this.#aheadBytes < this.#readAheadBytes)
  }

  /** QEMU has closed its end: was that all? */
  async #finish(): Promise<void> {
    try {
      const info = await this.#settled()
      if (info.status !== 'completed') throw endedAs(info)
      this.#reader.end()
      this.#passes = info.ram?.['dirty-sync-count'] ?? 0
      this.#isEnded = true
      this.#over.abort()
      this.#end.resolve()
      this.#tellOfPages()
    } catch (thrown) {
      this.#fail(toGodwitError(thrown))
    }
  }

  #fail(error: GodwitError): void {
    this.#isSetUp.reject(error)
    this.#over.abort()
    this.#end.reject(error)
    this.#enough?.reject(error)
    this.#enough = undefined
    this.#socket?.destroy()
  }

  /** When QEMU is at none of what lasts a moment. */
  async #settled(): Promise<MigrationInfo> {
    for (;;) {
      const info = await askMigration(this.#qmp)
      if (!isUnderWay(info)) return info
      await sleep(settleMs)
    }
  }

  #watchStops(): void {
    const sinceMs = Date.now()
    const stopped = this.#qmp.event(
      ({ name, atMs }) => name === 'STOP' && atMs >= sinceMs,
      forEverMs,
    )
    const stands = (): void => {
      this.#stoppedMs = performance.now()
      this.#tellOfPages()
      this.#goOn()
    }
    stopped.then(stands, () => {})
    const passed = this.#qmp.event(({ name, data, atMs }) => {
      return name === 'MIGRATION_PASS' && Number(data['pass']) >= secondPass && atMs >= sinceMs
    }, forEverMs)
    passed.then(
      () => this.#allowPause(),
      () => {},
    )
  }

  /** A machine that may stand for the first pass's limit only might never stop. */
  async #allowPause(): Promise<void> {
    try {
      await this.#settings?.allowPause()
    } catch (thrown) {
      this.#fail(toGodwitError(thrown))
    }
  }

  /** How much may be read ahead hangs on what QEMU has left. */
  async #followProgress(): Promise<void> {
    const { signal } = this.#over
    try {
      while (!signal.aborted) {
        const { pages } = this.#reader
        const info = await askMigration(this.#qmp)
        if (failures.has(info.status ?? '')) return this.#fail(endedAs(info))
        this.#left.say(info.ram?.remaining ?? 0, pages)
        this.#goOn()
        await sleep(progressMs, undefined, { signal })
      }
    } catch {
      // It is over, or QEMU is gone: both are heard of elsewhere.
    }
  }
}

function endedAs({ status = 'none', 'error-desc': reason }: MigrationInfo): GodwitError {
  const why = reason === undefined ? '' : `: ${reason}`
  return new GodwitError('GUEST_FAILED', `QEMU's migration ended as ${status}${why}`)
}

function lost(cause?: Error): GodwitError {
  const why = cause === undefined ? '' : ` (${cause.message})`
  return new GodwitError('GUEST_FAILED', `QEMU has dropped its migration stream${why}`, { cause })
}

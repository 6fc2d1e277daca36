/**
 * Everything of a VM beside its RAM: what QEMU's own migration sends where shared RAM is left out.
 * It goes through a Unix socket, whose ends meet before the pause where they can.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { formatBytes, GodwitError, LimitError, toGodwitError } from '@godwit/core'
import type { QmpClient } from './qmp.ts'
import { TOLD_BYTES_MAX } from './state-package.ts'

const stateLimitMs = 30_000
const connectTries = 200
const retryMs = 5

/** A folder for sockets, which nobody else may look into. */
export function makeFolder(): string {
  return mkdtempSync(join(tmpdir(), 'godwit-qemu-'))
}

/** Whether the event tells of a migration that is over. */
function isOver({
  name,
  data,
}: {
  name: string
  data: Readonly<Record<string, unknown>>
}): boolean {
  return name === 'MIGRATION' && /^(completed|failed|cancelled)$/.test(String(data['status']))
}

/** Takes the state of a VM that is paused; one at a time. */
export class StateReader {
  readonly #qmp: QmpClient
  readonly #folder: string
  readonly #path: string
  readonly #server: Server
  #took: ((socket: Socket) => void) | undefined
  #isBusy = false

  private constructor(qmp: QmpClient) {
    this.#qmp = qmp
    this.#folder = makeFolder()
    this.#path = join(this.#folder, 'state')
    this.#server = createServer((socket) => {
      socket.on('error', () => socket.destroy())
      if (this.#took === undefined) socket.destroy()
      else this.#took(socket)
    })
  }

  /** Listens for QEMU. @throws {GodwitError} `FILE_UNWRITABLE` */
  static async listen(qmp: QmpClient): Promise<StateReader> {
    const reader = new StateReader(qmp)
    try {
      await new Promise<void>((resolve, reject) => {
        reader.#server.once('error', reject).listen(reader.#path, resolve)
      })
      return reader
    } catch (error) {
      reader.close()
      const text = `No socket can be made in ${reader.#folder}: ${toGodwitError(error).message}`
      throw new GodwitError('FILE_UNWRITABLE', text, { cause: error })
    }
  }

  /**
   * Has QEMU write it.
   *
   * @throws {GodwitError} `GUEST_FAILED` with QEMU's reason
   * @throws {LimitError} `LIMIT_EXCEEDED`
   */
  async read(): Promise<Uint8Array> {
    const taken = Promise.withResolvers<Socket>()
    this.#took = taken.resolve
    this.#isBusy = true
    const beginMs = Date.now()
    try {
      const { promise: state, stop } = this.#receive(taken.promise)
      const over = this.#qmp.event((event) => isOver(event) && event.atMs >= beginMs, stateLimitMs)
      over.catch(() => {})
      try {
        await this.#qmp.execute('migrate', { uri: `unix:${this.#path}` })
        const { data } = await over
        if (data['status'] !== 'completed') throw new GodwitError('GUEST_FAILED', await this.#why())
        return await state
      } finally {
        stop()
        state.catch(() => {})
      }
    } finally {
      this.#took = undefined
      this.#isBusy = false
    }
  }

  /** All bytes of the connection that comes. */
  #receive(coming: Promise<Socket>): { promise: Promise<Uint8Array>; stop: () => void } {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
    let socket: Socket | undefined
    void coming.then((come) => {
      socket = come
      const pieces: Buffer[] = []
      let byteLength = 0
      come.on('data', (piece) => {
        pieces.push(piece)
        byteLength += piece.length
        if (byteLength <= TOLD_BYTES_MAX) return
        come.destroy()
        reject(tooLarge(byteLength))
      })
      come.on('end', () => resolve(Buffer.concat(pieces)))
      come.on('close', () =>
        reject(new GodwitError('GUEST_FAILED', 'The state of the VM broke off')),
      )
    })
    return { promise, stop: () => void socket?.destroy() }
  }

  async #why(): Promise<string> {
    const status = await this.#qmp.execute<{ 'error-desc'?: string }>('query-migrate')
    return `QEMU cannot tell the state of the VM: ${status['error-desc'] ?? 'it was cancelled'}`
  }

  /** Gives up a state that is being read; it has, when this resolves. */
  async cancel(): Promise<void> {
    if (!this.#isBusy) return
    await this.#qmp.execute('migrate_cancel')
  }

  close(): void {
    this.#server.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

function tooLarge(byteLength: number): LimitError {
  const text =
    `The state of the VM's devices has more than ${formatBytes(TOLD_BYTES_MAX)}: memory of ` +
    'devices is in it, as of a large display; only RAM is in the file'
  const facts = { limit: 'stateBytesMax', value: byteLength, maximum: TOLD_BYTES_MAX }
  return new LimitError('LIMIT_EXCEEDED', text, facts)
}

/** Gives a QEMU that was started with `-incoming defer` the state of its VM. */
export class StateWriter {
  readonly #qmp: QmpClient
  readonly #socket: Socket
  #failure: Error | undefined

  private constructor(qmp: QmpClient, socket: Socket) {
    this.#qmp = qmp
    this.#socket = socket
    socket.on('error', (error) => {
      this.#failure = error
    })
  }

  /** Connects; nothing is written yet. @throws {GodwitError} `GUEST_FAILED` */
  static async connect(qmp: QmpClient, path: string): Promise<StateWriter> {
    await qmp.execute('migrate-incoming', { uri: `unix:${path}` })
    for (let i = 0; ; i++) {
      const socket = createConnection(path)
      try {
        await new Promise((resolve, reject) => {
          socket.once('connect', resolve).once('error', reject)
        })
        return new StateWriter(qmp, socket)
      } catch (error) {
        socket.destroy()
        if (i >= connectTries) {
          const text = `QEMU does not take the state of a VM at ${path}`
          throw new GodwitError('GUEST_FAILED', text, { cause: error })
        }
        await sleep(retryMs)
      }
    }
  }

  /** Some of it; resolves when QEMU may have more. What is wrong {@link write} tells. */
  async send(bytes: Uint8Array): Promise<void> {
    // Called when it fails, too.
    await new Promise<void>((resolve) => void this.#socket.write(bytes, () => resolve()))
  }

  /**
   * All the rest. Resolves when QEMU has loaded all of it, and stands.
   *
   * @throws {GodwitError} `GUEST_FAILED`: it did not
   */
  async write(state: Uint8Array): Promise<void> {
    const over = this.#qmp.event(isOver, stateLimitMs)
    this.#socket.end(state)
    const { data } = await over
    if (data['status'] === 'completed') return
    const reason = this.#failure?.message ?? 'it says no more'
    throw new GodwitError('GUEST_FAILED', `QEMU did not load the state of the VM: ${reason}`)
  }

  close(): void {
    this.#socket.destroy()
  }
}

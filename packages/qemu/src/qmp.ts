/**
 * A client of QEMU's machine protocol over a Unix socket: commands with time limits, and events.
 *
 * A command is answered under its number, so that an answer that is too late is known, and dropped.
 * What QEMU says is bounded: it is another program, and may be any.
 *
 * @module
 */
import { createConnection, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { GodwitError, MIB, toGodwitError } from '@godwit/core'
import { parseQmpLine, type QmpEvent, type QmpLine, QmpRefusal } from './qmp-line.ts'

/** The longest answer known, of `query-qmp-schema`, has a few hundred KiB. */
const lineLengthMax: number = 16 * MIB
/** Kept for those who ask later: a machine that moves tells some tens of them. */
const eventsKeptMax = 1024
const commandLimitMs = 10_000
const retryMs = 10

/** How a connection is made. */
export interface QmpConnectOptions {
  /** For the socket to be there, where {@link waits}, and for the greeting; default 5 s. */
  readonly limitMs?: number
  /** The socket may not be there yet: QEMU was just started. */
  readonly waits?: boolean
  /** Gives up waiting, with its reason. */
  readonly signal?: AbortSignal
}

interface Pending {
  readonly command: string
  readonly resolve: (value: unknown) => void
  readonly reject: (error: GodwitError) => void
}

/** A connection to one QEMU. */
export class QmpClient {
  /** Resolves with the reason when the connection is over, by {@link close}, too. */
  readonly closed: Promise<GodwitError>
  /** As its greeting says it: `7.2.22`. */
  version = ''
  readonly #socket: Socket
  readonly #path: string
  readonly #pending = new Map<number, Pending>()
  readonly #events: QmpEvent[] = []
  readonly #watchers = new Set<() => void>()
  readonly #greeted = Promise.withResolvers<void>()
  readonly #ended = Promise.withResolvers<GodwitError>()
  #failure: GodwitError | undefined
  #shutDownBy: string | undefined
  #lastId = 0
  #begun = ''

  /**
   * Connects, and makes QEMU ready for commands.
   *
   * @throws {GodwitError} `GUEST_OPTION`: nobody is at `path`, or it is busy with another client;
   *   `GUEST_FAILED`: what is there is not QEMU
   */
  static async connect(path: string, options: QmpConnectOptions = {}): Promise<QmpClient> {
    const { limitMs = 5000, waits = false, signal } = options
    const endMs = performance.now() + limitMs
    for (;;) {
      const client = new QmpClient(path)
      try {
        await client.#greet(Math.max(1, endMs - performance.now()), signal)
        return client
      } catch (thrown) {
        client.close()
        const { code } = ((thrown as Error).cause ?? {}) as { code?: string }
        const isEarly = code === 'ENOENT' || code === 'ECONNREFUSED'
        if (!waits || !isEarly || performance.now() > endMs) throw thrown
        await sleep(retryMs, undefined, signal === undefined ? {} : { signal }).catch(() => {})
        signal?.throwIfAborted()
      }
    }
  }

  private constructor(path: string) {
    this.#path = path
    this.closed = this.#ended.promise
    this.#greeted.promise.catch(() => {})
    this.#socket = createConnection(path)
    this.#socket.setEncoding('utf8')
    this.#socket.on('data', (text: string) => this.#take(text))
    this.#socket.on('error', (cause) => this.#fail(unreachable(path, cause)))
    this.#socket.on('close', () => {
      this.#fail(new GodwitError('GUEST_FAILED', `QEMU has closed its QMP socket ${path}`))
    })
  }

  async #greet(limitMs: number, signal: AbortSignal | undefined): Promise<void> {
    const giveUp = (): void => this.#fail(toGodwitError(signal!.reason))
    const isLate = (): void => this.#fail(silent(this.#path))
    const timer = setTimeout(isLate, limitMs)
    signal?.addEventListener('abort', giveUp, { once: true })
    try {
      await this.#greeted.promise
      await this.execute('qmp_capabilities', {}, limitMs)
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', giveUp)
    }
  }

  /**
   * One command. The type of its answer is the caller's belief: check what matters.
   *
   * @throws {QmpRefusal} what QEMU says when it refuses
   * @throws {GodwitError} `GUEST_FAILED`: the connection ended, or there is no answer in time; a
   *   command without an answer may have been done
   */
  execute<T = unknown>(command: string, options: object = {}, limitMs?: number): Promise<T> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const id = ++this.#lastId
    const late = `QEMU does not answer ${command}; is its main thread busy, or the machine?`
    const timer = setTimeout(() => {
      this.#pending.delete(id)
      reject(new GodwitError('GUEST_FAILED', late))
    }, limitMs ?? commandLimitMs)
    const settle = <V>(end: (value: V) => void): ((value: V) => void) => {
      return (value) => {
        clearTimeout(timer)
        this.#pending.delete(id)
        end(value)
      }
    }
    this.#pending.set(id, {
      command,
      resolve: settle((value) => resolve(value as T)),
      reject: settle(reject),
    })
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: options, id })}\n`)
    return promise
  }

  /**
   * The first event that matches, of those that came (the last thousand) and of those to come.
   *
   * @throws {GodwitError} `GUEST_FAILED`: the connection ended, or it does not come in time
   */
  event(
    matches: (event: QmpEvent) => boolean,
    limitMs: number = commandLimitMs,
  ): Promise<QmpEvent> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer)
        this.#watchers.delete(look)
      }
      const look = (): void => {
        const found = this.#events.find(matches)
        if (found === undefined && this.#failure === undefined) return
        end()
        if (found === undefined) reject(this.#failure!)
        else resolve(found)
      }
      const timer = setTimeout(() => {
        end()
        reject(new GodwitError('GUEST_FAILED', 'QEMU does not say what was waited for'))
      }, limitMs)
      this.#watchers.add(look)
      look()
    })
  }

  /** What QEMU ended for, as it says itself (`guest-shutdown`); undefined while it goes on. */
  get shutDownBy(): string | undefined {
    return this.#shutDownBy
  }

  /** Whether commands are of no use any more. */
  get isClosed(): boolean {
    return this.#failure !== undefined
  }

  /** Ends the connection; QEMU goes on. Commands that are under way are rejected. */
  close(): void {
    this.#fail(new GodwitError('GUEST_FAILED', `The connection to ${this.#path} was closed`))
  }

  #take(text: string): void {
    this.#begun += text
    try {
      if (this.#begun.length > lineLengthMax) {
        throw new GodwitError('GUEST_FAILED', `A line of ${this.#path} is longer than 16 MiB`)
      }
      // What is not whole yet is not looked through again.
      if (!text.includes('\n')) return
      const lines = this.#begun.split('\n')
      this.#begun = lines.pop()!
      for (const line of lines) if (line.trim() !== '') this.#hear(parseQmpLine(line))
    } catch (thrown) {
      this.#fail(toGodwitError(thrown))
    }
  }

  #hear(line: QmpLine): void {
    if (line.type === 'greeting') {
      this.version = line.version
      this.#greeted.resolve()
    } else if (line.type === 'event') {
      const { name, data } = line.event
      if (name === 'SHUTDOWN') this.#shutDownBy = textOf(data['reason'])
      this.#events.push(line.event)
      if (this.#events.length > eventsKeptMax) this.#events.shift()
      for (const look of this.#watchers) look()
    } else {
      const pending = this.#pending.get(line.id ?? 0)
      if (line.type === 'answer') pending?.resolve(line.value)
      else pending?.reject(new QmpRefusal(pending.command, line.kind, line.text))
    }
  }

  #fail(error: GodwitError): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    this.#socket.destroy()
    this.#greeted.reject(error)
    for (const { reject } of this.#pending.values()) reject(error)
    for (const look of this.#watchers) look()
    this.#ended.resolve(error)
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : 'for no reason that it tells'
}

function unreachable(path: string, cause: Error): GodwitError {
  const { code = cause.message } = cause as { code?: string }
  const text =
    `There is no QEMU at the QMP socket ${path} (${code}); QEMU makes it with ` +
    `-qmp unix:${path},server=on,wait=off`
  return new GodwitError('GUEST_OPTION', text, { cause })
}

function silent(path: string): GodwitError {
  const text =
    `QEMU does not greet at the QMP socket ${path}: it serves one client at a time, so ` +
    'give it a -qmp socket of its own for this'
  return new GodwitError('GUEST_OPTION', text)
}

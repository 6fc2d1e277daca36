/**
 * QEMU's machine protocol over a Unix socket: one JSON object per line, commands answered in order,
 * events in between.
 *
 * @module
 */
import { once } from 'node:events'
import { createConnection } from 'node:net'
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

const connectTries = 500
const retryMs = 10

/** Something that happened in QEMU, by the host's clock. */
export interface QmpEvent {
  readonly name: string
  readonly data: Readonly<Record<string, unknown>>
  readonly atMs: number
}

/** What one line says. */
export type QmpLine =
  | { readonly type: 'greeting' }
  | { readonly type: 'event'; readonly event: QmpEvent }
  | { readonly type: 'answer'; readonly value: unknown }
  | { readonly type: 'refusal'; readonly text: string }

interface RawLine {
  readonly QMP?: object
  readonly event?: string
  readonly data?: Record<string, unknown>
  readonly timestamp?: { readonly seconds: number; readonly microseconds: number }
  readonly return?: unknown
  readonly error?: { readonly desc: string }
}

export function parseQmpLine(line: string): QmpLine {
  const raw = JSON.parse(line) as RawLine
  if (raw.QMP !== undefined) return { type: 'greeting' }
  if (raw.event !== undefined) {
    const { seconds, microseconds } = raw.timestamp!
    const atMs = seconds * 1e3 + microseconds / 1e3
    return { type: 'event', event: { name: raw.event, data: raw.data ?? {}, atMs } }
  }
  if (raw.error !== undefined) return { type: 'refusal', text: raw.error.desc }
  return { type: 'answer', value: raw.return }
}

interface Pending {
  readonly command: string
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

/** A connection to one QEMU. */
export class QmpClient {
  readonly #socket: Socket
  readonly #pending: Pending[] = []
  readonly #events: QmpEvent[] = []
  readonly #watchers = new Set<() => void>()
  #closed = false

  /** Waits for the socket to be there. */
  static async connect(path: string): Promise<QmpClient> {
    for (let i = 0; ; i++) {
      const socket = createConnection(path)
      try {
        await once(socket, 'connect')
        const client = new QmpClient(socket)
        await client.execute('qmp_capabilities')
        return client
      } catch (error) {
        socket.destroy()
        if (i >= connectTries) throw error
        await sleep(retryMs)
      }
    }
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    const lines = createInterface({ input: socket })
    lines.on('line', (line) => this.#take(parseQmpLine(line)))
    // A QEMU that ends may reset the connection; all that matters is that it is over.
    lines.on('error', () => socket.destroy())
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#end())
  }

  /** One command. @throws what QEMU says when it refuses, and when the connection ends */
  async execute<T = unknown>(command: string, options: object = {}): Promise<T> {
    if (this.#closed) throw new Error(`QEMU is gone; ${command} was not sent`)
    return new Promise<T>((resolve, reject) => {
      this.#pending.push({ command, resolve: resolve as (value: unknown) => void, reject })
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: options })}\n`)
    })
  }

  /** The first event that matches, of those that came and of those to come. */
  async event(matches: (event: QmpEvent) => boolean, limitMs: number): Promise<QmpEvent> {
    const deadline = AbortSignal.timeout(limitMs)
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        const found = this.#events.find(matches)
        if (found === undefined && !this.#closed && !deadline.aborted) return
        this.#watchers.delete(settle)
        deadline.removeEventListener('abort', settle)
        if (found === undefined) reject(new Error('QEMU did not say what was waited for'))
        else resolve(found)
      }
      this.#watchers.add(settle)
      deadline.addEventListener('abort', settle)
      settle()
    })
  }

  #take(line: QmpLine): void {
    if (line.type === 'greeting') return
    if (line.type === 'event') {
      this.#events.push(line.event)
      for (const watcher of this.#watchers) watcher()
      return
    }
    const pending = this.#pending.shift()
    if (line.type === 'answer') pending?.resolve(line.value)
    else pending?.reject(new Error(`QEMU refused ${pending.command}: ${line.text}`))
  }

  #end(): void {
    this.#closed = true
    for (const { command, reject } of this.#pending.splice(0)) {
      reject(new Error(`QEMU ended without an answer to ${command}`))
    }
    for (const watcher of this.#watchers) watcher()
  }
}

/**
 * The other end of a control socket (`control-socket.ts`): commands for an agent on this machine.
 *
 * @module
 */
import { createConnection } from 'node:net'
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { GodwitError } from '@godwit/core'
import type { Answer, ControlOptions } from './control-socket.ts'

const answerTimeoutMs = 5000

/**
 * Sends one command and waits for its answer.
 *
 * @throws {GodwitError} as {@link ControlConnection}
 */
export async function callControl(
  file: string,
  command: string,
  options: ControlOptions = {},
  timeoutMs: number = answerTimeoutMs,
): Promise<object> {
  const connection = await ControlConnection.open(file)
  try {
    return await connection.ask(command, options, timeoutMs)
  } finally {
    connection.close()
  }
}

/** To an agent's control socket. */
export class ControlConnection {
  /** Resolves when the connection has ended. */
  readonly ended: Promise<void>
  readonly #file: string
  readonly #socket: Socket
  readonly #waiting: PromiseWithResolvers<string>[] = []

  private constructor(file: string, socket: Socket) {
    this.#file = file
    this.#socket = socket
    // What befalls the socket is an event of its lines, too; whoever waits hears of the close.
    createInterface({ input: socket })
      .on('line', (line) => this.#waiting.shift()?.resolve(line))
      .on('error', () => {})
    socket.on('error', () => {})
    this.ended = new Promise((resolve) => {
      socket.on('close', () => {
        for (const one of this.#waiting.splice(0)) one.reject(this.#ended())
        resolve()
      })
    })
  }

  /** @throws {GodwitError} `CONNECTION_REFUSED` when nobody listens */
  static open(file: string): Promise<ControlConnection> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(file)
      socket.once('connect', () => resolve(new ControlConnection(file, socket)))
      socket.once('error', () => {
        const text = `No agent serves the control socket ${file}`
        reject(new GodwitError('CONNECTION_REFUSED', text))
      })
    })
  }

  #ended(): GodwitError {
    const text = `The agent at ${this.#file} closed the connection without an answer`
    return new GodwitError('CONNECTION_LOST', text)
  }

  /**
   * One command; several of a command that keeps the connection.
   *
   * @throws {GodwitError} the agent's own error, `CONNECTION_LOST`, `CONNECTION_TIMEOUT`
   */
  async ask(
    command: string,
    options: ControlOptions = {},
    timeoutMs: number = answerTimeoutMs,
  ): Promise<object> {
    const waiting = Promise.withResolvers<string>()
    if (this.#socket.destroyed) throw this.#ended()
    this.#waiting.push(waiting)
    const timer = setTimeout(() => {
      const text = `The agent at ${this.#file} did not answer`
      waiting.reject(new GodwitError('CONNECTION_TIMEOUT', text))
      this.close()
    }, timeoutMs)
    this.#socket.write(`${JSON.stringify({ command, options })}\n`)
    try {
      const { ok, result, error } = JSON.parse(await waiting.promise) as Answer
      if (ok && result !== undefined) return result
      throw new GodwitError(error?.code ?? 'INTERNAL', error?.text ?? 'The agent gave no answer')
    } finally {
      clearTimeout(timer)
    }
  }

  close(): void {
    this.#socket.destroy()
  }
}

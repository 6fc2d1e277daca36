/**
 * The local control socket: one JSON request per line, one JSON answer per line. The connection
 * ends with the first answer, unless its command keeps it. Whoever may open the socket file may
 * command the agent; its mode is 0600.
 *
 * @module
 */
import { chmodSync, unlinkSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import type { Socket } from 'node:net'
import type { ErrorCode } from '@godwit/core'
import { GodwitError, toGodwitError } from '@godwit/core'

/** A request is a small JSON object; a longer line is refused. */
const requestBytesMax = 4096
const answerTimeoutMs = 5000

/** Commands by name; each answers with a JSON value. */
export type ControlCommands = Readonly<
  Record<string, (options: ControlOptions, caller: Caller) => object | Promise<object>>
>

/** Who gave a command. */
export interface Caller {
  /** Keeps the connection for more commands. @param gone - called when it has ended */
  keep(gone: () => void): void
}

/** `NAME=VALUE` pairs of a command, as they were typed. */
export type ControlOptions = Readonly<Record<string, string>>

/** Each asks one thing and is answered at once. */
const clientsMax = 64

interface Answer {
  readonly ok: boolean
  readonly result?: object
  readonly error?: { readonly code: ErrorCode; readonly text: string }
}

export interface ControlServer {
  close(): void
}

/**
 * Serves commands at the path `file`, which must not be in use.
 *
 * @throws {GodwitError} `ADDRESS_IN_USE`, `FILE_UNWRITABLE`
 */
export async function serveControl(
  file: string,
  commands: ControlCommands,
): Promise<ControlServer> {
  await removeStale(file)
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    socket.on('error', () => socket.destroy())
    obey(socket, commands)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      const text = `The control socket ${file} cannot be made: ${error.message}`
      reject(new GodwitError('FILE_UNWRITABLE', text))
    })
    server.listen(file, () => {
      chmodSync(file, 0o600)
      resolve()
    })
  })
  server.maxConnections = clientsMax
  server.unref()
  return {
    close() {
      for (const socket of open) socket.destroy()
      server.close()
    },
  }
}

/** A socket file that nobody answers at is left over from an agent that was killed. */
async function removeStale(file: string): Promise<void> {
  const alive = await new Promise<boolean | undefined>((resolve) => {
    const probe = createConnection(file)
    probe.on('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'ECONNREFUSED' ? false : undefined)
    })
  })
  if (alive === true) {
    throw new GodwitError('ADDRESS_IN_USE', `Another agent serves the control socket ${file}`)
  }
  if (alive === false) unlinkSync(file)
}

/** One command after the other. */
function obey(socket: Socket, commands: ControlCommands): void {
  let isKept = false
  const caller: Caller = {
    keep(gone) {
      isKept = true
      socket.once('close', gone)
    },
  }
  let last: Promise<void> = Promise.resolve()
  readLines(socket, requestBytesMax, (line) => {
    last = last.then(async () => {
      if (socket.writableEnded) return
      const text = `${JSON.stringify(await answer(line, commands, caller))}\n`
      if (isKept) socket.write(text)
      else socket.end(text)
    })
  })
}

/** Of a line that is longer than `bytesMax` the connection ends. */
function readLines(socket: Socket, bytesMax: number, onLine: (line: string) => void): void {
  let text = ''
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    const lines = (text + chunk).split('\n')
    text = lines.pop()!
    if (text.length > bytesMax) socket.destroy()
    for (const line of lines) onLine(line)
  })
}

async function answer(line: string, commands: ControlCommands, caller: Caller): Promise<Answer> {
  try {
    const request = JSON.parse(line) as { command?: unknown; options?: unknown }
    const name = String(request.command)
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined
    if (command === undefined) {
      const known = Object.keys(commands).join(', ')
      throw new GodwitError('USAGE', `"${name}" is not a command here; there are ${known}`)
    }
    return { ok: true, result: await command(toOptions(request.options), caller) }
  } catch (thrown) {
    const error =
      thrown instanceof SyntaxError
        ? new GodwitError('USAGE', 'A request is one line of JSON, like {"command":"status"}')
        : toGodwitError(thrown)
    return { ok: false, error: { code: error.code, text: error.message } }
  }
}

function toOptions(options: unknown): ControlOptions {
  if (typeof options !== 'object' || options === null) return {}
  const pairs = Object.entries(options).filter(([, value]) => typeof value === 'string')
  return Object.fromEntries(pairs) as ControlOptions
}

/**
 * Sends one command and waits for its answer.
 *
 * @throws {GodwitError} the agent's own error, `CONNECTION_REFUSED` when nobody listens
 */
export async function callControl(
  file: string,
  command: string,
  options: ControlOptions = {},
): Promise<object> {
  const connection = await ControlConnection.open(file)
  try {
    return await connection.ask(command, options)
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
    readLines(socket, Infinity, (line) => this.#waiting.shift()?.resolve(line))
    socket.on('error', () => {})
    this.ended = new Promise((resolve) => {
      socket.on('close', () => {
        for (const one of this.#waiting.splice(0)) one.reject(this.#noAgent('ended'))
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

  #noAgent(what: string): GodwitError {
    const text = `The agent at ${this.#file} ${what} before it answered`
    return new GodwitError('CONNECTION_LOST', text)
  }

  /**
   * One command; several of a command that keeps the connection.
   *
   * @throws {GodwitError} the agent's own error, `CONNECTION_LOST`, `CONNECTION_TIMEOUT`
   */
  async ask(command: string, options: ControlOptions = {}): Promise<object> {
    const waiting = Promise.withResolvers<string>()
    if (this.#socket.destroyed) throw this.#noAgent('ended')
    this.#waiting.push(waiting)
    const timer = setTimeout(() => {
      const text = `The agent at ${this.#file} did not answer`
      waiting.reject(new GodwitError('CONNECTION_TIMEOUT', text))
      this.close()
    }, answerTimeoutMs)
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

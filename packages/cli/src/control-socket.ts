/**
 * The local control socket: one JSON request per line, one JSON answer per line. Whoever may open
 * the socket file may command the agent; its mode is 0600.
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
export type ControlCommands = Readonly<Record<string, (options: ControlOptions) => object>>

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
    readLine(socket, (line) => {
      socket.end(`${JSON.stringify(answer(line, commands))}\n`)
    })
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

function readLine(socket: Socket, onLine: (line: string) => void): void {
  let text = ''
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    text += chunk
    const end = text.indexOf('\n')
    if (end >= 0) {
      socket.removeAllListeners('data')
      onLine(text.slice(0, end))
    } else if (text.length > requestBytesMax) {
      socket.destroy()
    }
  })
}

function answer(line: string, commands: ControlCommands): Answer {
  try {
    const request = JSON.parse(line) as { command?: unknown; options?: unknown }
    const name = String(request.command)
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined
    if (command === undefined) {
      const known = Object.keys(commands).join(', ')
      throw new GodwitError('USAGE', `"${name}" is not a command here; there are ${known}`)
    }
    return { ok: true, result: command(toOptions(request.options)) }
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
  const line = await new Promise<string>((resolve, reject) => {
    const socket = createConnection(file)
    socket.setTimeout(answerTimeoutMs, () => {
      socket.destroy()
      reject(new GodwitError('CONNECTION_TIMEOUT', `The agent at ${file} did not answer`))
    })
    socket.on('error', () => {
      const text = `No agent serves the control socket ${file}`
      reject(new GodwitError('CONNECTION_REFUSED', text))
    })
    socket.on('connect', () => socket.write(`${JSON.stringify({ command, options })}\n`))
    readAll(socket, resolve)
  })
  const { ok, result, error } = JSON.parse(line) as Answer
  if (ok && result !== undefined) return result
  throw new GodwitError(error?.code ?? 'INTERNAL', error?.text ?? 'The agent gave no answer')
}

function readAll(socket: Socket, onEnd: (text: string) => void): void {
  let text = ''
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    text += chunk
  })
  socket.on('end', () => onEnd(text))
}

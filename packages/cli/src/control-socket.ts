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
const requestChars = 16_384
/** Of a client that has connected, to say what it wants. */
const requestTimeoutMs = 5000
const answerTimeoutMs = 5000
/** Who was refused has so long to read why. */
const lingerMs = 1000

/** Commands by name; each answers with a JSON value. */
export type ControlCommands = Readonly<
  Record<string, (options: ControlOptions) => object | Promise<object>>
>

/** `NAME=VALUE` pairs of a command, as they were typed; `guest` is the name of one. */
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
      void answer(line, commands).then((answered) => {
        socket.end(`${JSON.stringify(answered)}\n`)
        // Who does not end is ended.
        setTimeout(() => socket.destroy(), lingerMs).unref()
      })
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

/** @param onLine - gets undefined where there is none, or it is too long */
function readLine(socket: Socket, onLine: (line: string | undefined) => void): void {
  let text = ''
  const end = (line: string | undefined): void => {
    socket.setTimeout(0)
    socket.removeAllListeners('data')
    // What else comes is nobody's.
    socket.resume()
    onLine(line)
  }
  socket.setTimeout(requestTimeoutMs, () => socket.destroy())
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    text += chunk
    const at = text.indexOf('\n')
    if (at >= 0 && at <= requestChars) end(text.slice(0, at))
    else if (text.length > requestChars) end(undefined)
  })
}

async function answer(line: string | undefined, commands: ControlCommands): Promise<Answer> {
  try {
    if (line === undefined) {
      throw new GodwitError('USAGE', `A request has at most ${requestChars} characters`)
    }
    const request = JSON.parse(line) as { command?: unknown; options?: unknown } | null
    const name = String(request?.command)
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined
    if (command === undefined) {
      const known = Object.keys(commands).join(', ')
      throw new GodwitError('USAGE', `"${name}" is not a command here; there are ${known}`)
    }
    return { ok: true, result: await command(toOptions(request?.options)) }
  } catch (thrown) {
    const error =
      thrown instanceof SyntaxError
        ? new GodwitError('USAGE', 'A request is one line of JSON, like {"command":"status"}')
        : toGodwitError(thrown)
    return { ok: false, error: { code: error.code, text: error.message } }
  }
}

/** Of an agent whose guests have no names: to be given one is a mistake. */
export function withoutNames(commands: ControlCommands): ControlCommands {
  const entries = Object.entries(commands).map(([name, command]) => {
    const unnamed = (options: ControlOptions): object | Promise<object> => {
      if (options['guest'] === undefined) return command(options)
      const text = 'Guests have names in `godwit agent` only: leave the name out here'
      throw new GodwitError('USAGE', text)
    }
    return [name, unnamed] as const
  })
  return Object.fromEntries(entries)
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
  timeoutMs: number = answerTimeoutMs,
): Promise<object> {
  const line = await new Promise<string>((resolve, reject) => {
    const socket = createConnection(file)
    socket.setTimeout(timeoutMs, () => {
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
  const { ok, result, error } = parseAnswer(line)
  if (ok && result !== undefined) return result
  throw new GodwitError(error?.code ?? 'INTERNAL', error?.text ?? 'The agent gave no answer')
}

/** An agent that died, or dropped the client, gave none. */
function parseAnswer(line: string): Answer {
  if (line !== '') return JSON.parse(line) as Answer
  const text = 'The agent closed the connection without an answer'
  return { ok: false, error: { code: 'CONNECTION_LOST', text } }
}

function readAll(socket: Socket, onEnd: (text: string) => void): void {
  let text = ''
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    text += chunk
  })
  socket.on('end', () => onEnd(text))
}

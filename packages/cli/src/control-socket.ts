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
const requestChars = 16_384
/** Of a client that has connected, to say what it wants. */
const requestTimeoutMs = 5000
/** Requests of one client that are not answered yet. */
const waitingMax = 16
/** Who was refused has so long to read why. */
const lingerMs = 1000

/** Commands by name; each answers with a JSON value. */
export type ControlCommands = Readonly<
  Record<string, (options: ControlOptions, caller: Caller) => object | Promise<object>>
>

/** Who gave a command. */
export interface Caller {
  /** Keeps the connection for more commands. @param gone - called when it has ended */
  keep(gone: () => void): void
}

/** `NAME=VALUE` pairs of a command, as they were typed; `guest` is the name of one. */
export type ControlOptions = Readonly<Record<string, string>>

/** Each asks one thing and is answered at once. */
const clientsMax = 64

export interface Answer {
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
  let waiting = 0
  const caller: Caller = {
    keep(gone) {
      isKept = true
      socket.once('close', gone)
    },
  }
  let last: Promise<void> = Promise.resolve()
  const take = async (line: string | undefined): Promise<void> => {
    if (socket.writableEnded) return
    const text = `${JSON.stringify(await answer(line, commands, caller))}\n`
    waiting--
    if (isKept && line !== undefined) {
      socket.write(text)
      return
    }
    socket.end(text)
    // Who does not end is ended.
    setTimeout(() => socket.destroy(), lingerMs).unref()
  }
  readLines(socket, (line) => {
    if (++waiting > waitingMax) socket.destroy()
    else last = last.then(() => take(line))
  })
}

/** @param onLine - gets undefined where one is too long; it is the last then */
function readLines(socket: Socket, onLine: (line: string | undefined) => void): void {
  let text = ''
  socket.setTimeout(requestTimeoutMs, () => socket.destroy())
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    // What comes after the last answer is nobody's.
    if (socket.writableEnded) return
    const lines = (text + chunk).split('\n')
    text = lines.pop()!
    const tooLong = [...lines, text].findIndex((line) => line.length > requestChars)
    const whole = tooLong < 0 ? lines : lines.slice(0, tooLong)
    if (lines.length > 0 || tooLong >= 0) socket.setTimeout(0)
    for (const line of whole) onLine(line)
    if (tooLong < 0) return
    socket.removeAllListeners('data')
    socket.resume()
    onLine(undefined)
  })
}

async function answer(
  line: string | undefined,
  commands: ControlCommands,
  caller: Caller,
): Promise<Answer> {
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
    return { ok: true, result: await command(toOptions(request?.options), caller) }
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
    const unnamed: typeof command = (options, caller) => {
      if (options['guest'] === undefined) return command(options, caller)
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

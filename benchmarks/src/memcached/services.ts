/**
 * Services of memcached's protocol, as processes: Debian's, and ours behind its relay.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Report } from '@godwit/core'
import { MIB } from '@godwit/core'
import { failure, start } from '../children.ts'
import { readStatus } from '../control-status.ts'
import { firstLine, splitCommand } from '../process.ts'

export const host = '127.0.0.1'
const pollMs = 20
const startMs = 10_000

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** A process that serves at a port. */
export interface Served {
  readonly process: ChildProcess
  readonly port: number
}

/** Debian's, with as much memory. */
export async function startMemcached(memoryBytes: number): Promise<Served> {
  const port = await freePort()
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const args = ['-l', host, '-p', `${port}`, '-U', '0', '-m', `${memoryBytes / MIB}`, ...user]
  const child = start('memcached', args, { stdio: ['ignore', 'inherit', 'inherit'] })
  await accepts(port)
  return { process: child, port }
}

/** Waits until somebody listens there. */
async function accepts(port: number): Promise<void> {
  for (const endMs = performance.now() + startMs; performance.now() < endMs; ) {
    const socket = connect(port, host)
    const isThere = await new Promise<boolean>((resolve) => {
      socket.on('connect', () => resolve(true))
      socket.on('error', () => resolve(false))
    })
    socket.destroy()
    if (isThere) return
    await sleep(pollMs)
  }
  throw failure(`nothing listens at port ${port}`)
}

/** Waits for a line on stderr, and reads on. */
async function lineOf(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  const found = Promise.withResolvers<RegExpExecArray>()
  const said: string[] = []
  createInterface({ input: child.stderr! }).on('line', (line) => {
    const match = pattern.exec(line)
    if (match === null) said.push(line)
    else found.resolve(match)
  })
  child.once('exit', () => found.reject(failure(`a process ended: ${said.join('; ')}`)))
  return found.promise
}

/** A guest that does not move in the time of a benchmark. */
export async function startStill(godwit: readonly string[], memory: string): Promise<Served> {
  const send = ['send', 'memcached,port=0', '--to', `${host}:1`, '--memory', memory]
  const command = [...godwit, ...send, '--warmup', '1h']
  const child = start(...splitCommand(command), { stdio: ['ignore', 'inherit', 'pipe'] })
  const [, port] = await lineOf(child, /^memcached listens on .*:(\d+)/)
  return { process: child, port: Number(port) }
}

/** A relay; to the service at that port, or to what a guest tells at its control socket. */
export async function startRelay(
  godwit: readonly string[],
  to: { readonly control: string } | { readonly port: number },
): Promise<Served> {
  const where = 'port' in to ? ['--to', `${host}:${to.port}`] : ['--control', to.control]
  const command = [...godwit, 'relay', '--listen', `${host}:0`, '--quiet', ...where]
  const child = start(...splitCommand(command), { stdio: ['ignore', 'pipe', 'inherit'] })
  const port = Number((await firstLine(child)).split(':').at(-1))
  return { process: child, port }
}

/** A guest that moves, with what follows it. */
export interface Moving {
  /** Where clients connect to. */
  readonly port: number
  /** When the first round began, by the clock of `performance`. */
  readonly begins: Promise<number>
  /** When it has moved. @throws when that failed */
  readonly report: Promise<Report>
  end(): void
}

export interface MovingOptions {
  readonly godwit: readonly string[]
  readonly folder: string
  readonly memory: string
  /** Until it moves. */
  readonly warmupMs: number
  /** Of `godwit send`. */
  readonly options: readonly string[]
}

/** Starts a destination, a relay, and a guest behind it. */
export async function startMoving(asked: MovingOptions): Promise<Moving> {
  const { godwit, folder, memory, warmupMs, options } = asked
  const file = (name: string): string => join(folder, name)
  const relay = await startRelay(godwit, { control: file('relay.sock') })
  const receive = [...godwit, 'receive', '--listen', `${host}:0`, '--quiet']
  const receiver = start(...splitCommand(receive), { stdio: ['ignore', 'pipe', 'inherit'] })
  const to = (await firstLine(receiver)).replace('listening ', '')
  const guest = `memcached,port=0,next=${await freePort()},relay=${file('relay.sock')}`
  const settings = ['--memory', memory, '--warmup', `${warmupMs}ms`, '--json', file('send.json')]
  const control = ['--control', file('send.sock'), '--quiet']
  const send = [...godwit, 'send', guest, '--to', to, ...settings, ...control, ...options]
  const sender = start(...splitCommand(send), { stdio: ['ignore', 'inherit', 'inherit'] })
  const report = once(sender, 'exit').then(([code]): Report => {
    if (code !== 0) throw failure(`a migration ended with ${String(code)}`)
    return JSON.parse(readFileSync(file('send.json'), 'utf8')) as Report
  })
  const children = [relay.process, receiver, sender]
  const begins = firstRound(file('send.sock'), sender)
  for (const promise of [report, begins]) promise.catch(() => {})
  return {
    port: relay.port,
    begins,
    report,
    end() {
      for (const child of children) child.kill('SIGKILL')
    },
  }
}

async function firstRound(control: string, sender: ChildProcess): Promise<number> {
  while (sender.exitCode === null && sender.signalCode === null) {
    if ((await readStatus(control)).state === 'sending') return performance.now()
    await sleep(pollMs)
  }
  throw failure('a guest did not begin to move')
}

/** Items that are written at a time. */
const batch = 64

/** Stores `count` items of `valueBytes` each, as fast as they are taken; no page is zero. */
export async function fill(port: number, count: number, valueBytes: number): Promise<void> {
  const socket = connect({ host, port, noDelay: true })
  const cut = once(socket, 'close').then((): never => {
    throw failure('a client was disconnected that stored items')
  })
  socket.on('error', () => {})
  const replies = once(socket, 'data') as Promise<[Buffer]>
  for (const promise of [cut, replies]) promise.catch(() => {})
  const value = 'x'.repeat(valueBytes)
  for (let from = 0; from < count; from += batch) {
    const items = Array.from({ length: Math.min(batch, count - from) }, (_, i) => from + i)
    const text = items.map((i) => `set cold${i} 0 0 ${valueBytes} noreply\r\n${value}\r\n`)
    if (!socket.write(text.join(''))) await Promise.race([once(socket, 'drain'), cut])
  }
  socket.write('mn\r\n')
  const [reply] = await Promise.race([replies, cut])
  socket.destroy()
  if (reply.toString() !== 'MN\r\n') throw failure(`items were not taken: ${reply.toString()}`)
}

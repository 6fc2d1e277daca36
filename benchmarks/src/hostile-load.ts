/**
 * Peers that want nothing: connections that are held and never speak, and others that are dropped
 * as soon as they are there. In a process of their own, so that nothing else pays for them.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { createConnection } from 'node:net'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { start } from './children.ts'
import { firstLine } from './process.ts'

const self = fileURLToPath(import.meta.url)
/** A connection that was closed is dialled again, but not in a loop. */
const redialMs = 100
const stepMs = 20

export interface LoadSize {
  readonly idle: number
  readonly drops: number
  /** Drops are spread over about this time. */
  readonly dropsMs: number
}

/** What was done between {@link HostileLoad.begin} and {@link HostileLoad.end}. */
export interface LoadDone {
  /** Connections that were made and dropped. */
  readonly dropped: number
  /** Those that the server did not take. */
  readonly refused: number
  /** Idle connections that stood at the end. */
  readonly idle: number
  /** How often one was dialled again because the server had closed it. */
  readonly redialled: number
}

/** The process, as others see it. */
export class HostileLoad {
  readonly #process: ChildProcess

  private constructor(child: ChildProcess) {
    this.#process = child
  }

  /** Resolves when all idle connections stand. */
  static async start(address: string, { idle, drops, dropsMs }: LoadSize): Promise<HostileLoad> {
    const args = [self, 'load', address, String(idle), String(drops), String(dropsMs)]
    const child = start(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    await firstLine(child)
    return new HostileLoad(child)
  }

  /** Connections are made and dropped from here on. */
  begin(): void {
    this.#process.stdin!.write('begin\n')
  }

  async end(): Promise<LoadDone> {
    const answer = text(this.#process.stdout!)
    this.#process.stdin!.write('end\n')
    return JSON.parse(await answer) as LoadDone
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }
}

class Load {
  readonly #host: string
  readonly #port: number
  readonly #idle = new Set<Socket>()
  #dropped = 0
  #refused = 0
  #redialled = 0

  constructor(address: string) {
    const [host = '', port] = address.split(':')
    this.#host = host
    this.#port = Number(port)
  }

  async hold(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.#holdOne()
  }

  /** Resolves when it stands; goes on for ever. */
  async #holdOne(): Promise<void> {
    const socket = createConnection(this.#port, this.#host)
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#idle.delete(socket)
      void sleep(redialMs).then(() => {
        this.#redialled++
        return this.#holdOne()
      })
    })
    socket.resume()
    await Promise.race([once(socket, 'connect'), once(socket, 'close')])
    if (!socket.destroyed) this.#idle.add(socket)
  }

  /** As many in each step as are due by then. */
  async drop(count: number, ms: number): Promise<void> {
    const startMs = performance.now()
    for (let begun = 0; begun < count; ) {
      const due = Math.min(count, Math.ceil((count * (performance.now() - startMs + stepMs)) / ms))
      for (; begun < due; begun++) this.#dropOne()
      await sleep(stepMs)
    }
  }

  #dropOne(): void {
    const socket = createConnection(this.#port, this.#host)
    socket.once('error', () => this.#refused++)
    socket.once('connect', () => {
      this.#dropped++
      socket.destroy()
    })
  }

  get done(): LoadDone {
    const [dropped, refused, redialled] = [this.#dropped, this.#refused, this.#redialled]
    return { dropped, refused, idle: this.#idle.size, redialled }
  }
}

async function run([address = '', idle, drops, dropsMs]: readonly string[]): Promise<void> {
  const load = new Load(address)
  await load.hold(Number(idle))
  process.stdout.write('ready\n')
  createInterface({ input: process.stdin }).on('line', (line) => {
    if (line === 'begin') void load.drop(Number(drops), Number(dropsMs))
    else process.stdout.write(JSON.stringify(load.done), () => process.exit(0))
  })
}

if (process.argv[2] === 'load' && process.argv[1] === self) await run(process.argv.slice(3))

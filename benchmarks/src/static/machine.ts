/**
 * A machine between which a guest goes to and fro, as a process of its own that is told what to do
 * line by line. It keeps the memory of guests that leave. Run as a program it is that process.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Report } from '@godwit/core'
import { PAGE_BYTES_DEFAULT } from '@godwit/core'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import type { Receiver } from 'godwit'
import { ImageDirectory, NodeStaticFinder, receive, send } from 'godwit'
import type { Place } from '../peer/namespaces.ts'
import { splitCommand } from '../process.ts'

const self = fileURLToPath(import.meta.url)
const pollMs = 20

/** What a stored image is known by, as text. */
export interface ImageName {
  readonly id: string
  readonly token: string
}

/** What a machine can be told. */
interface Commands {
  /** Starts a guest. */
  start(guest: string, memoryBytes: number): Promise<void>
  /** Sends the guest that is here; the destination may have images of it. */
  send(to: string, images: readonly ImageName[]): Promise<Report>
  /** Keeps the memory of the guest that has just left. */
  keep(): Promise<ImageName>
  /** Waits for a guest. */
  arrived(): Promise<void>
  /** Lets the guest do so many steps more. */
  work(steps: number): Promise<void>
  /** Gives up the guest that is here, or was. */
  drop(): Promise<void>
}

type Told = { [K in keyof Commands]: [K, ...Parameters<Commands[K]>] }[keyof Commands]

/** Somebody else's process. */
export class RemoteMachine {
  readonly address: string
  readonly #process: ChildProcess
  readonly #lines: AsyncIterator<string>

  /** @param images - the directory where it keeps memory */
  static async start({ prefix }: Place, host: string, images: string): Promise<RemoteMachine> {
    const own = [process.execPath, ...process.execArgv, self, 'machine', host, images]
    const [program, args] = splitCommand([...prefix, ...own])
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    return new RemoteMachine(child, lines, await answerOf<string>(lines))
  }

  private constructor(child: ChildProcess, lines: AsyncIterator<string>, address: string) {
    this.#process = child
    this.#lines = lines
    this.address = address
  }

  /** @throws what it says when it cannot */
  async tell<K extends keyof Commands>(
    command: K,
    ...args: Parameters<Commands[K]>
  ): Promise<Awaited<ReturnType<Commands[K]>>> {
    this.#process.stdin!.write(`${JSON.stringify([command, ...args])}\n`)
    return answerOf<Awaited<ReturnType<Commands[K]>>>(this.#lines)
  }

  async end(): Promise<void> {
    if (this.#process.exitCode !== null) return
    const ended = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await ended
  }
}

interface Answer {
  readonly value?: unknown
  readonly failure?: string
}

async function answerOf<T>(lines: AsyncIterator<string>): Promise<T> {
  const { value: line, done } = await lines.next()
  if (done === true) throw new Error('a machine ended')
  const { value, failure } = JSON.parse(line) as Answer
  if (failure !== undefined) throw new Error(failure)
  return value as T
}

class Machine implements Commands {
  readonly #receiver: Receiver
  readonly #images: ImageDirectory
  readonly #arrivals: IncomingWorkload[]
  #guest: WorkloadGuest | undefined

  static async open(host: string, path: string): Promise<[Machine, address: string]> {
    const images = await ImageDirectory.open(path)
    const arrivals: IncomingWorkload[] = []
    const receiver = await receive(
      new WorkloadHost(),
      { listen: `${host}:0`, insecure: true, static: new NodeStaticFinder({ images }) },
      {
        ended: (migration) => {
          if (migration.ownsGuest) arrivals.push(migration.guest as IncomingWorkload)
        },
      },
    )
    return [new Machine(receiver, images, arrivals), receiver.address]
  }

  private constructor(receiver: Receiver, images: ImageDirectory, arrivals: IncomingWorkload[]) {
    this.#receiver = receiver
    this.#images = images
    this.#arrivals = arrivals
  }

  async start(guest: string, memoryBytes: number): Promise<void> {
    const { identity, memoryBytes: bytes } = parseGuest(guest, memoryBytes)
    this.#guest = await WorkloadGuest.start(identity, bytes)
  }

  async send(to: string, names: readonly ImageName[]): Promise<Report> {
    const offers = names.map(({ id, token }) => {
      return { kind: 'image', id: fromHex(id), token: fromHex(token) } as const
    })
    const options = {
      to,
      insecure: true,
      encode: 'zstd',
      verify: 'sha256',
      static: offers,
    } as const
    return send(this.#guest!, options)
  }

  async keep(): Promise<ImageName> {
    const { identity, regions } = this.#guest!
    const stored = await this.#images.store({ identity, regions, pageBytes: PAGE_BYTES_DEFAULT })
    return { id: toHex(stored.id), token: toHex(stored.token) }
  }

  async arrived(): Promise<void> {
    await this.#receiver.arrival()
    this.#guest = this.#arrivals.shift()!.asGuest()
  }

  async work(steps: number): Promise<void> {
    const guest = this.#guest!
    const end = guest.steps() + steps
    while (guest.steps() < end) await sleep(pollMs)
  }

  async drop(): Promise<void> {
    await this.#guest?.stop()
    this.#guest = undefined
  }
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'))
}

async function obey(host: string, images: string): Promise<void> {
  const say = (answer: Answer): void => void process.stdout.write(`${JSON.stringify(answer)}\n`)
  const [machine, address] = await Machine.open(host, images)
  say({ value: address })
  for await (const line of createInterface({ input: process.stdin })) {
    const [command, ...args] = JSON.parse(line) as Told
    try {
      const method = machine[command] as (...all: unknown[]) => Promise<unknown>
      say({ value: await method.apply(machine, args) })
    } catch (thrown) {
      say({ failure: thrown instanceof Error ? thrown.message : String(thrown) })
    }
  }
  process.exit()
}

if (process.argv[2] === 'machine' && process.argv[1] === self) {
  await obey(process.argv[3]!, process.argv[4]!)
}

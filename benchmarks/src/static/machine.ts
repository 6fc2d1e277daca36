/**
 * A machine with an agent that takes guests in and sends them on, and keeps the memory of those
 * that leave: a process of its own, by `remote-machine.ts`. Run as a program it is that process.
 *
 * @module
 */
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Report } from '@godwit/core'
import { PAGE_BYTES_DEFAULT } from '@godwit/core'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import type { Receiver } from 'godwit'
import { ImageDirectory, NodeStaticFinder, mapOffering, receive, send } from 'godwit'
import { readMap } from './map-file.ts'

const self = fileURLToPath(import.meta.url)
const pollMs = 20

/** What a machine has, beside guests. */
export interface MachineParts {
  /** Its address, without a port. */
  readonly host: string
  /** The folder for memory that it keeps. */
  readonly images: string
  /** A file with a static map. */
  readonly map?: string
  /** A file with the memory of a sibling. */
  readonly sibling?: string
}

/** What a stored image is known by, in hex. */
export interface ImageName {
  readonly id: string
  readonly token: string
}

/** What a source has that its destination may hold. */
export interface Offers {
  /** A lookup in its own map. */
  readonly mode?: 'content' | 'position'
  readonly images?: readonly ImageName[]
}

/** What a machine can be told. */
export interface Commands {
  /** Starts a guest; `memoryBytes` is for those that are not as large as a file. */
  start(guest: string, memoryBytes?: number): Promise<void>
  /** Sends the guest that is here on. */
  send(to: string, offers: Offers): Promise<Report>
  /** Keeps the memory of the guest that has just left. */
  keep(): Promise<ImageName>
  /** Waits for a guest. */
  arrived(): Promise<Report>
  /** Lets the guest do so many steps more. */
  work(steps: number): Promise<void>
  /** Gives up the guest that was here. */
  drop(): Promise<void>
}

export type Told = {
  [K in keyof Commands]: readonly [K, ...Parameters<Commands[K]>]
}[keyof Commands]

export interface Answer {
  readonly value?: unknown
  readonly failure?: string
}

class Machine implements Commands {
  readonly address: string
  readonly #parts: MachineParts
  readonly #receiver: Receiver
  readonly #images: ImageDirectory
  readonly #arrivals: IncomingWorkload[]
  #guest: WorkloadGuest | undefined

  static async open(parts: MachineParts): Promise<Machine> {
    const { host, map, sibling } = parts
    const images = await ImageDirectory.open(parts.images)
    const finder = new NodeStaticFinder({
      images,
      maps: map === undefined ? [] : [readMap(map)],
      siblings: () => (sibling === undefined ? [] : [{ file: sibling }]),
    })
    // As agents do that have been there for a while.
    if (map !== undefined && sibling !== undefined) {
      await finder.prepare(readMap(map), [{ file: sibling }])
    }
    const arrivals: IncomingWorkload[] = []
    const receiver = await receive(
      new WorkloadHost(),
      { listen: `${host}:0`, insecure: true, static: finder },
      {
        ended: (migration) => {
          if (migration.ownsGuest) arrivals.push(migration.guest as IncomingWorkload)
        },
      },
    )
    return new Machine(parts, receiver, images, arrivals)
  }

  private constructor(
    parts: MachineParts,
    receiver: Receiver,
    images: ImageDirectory,
    arrivals: IncomingWorkload[],
  ) {
    this.address = receiver.address
    this.#parts = parts
    this.#receiver = receiver
    this.#images = images
    this.#arrivals = arrivals
  }

  async start(text: string, bytes?: number): Promise<void> {
    const { identity, memoryBytes } = parseGuest(text, bytes)
    this.#guest = await WorkloadGuest.start(identity, memoryBytes)
  }

  async send(to: string, { mode, images = [] }: Offers): Promise<Report> {
    const known = images.map(({ id, token }) => ({ id: fromHex(id), token: fromHex(token) }))
    const map = mode === undefined ? {} : { map: mapOffering(readMap(this.#parts.map!), mode) }
    const options = { to, insecure: true, encode: 'zstd' } as const
    return send(this.#guest!, { ...options, static: { images: known, ...map } })
  }

  async keep(): Promise<ImageName> {
    const { identity, regions } = this.#guest!
    const stored = await this.#images.store({ identity, regions, pageBytes: PAGE_BYTES_DEFAULT })
    return { id: toHex(stored.id), token: toHex(stored.token) }
  }

  async arrived(): Promise<Report> {
    const report = await this.#receiver.arrival()
    this.#guest = this.#arrivals.shift()!.asGuest()
    return report
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

/** A line for each thing that it is told, and one for each answer; first it says its address. */
async function obey(parts: MachineParts): Promise<void> {
  const say = (answer: Answer): void => void process.stdout.write(`${JSON.stringify(answer)}\n`)
  const machine = await Machine.open(parts)
  say({ value: machine.address })
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
  await obey(JSON.parse(process.argv[3]!) as MachineParts)
}

/**
 * A thread of a service: accepts clients and executes what they ask for on guest memory. Only
 * threads of the service store to it, one at a time. Takes orders one after the other and answers
 * each.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:net'
import type { AddressInfo } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import { Client } from './client.ts'
import { Executor } from './executor.ts'
import { Floor } from './floor.ts'
import { MarkedMemory } from './marked-memory.ts'
import { Mutex } from './mutex.ts'
import type { Place } from './place.ts'
import { Replies } from './replies.ts'
import { Request } from './request.ts'
import {
  CONNECTIONS_MAX,
  type Order,
  type OrderMessage,
  type ServiceJob,
  SharedWord,
} from './service-job.ts'
import { Store } from './store.ts'

const job = workerData as ServiceJob
const port = parentPort!
const { shared } = job
const clients = new Set<Client>()
const mutex = new Mutex(shared, SharedWord.Mutex)
let executor: Executor | undefined
/** Set while requests are executed. */
let floor: Floor | undefined

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000)
}

function openStore(isNew: boolean): void {
  const { map, pageBytes } = job
  const memory = new MarkedMemory(job.memory, { map, pageBytes })
  // A random seed: nobody is to choose keys that all meet in one bucket.
  const hashSeed = randomBytes(4).readUInt32LE()
  const store = isNew
    ? Store.create(memory, { nowSeconds: nowSeconds(), hashSeed })
    : new Store(memory)
  const facts = {
    processId: process.pid,
    connectionsMax: CONNECTIONS_MAX,
    connections: () => Atomics.load(shared, SharedWord.Clients),
    threads: job.threads,
  }
  executor = new Executor(store, new Replies(), facts)
}

function run(): void {
  if (executor === undefined) throw new Error('there is no store yet')
  const { replies } = executor
  floor = new Floor({ executor, request: new Request(), replies, mutex, nowSeconds })
  for (const client of clients) client.give(floor)
}

function pause(): void {
  floor = undefined
  for (const client of clients) client.give(undefined)
}

const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  const before = Atomics.add(shared, SharedWord.Connections, 1)
  socket.once('close', () => Atomics.sub(shared, SharedWord.Connections, 1))
  // Of all threads together, which a server of one thread cannot count.
  if (before >= CONNECTIONS_MAX) {
    socket.destroy()
    return
  }
  const client = new Client(socket, {
    closed: () => void clients.delete(client),
    counted: (difference) => void Atomics.add(shared, SharedWord.Clients, difference),
  })
  clients.add(client)
  client.give(floor)
})

function listen({ host, port: at }: Place): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port: at, reusePort: job.threads > 1 }, () => {
      server.off('error', reject)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

function stop(): void {
  pause()
  server.close()
  for (const client of clients) client.destroy()
  port.close()
}

const orders: Readonly<Record<Order, (place: Place) => number | void | Promise<number>>> = {
  listen,
  create: () => openStore(true),
  open: () => openStore(false),
  run,
  pause,
  stop,
}

port.on('message', ({ order, place }: OrderMessage) => {
  const obey = async (): Promise<void> => {
    try {
      const value = await orders[order](place)
      port.postMessage({ value })
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      port.postMessage({ error: { code: code ?? 'INTERNAL', message } })
    }
  }
  void obey()
})

/**
 * The thread of a service: accepts clients and executes what they ask for on guest
 * memory. Only this thread stores to it. Takes orders one after the other and answers each.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:net'
import type { AddressInfo } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import { Client, type Floor } from './client.ts'
import { Executor } from './executor.ts'
import { MarkedMemory } from './marked-memory.ts'
import { Replies } from './replies.ts'
import { Request } from './request.ts'
import { CONNECTIONS_MAX, type Order, type ServiceJob } from './service-job.ts'
import { Store } from './store.ts'

const job = workerData as ServiceJob
const port = parentPort!
const clients = new Set<Client>()
const replies = new Replies()
const request = new Request()
let executor: Executor | undefined
/** Whose turn it is: the clients' while this is set. */
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
    connections: () => [...clients].reduce((sum, client) => sum + client.clientCount, 0),
  }
  executor = new Executor(store, replies, facts)
}

function run(): void {
  if (executor === undefined) throw new Error('there is no store yet')
  floor = { executor, request, replies, nowSeconds }
  for (const client of clients) client.give(floor)
}

function pause(): void {
  floor = undefined
  for (const client of clients) client.give(undefined)
}

const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  const client = new Client(socket, () => clients.delete(client))
  clients.add(client)
  client.give(floor)
})
server.maxConnections = CONNECTIONS_MAX

function listen(): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(job.place.port, job.place.host, () => {
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

const orders: Readonly<Record<Order, () => number | void | Promise<number>>> = {
  listen,
  create: () => openStore(true),
  open: () => openStore(false),
  run,
  pause,
  stop,
}

port.on('message', (order: Order) => {
  const obey = async (): Promise<void> => {
    try {
      const value = await orders[order]()
      port.postMessage({ value })
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      port.postMessage({ error: { code: code ?? 'INTERNAL', message } })
    }
  }
  void obey()
})

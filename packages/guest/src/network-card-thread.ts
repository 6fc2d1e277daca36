/**
 * The entry of a network card's thread: the guest's end of the stream. It reads from the socket
 * into the queue, which the guest takes from, and acknowledges what the guest has taken.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import { GodwitError, toGodwitError } from '@godwit/core'
import type { CardJob, CardOrder, CardWord } from './network-card.ts'
import { ReceiveQueue } from './receive-queue.ts'
import {
  checkSegment,
  encodeAcknowledgement,
  encodeHello,
  RecordReader,
  SEGMENT_HEADER_BYTES,
  SEGMENT_RECORD_BYTES,
  WINDOW_SEGMENTS,
} from './stream.ts'

/** Between two attempts to get a lost peer back. */
const redialMs = 100
/** Acknowledged at once even while more is waiting. */
const acknowledgeSegments = WINDOW_SEGMENTS / 8

const peerEntry = new URL(
  import.meta.url.endsWith('.ts') ? './stream-peer-process.ts' : './stream-peer-process.js',
  import.meta.url,
)

const job = workerData as CardJob
const queue = new ReceiveQueue(job.queue)
const port = parentPort!
let peer: ChildProcess | undefined
let address = job.peer
let socket: Socket | undefined
/** The next segment of the stream; undefined before a course began. */
let next: number | undefined
let acknowledged = 0
let isEnding = false

function post(word: CardWord): void {
  port.postMessage(word)
}

function fail(thrown: unknown): void {
  if (isEnding) return
  const reason = toGodwitError(thrown).message
  post({ type: 'failed', text: `The stream of guest network broke: ${reason}` })
  end()
}

function end(): void {
  isEnding = true
  socket?.destroy()
  peer?.stdin?.destroy()
  port.close()
}

/** A process of its own, as a peer elsewhere is; it ends with whoever holds its input. */
async function startPeer(): Promise<{ host: string; port: number }> {
  const child = spawn(process.execPath, [fileURLToPath(peerEntry)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  peer = child
  child.on('error', fail)
  child.on('exit', () => fail(new GodwitError('GUEST_FAILED', 'its peer ended')))
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return { host: '127.0.0.1', port: Number(line.toString()) }
}

function receive(record: Uint8Array): void {
  checkSegment(record, next!)
  if (queue.waiting >= WINDOW_SEGMENTS) {
    throw new GodwitError('LIMIT_EXCEEDED', `more than ${WINDOW_SEGMENTS} segments came at once`)
  }
  queue.put(record.subarray(SEGMENT_HEADER_BYTES))
  next!++
}

/** Says to a connected peer where to go on; what is in the queue is not asked for again. */
function greet(): void {
  if (next === undefined || socket?.readyState !== 'open') return
  acknowledged = next - queue.waiting
  const { seed, bytesPerSecond } = job
  socket.write(encodeHello({ seed, bytesPerSecond, acknowledged, first: next }))
}

function dial(): void {
  const dialled = connect({ ...address!, noDelay: true })
  const reader = new RecordReader(SEGMENT_RECORD_BYTES)
  let error: Error | undefined
  socket = dialled
  dialled.on('connect', () => {
    post({ type: 'connected' })
    greet()
  })
  dialled.on('data', (chunk: Uint8Array) => {
    if (dialled !== socket || isEnding) return
    try {
      if (next === undefined) throw new GodwitError('WIRE_SEQUENCE', 'nothing was asked for')
      reader.feed(chunk, receive)
    } catch (thrown) {
      fail(thrown)
    }
  })
  dialled.on('error', (cause) => {
    error = cause
  })
  dialled.on('close', () => {
    if (dialled !== socket || isEnding) return
    post({ type: 'lost', text: error?.message ?? 'the peer closed the connection' })
    setTimeout(() => {
      if (!isEnding) dial()
    }, redialMs)
  })
}

/** Tells the peer what the guest has, for as long as there is a guest. */
async function acknowledge(): Promise<void> {
  while (!isEnding) {
    const { taken } = queue
    const { waiting } = queue
    if (next !== undefined && socket?.readyState === 'open') {
      const has = next - waiting
      if (has - acknowledged >= acknowledgeSegments || (waiting === 0 && has > acknowledged)) {
        acknowledged = has
        socket.write(encodeAcknowledgement(has))
      }
    }
    await queue.changed(taken)
  }
}

function obey(order: CardOrder): void {
  if (order.type === 'end') return end()
  const isFirst = next === undefined
  next = order.first
  queue.begin(order.course, order.first)
  if (isFirst) return greet()
  // What still comes over the old connection is of another place of the stream.
  socket?.destroy()
  dial()
}

port.on('message', obey)
try {
  address ??= await startPeer()
  if (!isEnding) dial()
  void acknowledge()
} catch (error) {
  fail(error)
}

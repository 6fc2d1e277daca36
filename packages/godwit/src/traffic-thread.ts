/**
 * The entry of a thread that sends the traffic of `traffic.ts`.
 *
 * @module
 */
import { connect } from 'node:net'
import { workerData } from 'node:worker_threads'
import { errorParts } from '@godwit/core'
import { TokenBucket } from '@godwit/policy'
import { connectionLost, formatHostPort, toTransportError } from '@godwit/transport'
import { parentThread } from './parent-thread.ts'
import { randomBytes } from './runtime.ts'
import type { TrafficJob, TrafficWord } from './traffic.ts'

const writeBytesMax = 1 << 16

const { host, port, bytesPerSecond, sent } = workerData as TrafficJob
const address = formatHostPort(host, port)
const words = new BigInt64Array(sent)
const parent = parentThread<TrafficWord, never>()
const bucket = new TokenBucket(bytesPerSecond)
// Random, so that nothing on the way makes it smaller.
const bytes = randomBytes(Math.max(1, Math.min(writeBytesMax, Math.floor(bucket.grainBytes))))

/** One write at a time: the system has taken it when the next begins. */
function send(): void {
  const waitMs = bucket.waitMs(performance.now())
  if (waitMs > 0) {
    setTimeout(send, waitMs)
    return
  }
  bucket.spend(bytes.length, performance.now())
  socket.write(bytes, (error) => {
    if (error) return
    Atomics.add(words, 0, BigInt(bytes.length))
    send()
  })
}

const socket = connect({ host, port, noDelay: true }, () => {
  parent.post({ type: 'connected' })
  send()
})
let failure: unknown
socket.on('error', (error) => {
  failure = error
})
socket.on('close', () => {
  const error = failure === undefined ? connectionLost(address) : toTransportError(failure, address)
  parent.post({ type: 'failed', error: errorParts(error) })
})
socket.resume()

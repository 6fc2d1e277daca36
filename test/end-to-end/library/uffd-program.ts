/**
 * A program that takes plain memory in behind the uffd pager. Its worker knows nothing of pages: it
 * adds up all words, stores one more than it found to each, and tells the sum.
 *
 * @module
 */
import { Worker } from 'node:worker_threads'
import type { Region } from '@godwit/core'
import { receive } from 'godwit'

const source = `
const { parentPort, workerData } = require('node:worker_threads')
let sum = 0
for (let at = 0; at < workerData.length; at++) {
  const value = workerData[at]
  sum += value
  workerData[at] = value + 1
}
parentPort.postMessage(sum)
`

let prepared = ''
let memory: Uint32Array | undefined
const summed = Promise.withResolvers<number>()

function run([region]: readonly Region[]): void {
  const { buffer, byteOffset, byteLength } = region!.bytes
  memory = new Uint32Array(buffer, byteOffset, byteLength / 4)
  const worker = new Worker(source, { eval: true, workerData: memory })
  worker.on('message', summed.resolve)
}

const receiver = await receive(
  {
    prepare: (state) => {
      prepared = Buffer.from(state).toString()
    },
    run,
  },
  { listen: '127.0.0.1:0', pager: 'uffd' },
)
process.stdout.write(`listening ${receiver.address}\n`)
const sum = await summed.promise
const { error } = await receiver.arrival()
const words = memory!
const isStored = words.every((word, at) => word === at + 1)
process.stdout.write(`${JSON.stringify({ prepared, sum, isStored, error })}\n`)
await receiver.close()

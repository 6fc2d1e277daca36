/**
 * A worker of a program whose memory is still arriving: it adds up all words, page by page.
 *
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { GateMemory } from 'godwit'
import { openGate } from 'godwit'

const { words, gate, pageBytes } = workerData as {
  words: Uint32Array
  gate: GateMemory
  pageBytes: number
}
const opened = openGate(gate)
parentPort!.postMessage('ready')
let sum = 0
for (let at = 0; at < words.length; at++) {
  if ((at * 4) % pageBytes === 0) opened.enter(0, (at * 4) / pageBytes)
  sum = (sum + words[at]!) >>> 0
}
parentPort!.postMessage(sum)

/**
 * The workload that takes a stream from a process outside: `network`. Its working set, in pages of
 * 4096 bytes:
 *
 * | pages | what |
 * |---|---|
 * | 1 | the connection: next segment's number (low, high), the last one's sum, its buffer |
 * | 256, or half of the rest | receive buffers, a ring, as a network card writes them |
 * | the rest | what the application keeps: the last so many segments |
 *
 * The number of the next segment is the number of steps: it travels with the guest, and whoever
 * runs the guest asks the peer to go on there.
 *
 * @module
 */
import type { GuestIdentity } from '@godwit/core'
import { type Registers, STEPS } from './control-block.ts'
import { WORK_PAGE_BYTES, workingSetOf } from './layout.ts'
import { ReceiveQueue } from './receive-queue.ts'
import { StreamContent } from './stream.ts'
import type { Workload } from './workload.ts'
import {
  type Enter,
  entriesOf,
  type Mark,
  markerOf,
  type WorkloadMemory,
  wordsOf,
} from './workload-memory.ts'

const pageWords = WORK_PAGE_BYTES / 4
/** As many buffers as a card usually has. */
const ringPagesMax = 256
/** The least: connection, one buffer, one page of the application. */
export const NETWORK_PAGES_MIN = 3

/** Where things are in the last region. */
export interface NetworkLayout {
  readonly connectionPage: number
  readonly ringPage: number
  readonly ringCount: number
  readonly keptPage: number
  readonly keptCount: number
}

export function networkLayoutOf(
  identity: GuestIdentity,
  regionBytes: readonly number[],
): NetworkLayout {
  const { firstPage, pageCount } = workingSetOf(Number(identity.options['wss']), regionBytes)
  const ringCount = Math.min(ringPagesMax, Math.floor((pageCount - 1) / 2))
  return {
    connectionPage: firstPage,
    ringPage: firstPage + 1,
    ringCount,
    keptPage: firstPage + 1 + ringCount,
    keptCount: pageCount - 1 - ringCount,
  }
}

/** Where segments come from: the network card, or their maker, where nobody is to be asked. */
interface Source {
  copy(number: number, into: Int32Array, at: number): void
  take(number: number): void
}

function madeHere(seed: number): Source {
  const content = new StreamContent(seed)
  return { copy: (number, into, at) => into.set(content.segment(number), at), take: () => {} }
}

interface NetworkParts extends NetworkLayout {
  readonly source: Source
  readonly words: Int32Array
  readonly enter: Enter
  readonly mark: Mark
  readonly registers: Registers
}

function step(parts: NetworkParts, count: number): void {
  const { source, words, enter, mark, ringPage, ringCount, keptPage, keptCount } = parts
  const { counts, lanes } = parts.registers
  const connection = parts.connectionPage * pageWords
  for (let i = 0; i < count; i++) {
    const number = counts[STEPS]!
    const buffer = ringPage + (number % ringCount)
    const at = buffer * pageWords
    enter(buffer)
    source.copy(number, words, at)
    mark(buffer)
    let sum = 0
    for (let word = at; word < at + pageWords; word++) sum = (sum + words[word]!) | 0
    const kept = keptPage + (number % keptCount)
    enter(kept)
    words.copyWithin(kept * pageWords, at, at + pageWords)
    mark(kept)
    const next = number + 1
    enter(parts.connectionPage)
    words[connection] = next | 0
    words[connection + 1] = Math.floor(next / 2 ** 32)
    words[connection + 2] = sum
    words[connection + 3] = buffer
    mark(parts.connectionPage)
    lanes[0] = (lanes[0]! + sum) | 0
    lanes[1] = Math.imul(lanes[1]! ^ sum, 0x01000193) + 1
    counts[STEPS] = next
  }
  source.take(counts[STEPS]!)
}

/**
 * A step takes one segment of the stream: into the next receive buffer, as a card does it, then it
 * is summed up and copied to the application's pages, and acknowledged.
 */
export function createNetwork(
  identity: GuestIdentity,
  memory: WorkloadMemory,
  registers: Registers,
): Workload {
  const regionBytes = memory.regions.map((region) => region.byteLength)
  const queue = memory.receive === undefined ? undefined : new ReceiveQueue(memory.receive)
  const parts: NetworkParts = {
    ...networkLayoutOf(identity, regionBytes),
    source: queue ?? madeHere(Number(identity.options['seed'])),
    words: wordsOf(memory.regions.at(-1)!),
    enter: entriesOf(memory).at(-1)!,
    mark: markerOf(memory, regionBytes.length - 1),
    registers,
  }
  const run = (count: number): void => step(parts, count)
  return queue === undefined ? { step: run } : { step: run, ready: () => queue.ready() }
}

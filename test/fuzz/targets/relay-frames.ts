/**
 * What a relay sends to the owner of a memcached service: frames of many clients, and the requests
 * in them. The number in front of an input says where it is cut.
 *
 * @module
 */
import type { Socket } from 'node:net'
import { Executor } from '../../../packages/memcached/src/executor.ts'
import { Floor } from '../../../packages/memcached/src/floor.ts'
import {
  CHANNELS_MAX,
  FRAME_HEADER_BYTES,
  FrameKind,
} from '../../../packages/memcached/src/frame.ts'
import { MEMORY_BYTES_MIN } from '../../../packages/memcached/src/layout.ts'
import { MarkedMemory } from '../../../packages/memcached/src/marked-memory.ts'
import { Mutex } from '../../../packages/memcached/src/mutex.ts'
import { RelayLink } from '../../../packages/memcached/src/relay-link.ts'
import { Replies } from '../../../packages/memcached/src/replies.ts'
import { Request } from '../../../packages/memcached/src/request.ts'
import { Store } from '../../../packages/memcached/src/store.ts'
import type { Field, Random } from '../mutator.ts'
import { interesting, joined, pick, randomBytes } from '../mutator.ts'
import type { Target } from '../target.ts'
import { must, numberBytes, splitNumber } from '../target.ts'

const now = 1_700_000_000
const inputBytesMax = 8 * 1024
const runsMax = 1000

const requests = [
  'set a 0 0 3\r\nabc\r\n',
  'get a b\r\n',
  'gets a\r\ncas a 0 0 1 1\r\nx\r\n',
  'append a 0 0 2\r\nxy\r\n',
  'incr n 7\r\nset n 0 0 1\r\n5\r\nincr n 7\r\n',
  'delete a noreply\r\n',
  'touch a 10\r\n',
  'stats\r\n',
  'flush_all\r\n',
  'verbosity 1\r\nversion\r\n',
  'ms a 2 T30 c\r\nhi\r\n',
  'mg a v k t h\r\n',
  'ma n N0 J7 v\r\n',
  'md a\r\nmn\r\n',
  'quit\r\n',
  'set a 0 0 99999999\r\n',
  'nonsense\r\n',
  'set a 0 0 5\r\nab',
] as const

interface Told {
  readonly kind: number
  readonly channel: number
  readonly data: Uint8Array
}

interface Played {
  readonly isRight: boolean
  readonly told: Uint8Array
  readonly clients: number
}

/** All of it is taken, and executed then. */
function play(bytes: Uint8Array, chunkBytes: number): Played {
  const memory = new MarkedMemory(new Uint8Array(MEMORY_BYTES_MIN))
  const store = Store.create(memory, { nowSeconds: now, hashSeed: 3 })
  const replies = new Replies()
  const facts = { processId: 1, connectionsMax: 10, connections: () => 1, threads: 1 }
  const executor = new Executor(store, replies, facts)
  const mutex = new Mutex(new Int32Array(1), 0)
  const request = new Request()
  const floor = new Floor({ executor, request, replies, mutex, nowSeconds: () => now })
  const told: Uint8Array[] = []
  const socket = {
    write: (chunk: Uint8Array) => told.push(Uint8Array.from(chunk)),
    writableLength: 0,
  }
  const link = new RelayLink(socket as unknown as Socket)
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const isRight = link.receive(bytes.slice(at, at + chunkBytes))
    if (!isRight) return { isRight, told: new Uint8Array(0), clients: 0 }
  }
  let runs = 1
  while (!link.run(floor)) must(++runs < runsMax, 'what is complete is executed')
  return { isRight: true, told: joined(...told), clients: link.clientCount }
}

/** @throws {Fault} it is not what an owner sends */
function framesOf(bytes: Uint8Array): readonly Told[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const frames: Told[] = []
  for (let at = 0; at < bytes.length; ) {
    must(at + FRAME_HEADER_BYTES <= bytes.length, 'a header is whole')
    const [value, channel] = [view.getUint32(at, true), view.getUint16(at + 4, true)]
    const kind = bytes[at + 6]!
    must(channel < CHANNELS_MAX && bytes[at + 7] === 0, 'a header is right')
    const length = kind === FrameKind.Data ? value : 0
    const start = at + FRAME_HEADER_BYTES
    must(start + length <= bytes.length, 'data is whole')
    must(kind === FrameKind.Data ? value > 0 : value === 0, 'a number means something')
    frames.push({ kind, channel, data: bytes.subarray(start, start + length) })
    at = start + length
  }
  return frames
}

/** What must hold of all that an owner says in one go. @returns a label */
function check(frames: readonly Told[]): string {
  const closed = new Set<number>()
  const words = new Set<string>()
  for (const [index, { kind, channel, data }] of frames.entries()) {
    const isLast = index === frames.length - 1
    if (kind === FrameKind.Held) must(isLast && channel === 0, 'nothing follows when it holds')
    else must(!closed.has(channel), 'nothing follows when a channel is closed')
    if (kind === FrameKind.Close) closed.add(channel)
    const [word = ''] = /^[A-Z_]+|^\x81/.exec(Buffer.from(data).toString('latin1')) ?? []
    if (kind === FrameKind.Data) words.add(word)
  }
  const isHeld = frames.at(-1)?.kind === FrameKind.Held
  const some = [...words].toSorted().slice(0, 2).join('+')
  return `${isHeld ? 'held' : 'open'} ${Math.min(2, closed.size)} ${some}`
}

function run(input: Uint8Array): string {
  const { number, rest: bytes } = splitNumber(input)
  const whole = play(bytes, Math.max(1, bytes.length))
  const cut = play(bytes, 1 + (number % 300))
  must(whole.isRight === cut.isRight, 'a cut does not decide what is right')
  must(Buffer.compare(whole.told, cut.told) === 0, 'a cut changes no reply')
  must(whole.clients === cut.clients, 'a cut changes nobody')
  if (!whole.isRight) return 'refused'
  return check(framesOf(whole.told))
}

function frame(
  kind: number,
  channel: number,
  value: number,
  data: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const header = Uint8Array.of(0, 0, 0, 0, channel, channel >>> 8, kind, 0)
  header.set(numberBytes(value))
  return joined(header, data)
}

function dataFrame(channel: number, text: string): Uint8Array {
  const data = Buffer.from(text, 'latin1')
  return frame(FrameKind.Data, channel, data.length, data)
}

function someFrame(random: Random): Uint8Array {
  const channel = random(30) === 0 ? random(2 ** 16) : random(3)
  if (random(4) > 0) {
    const text = pick(requests, random)
    // A request may be in two frames.
    const end = random(5) === 0 ? random(text.length + 1) : text.length
    return joined(dataFrame(channel, text.slice(0, end)), dataFrame(channel, text.slice(end)))
  }
  if (random(20) === 0) {
    const data = randomBytes(random(40), random)
    return frame(FrameKind.Data, channel, random(9) === 0 ? interesting(random) : data.length, data)
  }
  const { End, Close, Credit, Hold } = FrameKind
  const kind = random(40) === 0 ? random(9) : pick([End, Close, Credit, Hold], random)
  return frame(kind, channel, kind === Credit ? interesting(random) : 0)
}

function generate(random: Random): Uint8Array {
  const frames = Array.from({ length: 1 + random(12) }, () => someFrame(random))
  return joined(numberBytes(random(300)), ...frames).subarray(0, inputBytesMax)
}

function fieldsOf(input: Uint8Array): readonly Field[] {
  const view = new DataView(input.buffer, input.byteOffset, input.length)
  const fields: Field[] = []
  for (let at = 4; at + FRAME_HEADER_BYTES <= input.length && fields.length < 200; ) {
    const value = input[at + 6] === FrameKind.Data ? view.getUint32(at, true) : 0
    fields.push({ at, byteCount: 4 }, { at: at + 4, byteCount: 2 }, { at: at + 6, byteCount: 1 })
    at += FRAME_HEADER_BYTES + value
  }
  return fields
}

export const relayFrames: Target = {
  name: 'relay-frames',
  seeds: requests.map((text, index) => {
    const end = frame(index % 2 === 0 ? FrameKind.End : FrameKind.Close, 1, 0)
    return joined(numberBytes(index), dataFrame(1, text), end, frame(FrameKind.Hold, 0, 0))
  }),
  reaches: ['refused', 'held 0', 'held 1', 'open 0 STORED', 'open 0 ERROR'],
  inputBytesMax,
  allocatedBytesMax: (inputBytes) => (96 << 20) + 64 * inputBytes,
  cpuMsMax: 1000,
  fieldsOf,
  generate,
  run,
}

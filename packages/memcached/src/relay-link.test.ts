import type { Socket } from 'node:net'
import { MIB } from '@godwit/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Conversation } from './conversation.ts'
import { Executor } from './executor.ts'
import { Floor } from './floor.ts'
import { FrameKind, FrameReader, putHeader } from './frame.ts'
import { MEMORY_BYTES_MIN } from './layout.ts'
import { MarkedMemory } from './marked-memory.ts'
import { Mutex } from './mutex.ts'
import { RelayLink } from './relay-link.ts'
import { Replies } from './replies.ts'
import { Request } from './request.ts'
import { Store } from './store.ts'

const now = 1_700_000_000

function createFloor() {
  const memory = new MarkedMemory(new Uint8Array(MEMORY_BYTES_MIN))
  const store = Store.create(memory, { nowSeconds: now, hashSeed: 3 })
  const facts = { processId: 1, connectionsMax: 10, connections: () => 1, threads: 1 }
  const replies = new Replies()
  const executor = new Executor(store, replies, facts)
  const mutex = new Mutex(new Int32Array(1), 0)
  return new Floor({ executor, request: new Request(), replies, mutex, nowSeconds: () => now })
}

/** What a client that is alone is answered. */
function alone(text: string): string {
  const { executor, request, replies } = createFloor()
  const client = new Conversation()
  client.receive(Buffer.from(text, 'latin1'))
  client.run(executor, request, replies)
  return Buffer.from(replies.take()).toString('latin1')
}

const cas = /(?<= c)\d+/g
const piece = fc.constantFrom(
  'ms a 2 T30 k\r\nhi\r\n',
  'mg a v k t h\r\n',
  'mg a q\r\nmg b N30 t k\r\n',
  'ma n N0 J7 v\r\n',
  'md a I\r\n',
  'md b\r\n',
  'set a 0 0 3\r\nabc\r\nget a b\r\n',
  'append a 0 0 1 noreply\r\nx\r\n',
  'nonsense\r\n',
)
/** Of three clients, what each says; keys of one are none of another's. */
const clients = fc.array(fc.array(piece, { minLength: 1, maxLength: 8 }), {
  minLength: 1,
  maxLength: 3,
})
const cuts = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 8 })

it('answers each client as if it were alone, however frames and bytes come', () => {
  fc.assert(
    fc.property(clients, cuts, cuts, (pieces, frameLengths, chunkLengths) => {
      const texts = pieces.map((some, id) => {
        return some.join('').replaceAll(/(?<= )([abn])(?=[ \r])/g, `$1${id}`)
      })
      const out = new Replies()
      const at = texts.map(() => 0)
      for (let i = 0; at.some((from, id) => from < texts[id]!.length); i++) {
        const id = i % texts.length
        const from = at[id]!
        at[id] = from + frameLengths[i % frameLengths.length]!
        const body = out.beginFrame()
        out.addText(texts[id]!.slice(from, at[id]))
        out.endFrame(body, FrameKind.Data, id)
      }
      for (const id of texts.keys()) out.addFrame({ kind: FrameKind.End, channel: id, value: 0 })
      out.addFrame({ kind: FrameKind.Hold, channel: 0, value: 0 })

      const written: Uint8Array[] = []
      const socket = {
        write: (chunk: Uint8Array) => written.push(Uint8Array.from(chunk)),
        writableLength: 0,
      }
      const link = new RelayLink(socket as unknown as Socket)
      const floor = createFloor()
      const bytes = out.take()
      for (let from = 0, i = 0; from < bytes.length; i++) {
        const to = from + chunkLengths[i % chunkLengths.length]!
        expect(link.receive(bytes.slice(from, to))).toBe(true)
        expect(link.run(floor)).toBe(true)
        from = to
      }

      const answers = texts.map(() => '')
      const frames: number[][] = []
      const reader = new FrameReader()
      const taker = {
        data: (id: number, part: Uint8Array) => {
          answers[id] += Buffer.from(part).toString('latin1')
        },
        frame: (kind: FrameKind, id: number) => frames.push([kind, id]) > 0,
      }
      for (const chunk of written) expect(reader.read(chunk, taker)).toBe(true)
      const expected = texts.map((text) => alone(text).replaceAll(cas, ''))
      expect(answers.map((text) => text.replaceAll(cas, ''))).toEqual(expected)
      // Who is answered first ends first; all have ended when the owner has held.
      expect(frames.pop()).toEqual([FrameKind.Held, 0])
      const closes = texts.map((_, id) => [FrameKind.Close, id])
      expect(frames.toSorted((one, other) => one[1]! - other[1]!)).toEqual(closes)
    }),
    { numRuns: 40 },
  )
})

it('executes what a client said before it went, tells nobody, and closes once', () => {
  const out = new Replies()
  const say = (channel: number, text: string): void => {
    const at = out.beginFrame()
    out.addText(text)
    out.endFrame(at, FrameKind.Data, channel)
  }
  say(1, 'set a 0 0 1\r\nx\r\n')
  out.addFrame({ kind: FrameKind.Close, channel: 1, value: 0 })
  say(2, 'get a\r\nquit\r\n')
  const written: Uint8Array[] = []
  const socket = { write: (chunk: Uint8Array) => written.push(Uint8Array.from(chunk)) }
  const link = new RelayLink(socket as unknown as Socket)
  const floor = createFloor()
  expect(link.receive(out.take())).toBe(true)
  link.run(floor)
  out.addFrame({ kind: FrameKind.Close, channel: 2, value: 0 })
  expect(link.receive(out.take())).toBe(true)
  link.run(floor)
  const told: unknown[] = []
  new FrameReader().read(Buffer.concat(written), {
    data: (id, part) => told.push([id, Buffer.from(part).toString()]),
    frame: (kind, id) => told.push([kind, id]) > 0,
  })
  const value = 'VALUE a 0 1\r\nx\r\nEND\r\n'
  expect(told).toEqual([
    [FrameKind.Close, 1],
    [2, value],
    [FrameKind.Close, 2],
  ])
  expect(link.clientCount).toBe(0)
})

it('refuses what a relay does not send', () => {
  const frameOf = (kind: number): Uint8Array => Uint8Array.of(0, 0, 0, 0, 5, 0, kind, 0)
  const receives = (kind: number): boolean => new RelayLink({} as Socket).receive(frameOf(kind))
  // Nothing is open that could be closed, and an owner is not told that it has held.
  expect([FrameKind.Close, FrameKind.Held].map(receives)).toEqual([false, false])
  expect([FrameKind.End, FrameKind.Credit, FrameKind.Hold].map(receives)).toEqual([
    true,
    true,
    true,
  ])
})

it('takes only so much that is not executed, over all channels', () => {
  const link = new RelayLink({} as Socket)
  const frame = Buffer.alloc(8 + MIB)
  const say = (channel: number): boolean => {
    putHeader(frame, 0, { kind: FrameKind.Data, channel, value: MIB })
    return link.receive(frame)
  }
  for (let channel = 0; channel < 128; channel++) expect(say(channel)).toBe(true)
  expect(say(128)).toBe(false)
})

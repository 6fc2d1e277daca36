/**
 * Captures of conversations that never took place: recorded ones, of which frames were changed.
 * Checksums and numbers of frames are right all the same.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import type { Side, Verification } from '@godwit/capture'
import { Conversation, verifyCapture } from '@godwit/capture'
import { MIB, crc32 } from '@godwit/core'
import type { FrameName } from '@godwit/wire'
import { FrameType, FrameWriter, encodePreface, frameRule } from '@godwit/wire'
import { nodePrimitives } from 'godwit'
import { decodeMap, encodeMap } from '../../packages/wire/src/message-pack.ts'
import { MemoryCapture, inputOf } from '../streams/memory-capture.ts'

const primitives = await nodePrimitives()

/** A stream that was recorded. */
export function recorded(name: string): Uint8Array {
  const url = new URL(`../streams/0.1.0/${name}.gwc`, import.meta.url)
  return Uint8Array.from(readFileSync(url))
}

export function verify(bytes: Uint8Array, memoryBytesMax: number = 1024 * MIB): Verification {
  return verifyCapture(inputOf(bytes), { primitives, memoryBytesMax })
}

/** A frame as it was captured. */
export interface Spoken {
  readonly name: FrameName
  readonly from: Side
  /** Of the channel. */
  readonly line: string
  /** How often this name came before from this side, on whatever channel. */
  readonly nth: number
  readonly body: Uint8Array
}

/** What is said in its place: the same where undefined, else these bodies, one frame each. */
export type Edit = (spoken: Spoken) => readonly (Uint8Array | [FrameName, object])[] | undefined

/** A capture whose frames were edited. */
export function edited(bytes: Uint8Array, edit: Edit): Uint8Array {
  const conversation = new Conversation(inputOf(bytes))
  const made = new MemoryCapture(conversation.chunks.header.side)
  const writers = new Map<string, FrameWriter>()
  const counts = new Map<string, number>()
  for (const happening of conversation.happenings()) {
    const { line } = happening
    if (happening.what === 'opened') made.recorder.opened(line.remote)
    if (happening.what === 'closed') made.recorder.closed(line.number, happening.reason)
    if (happening.what === 'preface') {
      made.recorder.bytes(line.number, happening.from, encodePreface(happening.preface))
    }
    if (happening.what !== 'frame') continue
    const { from, frame } = happening
    const { name } = frameRule(frame.type)!
    const nth = counts.get(`${from} ${name}`) ?? 0
    counts.set(`${from} ${name}`, nth + 1)
    const key = `${from} ${line.number}`
    const writer = writers.get(key) ?? new FrameWriter()
    writers.set(key, writer)
    const instead = edit({ name, from, line: line.name, nth, body: frame.body }) ?? [frame.body]
    for (const one of instead) {
      const [type, body] =
        one instanceof Uint8Array
          ? [frame.type, one]
          : ([FrameType[one[0]], encodeMap(one[1])] as const)
      made.recorder.bytes(line.number, from, writer.frame(type, body))
    }
  }
  return made.end()
}

/** Changes the keys of the n-th frame of a name. */
export function change(which: FrameName, nth: number, keys: object): Edit {
  return ({ name, nth: count, body }) => {
    return name === which && nth === count
      ? [encodeMap({ ...decodeMap(body), ...keys })]
      : undefined
  }
}

/** Leaves the n-th frame of a name out, or all. */
export function drop(which: FrameName, nth?: number): Edit {
  return ({ name, nth: count }) => {
    return name === which && (nth === undefined || nth === count) ? [] : undefined
  }
}

/** Says something else in front of the n-th frame of a name. */
export function before(which: FrameName, nth: number, name: FrameName, body: object): Edit {
  return (spoken) => {
    if (spoken.name !== which || spoken.nth !== nth) return undefined
    return [[name, body], spoken.body]
  }
}

/** Chunks of a capture: where they begin and end. */
export function chunksOf(bytes: Uint8Array): { readonly at: number; readonly end: number }[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const chunks = []
  for (let at = 32; at < bytes.length; ) {
    const end = at + 24 + view.getUint32(at + 16, true)
    chunks.push({ at, end })
    at = end
  }
  return chunks
}

/** The same with the checksums of all chunks put right. */
export function resealed(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice()
  const view = new DataView(copy.buffer)
  for (const { at, end } of chunksOf(copy)) {
    if (end > copy.length) break
    view.setUint32(at + 20, crc32(copy, crc32(copy, 0, at, at + 20), at + 24, end), true)
  }
  return copy
}

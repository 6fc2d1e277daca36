/**
 * Hands bytes to readers in pieces and writes down what comes of it.
 *
 * @module
 */
import { crc32 } from 'node:zlib'
import { GodwitError } from '@godwit/core'
import type { Frame, Preface } from '@godwit/wire'
import { ChannelRole, FrameReader, FrameType, PREFACE_BYTES, decodePreface } from '@godwit/wire'
import type { ChannelName } from './vector-files.ts'

/** The roles of channels by their names in vectors. */
export const roles: Readonly<Record<ChannelName, ChannelRole>> = {
  control: ChannelRole.Control,
  data: ChannelRole.Data,
  urgent: ChannelRole.Urgent,
  reverse: ChannelRole.Reverse,
}

/** How a vector was cut, and the lengths of its pieces. */
export type Cut = readonly [name: string, pieces: readonly number[]]

/** One byte at a time takes too long for more than this. */
const byByteMax = 70_000

/** Whole, byte by byte where that is short enough, and in pieces that only `seed` decides. */
export function cutsOf(length: number, seed: number): readonly Cut[] {
  const cuts: Cut[] = [['whole', [length]]]
  if (length <= byByteMax) cuts.push(['by byte', Array.from({ length }, () => 1)])
  for (let run = 0; run < 3; run++) cuts.push([`in pieces ${run}`, pieces(length, seed * 3 + run)])
  return cuts
}

function pieces(length: number, seed: number): number[] {
  const most = Math.max(2, length >>> (seed % 3 === 0 ? 6 : 2))
  const made: number[] = []
  let random = seed + 1
  for (let rest = length; rest > 0; ) {
    random = (Math.imul(random, 1664525) + 1013904223) >>> 0
    const piece = Math.min(rest, 1 + ((random >>> 8) % most))
    made.push(piece)
    rest -= piece
  }
  return made
}

/** What a reader made of a stream. */
export interface Reading {
  readonly frames: readonly SeenFrame[]
  readonly error: string | undefined
  /** How many bytes it had when it refused. */
  readonly errorAt: number | undefined
  readonly pendingBytes: number
}

export interface SeenFrame {
  readonly type: string
  readonly number: number
  readonly length: number
  readonly crc32: number
  readonly body: Uint8Array
}

/** Feeds `bytes` to a new reader of `channel`. */
export function readFrames(
  channel: ChannelName,
  bytes: Uint8Array,
  lengths: readonly number[],
): Reading {
  const reader = new FrameReader(roles[channel])
  const frames: SeenFrame[] = []
  let at = 0
  try {
    for (const length of lengths) {
      for (const end = at + length; at < end; ) {
        at += write(reader, bytes.subarray(at, end))
        for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
          frames.push(seen(frame))
        }
      }
    }
  } catch (error) {
    return { frames, error: codeOf(error), errorAt: at, pendingBytes: 0 }
  }
  const { pendingBytes } = reader
  return { frames, error: undefined, errorAt: undefined, pendingBytes }
}

/** @returns how many of `bytes` the reader had space for */
function write(reader: FrameReader, bytes: Uint8Array): number {
  const space = reader.space()
  const taken = bytes.subarray(0, space.length)
  if (taken.length === 0) throw new Error('the reader has no space')
  space.set(taken)
  reader.received(taken.length)
  return taken.length
}

function seen({ type, body }: Frame): SeenFrame {
  const copy = body.slice()
  return { type: specName(type), number: type, length: copy.length, crc32: crc32(copy), body: copy }
}

/** What `decodePreface` says to every length that these pieces make; stops at an error. */
export function readPreface(
  bytes: Uint8Array,
  lengths: readonly number[],
): { readonly preface: Preface | undefined; readonly error?: string; readonly errorAt?: number } {
  let preface: Preface | undefined
  let at = 0
  for (const length of lengths) {
    at = Math.min(at + length, PREFACE_BYTES)
    try {
      preface = decodePreface(bytes.subarray(0, at))
    } catch (error) {
      return { preface: undefined, error: codeOf(error), errorAt: at }
    }
  }
  return { preface }
}

/** The code of an error; anything that is no {@link GodwitError} goes on. */
export function codeOf(error: unknown): string {
  if (error instanceof GodwitError) return error.code
  throw error
}

const names: ReadonlyMap<number, string> = new Map(
  Object.entries(FrameType).map(([name, number]) => [
    number,
    name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase(),
  ]),
)

/** `ROUND_BEGIN`, as the specification writes it. */
export function specName(type: number): string {
  return names.get(type) ?? `type ${type}`
}

/** The number of a type by the specification's name. */
export function typeNumber(name: string): number {
  for (const [number, one] of names) if (one === name) return number
  throw new Error(`no frame type ${name}`)
}

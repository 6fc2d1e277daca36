/**
 * The vectors as the tests read them. `vectors.py` writes the files.
 *
 * @module
 */
import { readFileSync } from 'node:fs'

/** Bytes as hex, or as parts of which each may repeat. */
export interface Octets {
  readonly hex?: string
  readonly parts?: readonly { readonly hex: string; readonly repeat?: number }[]
}

export interface Vector<Expect> extends Octets {
  readonly name: string
  readonly note?: string
  readonly expect?: Expect
  /** The code a receiver must refuse these bytes with. */
  readonly error?: string
  /** How many bytes it needs at most before it must refuse. */
  readonly errorAt?: number
  /** The stream ends behind these bytes. */
  readonly ended?: boolean
}

/** A channel by its role. */
export type ChannelName = 'control' | 'data' | 'urgent' | 'reverse'

export interface PrefaceFacts {
  readonly version: number
  readonly role: ChannelName
  readonly index: number
  readonly epoch: number
  readonly session: string
}

export interface FrameFacts {
  readonly type: string
  readonly sequence: number
  readonly length: number
  readonly crc32: number
}

export interface FrameVector extends Vector<{ readonly frames: readonly FrameFacts[] }> {
  readonly channel: ChannelName
  readonly from: 'source' | 'destination'
  /** Frames that are right and come before the error. */
  readonly before?: readonly FrameFacts[]
  readonly firstSequence?: number
}

export interface ControlVector extends Vector<Record<string, unknown>> {
  readonly type: string
  /** Where the message itself would be too long to show. */
  readonly expectLengths?: Readonly<Record<string, number>>
}

/** What becomes of a batch that is right. */
export interface BatchFacts {
  /** By encoding, whatever the compression; `deltaPages` has the similar ones, too. */
  readonly rawPages?: number
  readonly zeroPages?: number
  readonly samePages?: number
  readonly referencePages?: number
  readonly deltaPages?: number
  /** Instead of pages: it is answered with NAK, which names these runs. */
  readonly nak?: readonly (readonly [firstPage: number, pageCount: number])[]
  /** Of every region afterwards, by its id. */
  readonly sha256: Readonly<Record<string, string>>
}

export interface BatchVector extends Vector<BatchFacts> {
  readonly pageBytes: number
  readonly hash: 'xxh3' | 'xxh64' | 'sha256'
  readonly fingerprintSeed: string
  readonly round: number
  /** What memory is full of before. */
  readonly fill: number
  readonly regions: readonly { readonly id: number; readonly byteLength: number }[]
  /** Batches that the same channel carried before, of this round or others; none is an error. */
  readonly before?: readonly Octets[]
  /** Those of WELCOME that batches need; absent: none. */
  readonly capabilities?: readonly string[]
  readonly storeBytes?: number
}

export interface StreamFacts {
  readonly index: number
  readonly epoch: number
  readonly frames: readonly { readonly type: string; readonly message?: unknown }[]
}

export interface StreamVector extends Vector<StreamFacts> {
  readonly channel: ChannelName
  readonly from: 'source' | 'destination'
}

/** Every vector of a file in `vectors`. */
export function readVectors<Kind>(file: string): readonly Kind[] {
  const url = new URL(`./vectors/${file}`, import.meta.url)
  return JSON.parse(readFileSync(url, 'utf8')) as Kind[]
}

/** The bytes of a vector in memory of their own. */
export function bytesOf(vector: Octets): Uint8Array {
  if (vector.hex !== undefined) return new Uint8Array(Buffer.from(vector.hex, 'hex'))
  const parts = (vector.parts ?? []).map(({ hex, repeat = 1 }) => {
    const unit = Buffer.from(hex, 'hex')
    return Buffer.alloc(unit.length * repeat, unit)
  })
  return new Uint8Array(Buffer.concat(parts))
}

/** One text for one meaning: keys in order, bytes as `{"$bin": hex}`, as the files have them. */
export function canonical(value: unknown): string {
  if (value instanceof Uint8Array) return `{"$bin":"${Buffer.from(value).toString('hex')}"}`
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'undefined'
  const fields = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`
}

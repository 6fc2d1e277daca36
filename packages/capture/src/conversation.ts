/**
 * What is said in a capture, in the order in which it was seen: prefaces and frames, of all
 * channels.
 *
 * @module
 */
import type { GodwitError } from '@godwit/core'
import type { Frame, Preface } from '@godwit/wire'
import { ChannelRole } from '@godwit/wire'
import type { CaptureInput, Chunk } from './chunk-reader.ts'
import { ChunkReader } from './chunk-reader.ts'
import { FrameStream } from './frame-stream.ts'
import type { Side } from './layout.ts'

/** A channel of the capture. */
export interface CapturedLine {
  /** In the file. */
  readonly number: number
  /** For people, as the capturing side saw it. */
  readonly remote: string
  /** What the sides introduced themselves with, as far as they did. */
  readonly prefaces: Readonly<Record<Side, Preface | undefined>>
  /** `control`, `data 0`, ... with the epoch where that is not 0; `?` before the source spoke. */
  readonly name: string
}

interface Said {
  readonly line: CapturedLine
  /** Where in the file. */
  readonly at: number
  readonly timeUs: number
}

/** One thing that was seen. */
export type Happening =
  | ({ readonly what: 'opened' } & Said)
  | ({ readonly what: 'preface'; readonly from: Side; readonly preface: Preface } & Said)
  | ({
      readonly what: 'frame'
      readonly from: Side
      readonly sequence: number
      /** Its body is borrowed until the next happening. */
      readonly frame: Frame
    } & Said)
  | ({
      readonly what: 'skipped'
      readonly from: Side
      readonly sequence: number
      /** How many optional ones of types that are not known. */
      readonly frames: number
    } & Said)
  | ({
      readonly what: 'broken'
      readonly from: Side
      readonly sequence: number
      readonly error: GodwitError
    } & Said)
  | ({
      readonly what: 'closed'
      /** The code of an error, `DROPPED` where the capturing side did it, or nothing. */
      readonly reason: string
      /** Sides whose last unit is not whole: the channel was lost. */
      readonly cut: readonly Side[]
    } & Said)

const sides: readonly Side[] = ['source', 'destination']

const roleNames: Readonly<Record<ChannelRole, string>> = {
  [ChannelRole.Invalid]: '?',
  [ChannelRole.Control]: 'control',
  [ChannelRole.Data]: 'data',
  [ChannelRole.Urgent]: 'urgent',
  [ChannelRole.Reverse]: 'reverse',
}

class Line implements CapturedLine {
  readonly number: number
  readonly remote: string
  readonly streams: Readonly<Record<Side, FrameStream>> = {
    source: new FrameStream(),
    destination: new FrameStream(),
  }

  constructor(number: number, remote: string) {
    this.number = number
    this.remote = remote
  }

  get prefaces(): Record<Side, Preface | undefined> {
    const { source, destination } = this.streams
    return { source: source.preface, destination: destination.preface }
  }

  get name(): string {
    const { source, destination } = this.prefaces
    const preface = source ?? destination
    if (preface === undefined) return '?'
    const index = preface.role === ChannelRole.Data ? ` ${preface.index}` : ''
    const epoch = preface.epoch === 0 ? '' : ` (${preface.epoch})`
    return `${roleNames[preface.role]}${index}${epoch}`
  }
}

/** Of one capture; use once. */
export class Conversation {
  readonly chunks: ChunkReader
  readonly #lines = new Map<number, Line>()

  /** @throws {CaptureError} the input is no capture */
  constructor(input: CaptureInput) {
    this.chunks = new ChunkReader(input)
  }

  /** Channels that are open. */
  get lines(): Iterable<CapturedLine> {
    return this.#lines.values()
  }

  /** @throws {CaptureError} the file is damaged; all that was before it has been handed out */
  *happenings(): Generator<Happening, void> {
    for (let chunk = this.chunks.next(); chunk !== undefined; chunk = this.chunks.next()) {
      yield* this.#happenings(chunk)
    }
  }

  *#happenings(chunk: Chunk): Generator<Happening, void> {
    const { at, timeUs } = chunk
    if (chunk.what === 'opened') {
      const line = new Line(chunk.channel, chunk.remote)
      this.#lines.set(chunk.channel, line)
      yield { what: 'opened', line, at, timeUs }
      return
    }
    const line = this.#lines.get(chunk.channel)!
    if (chunk.what === 'bytes') {
      const { from, bytes } = chunk
      const units = line.streams[from].feed(bytes, this.chunks.at - bytes.length)
      for (const unit of units) yield { ...unit, from, line, timeUs }
      return
    }
    const { reason } = chunk
    this.#lines.delete(chunk.channel)
    const cut = sides.filter((side) => line.streams[side].isPartial)
    // Where nobody failed, both have said all that they had to say.
    for (const from of reason === '' ? cut : []) {
      yield { ...line.streams[from].truncated(), from, line, timeUs } as Happening
    }
    yield { what: 'closed', reason, cut, line, at, timeUs }
  }
}

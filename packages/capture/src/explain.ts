/**
 * Tells what is said in a capture, one fact after the other. It looks at form only: whether a frame
 * was in its place is the business of `verify.ts`.
 *
 * @module
 */
import type { ErrorCode, GodwitError } from '@godwit/core'
import { GodwitError as Failure, toGodwitError, toHex } from '@godwit/core'
import { FRAME_HEADER_BYTES, FrameType, decodeMessage, frameRule } from '@godwit/wire'
import type { BatchSummary, EncodingName } from './batch-summary.ts'
import { summariseBatch } from './batch-summary.ts'
import type { CaptureEnd, CaptureInput } from './chunk-reader.ts'
import { CaptureError } from './chunk-reader.ts'
import type { Happening } from './conversation.ts'
import { Conversation } from './conversation.ts'
import type { Side } from './layout.ts'
import type { ShortValue } from './short-value.ts'
import { shortBody } from './short-value.ts'

/** What is wrong, with the code that a peer would be told. */
export interface Fault {
  readonly code: ErrorCode
  readonly text: string
}

/** Where and when. */
interface Place {
  /** Offset in the file. */
  readonly at: number
  readonly timeMs: number
  /** The channel's number in the file, and its name. */
  readonly channel: number
  readonly name: string
}

/** One line. */
export type Fact =
  | { readonly type: 'capture'; readonly side: Side; readonly started: string }
  | ({ readonly type: 'opened'; readonly remote: string } & Place)
  | ({
      readonly type: 'preface'
      readonly from: Side
      readonly session: string
      readonly epoch: number
    } & Place)
  | ({
      readonly type: 'frame'
      readonly from: Side
      readonly sequence: number
      readonly frame: string
      /** Header included. */
      readonly bytes: number
      readonly body?: Readonly<Record<string, ShortValue>>
      readonly batch?: BatchSummary
      /** The body is not as it should be. */
      readonly fault?: Fault
    } & Place)
  | ({
      readonly type: 'skipped'
      readonly from: Side
      readonly sequence: number
      readonly frames: number
    } & Place)
  | ({
      readonly type: 'broken'
      readonly from: Side
      readonly sequence: number
      readonly fault: Fault
    } & Place)
  | ({ readonly type: 'closed'; readonly reason: string; readonly cut: readonly Side[] } & Place)
  | { readonly type: 'damaged'; readonly at: number; readonly fault: Fault }
  | ({ readonly type: 'end'; readonly end: CaptureEnd | 'damaged' } & Totals)

/** What a capture came to. */
export interface Totals {
  readonly durationMs: number
  readonly channels: number
  readonly frames: Readonly<Record<Side, number>>
  readonly bytes: Readonly<Record<Side, number>>
  readonly batches: number
  readonly pages: Readonly<Partial<Record<EncodingName, number>>>
  /** Frames and streams that are not as they should be. */
  readonly faults: number
}

/** How to tell it. */
export interface ExplainOptions {
  /** With what belongs to the guest: pages, packages, registers. */
  readonly pages?: boolean
}

/**
 * Everything that can be told of a capture, up to where it is damaged.
 *
 * @throws {CaptureError} the input is no capture
 */
export function* explain(
  input: CaptureInput,
  { pages: withContents = false }: ExplainOptions = {},
): Generator<Fact, void> {
  const conversation = new Conversation(input)
  const { side, startedMs } = conversation.chunks.header
  yield { type: 'capture', side, started: dateText(startedMs) }
  const tally = new Tally()
  let damage: GodwitError | undefined
  try {
    for (const happening of conversation.happenings()) {
      const fact = factOf(happening, withContents)
      tally.add(fact, happening.timeUs)
      yield fact
    }
  } catch (thrown) {
    // Whoever reads may stop; only the file's own faults are told.
    if (!(thrown instanceof CaptureError)) throw thrown
    damage = thrown
    const fact = { type: 'damaged', at: thrown.at, fault: faultOf(thrown) } as const
    tally.add(fact, 0)
    yield fact
  }
  const end = damage === undefined ? conversation.chunks.end! : 'damaged'
  yield { type: 'end', end, ...tally.totals }
}

function factOf(happening: Happening, withContents: boolean): Fact {
  const { at, timeUs, line } = happening
  const place = { at, timeMs: timeUs / 1e3, channel: line.number, name: line.name }
  switch (happening.what) {
    case 'opened':
      return { type: 'opened', ...place, remote: line.remote }
    case 'preface': {
      const { from, preface } = happening
      const { epoch, session } = preface
      return { type: 'preface', ...place, from, session: toHex(session), epoch }
    }
    case 'frame': {
      const { from, sequence, frame } = happening
      const bytes = FRAME_HEADER_BYTES + frame.body.length
      const named = { from, sequence, frame: frameRule(frame.type)!.name, bytes }
      return { type: 'frame', ...place, ...named, ...contentOf(happening, withContents) }
    }
    case 'skipped': {
      const { from, sequence, frames } = happening
      return { type: 'skipped', ...place, from, sequence, frames }
    }
    case 'broken': {
      const { from, sequence, error } = happening
      return { type: 'broken', ...place, from, sequence, fault: faultOf(error) }
    }
    case 'closed': {
      const { reason, cut } = happening
      return { type: 'closed', ...place, reason, cut }
    }
  }
}

function contentOf(
  { frame }: Happening & { readonly what: 'frame' },
  withContents: boolean,
): Pick<Fact & { readonly type: 'frame' }, 'body' | 'batch' | 'fault'> {
  try {
    if (frame.type === FrameType.Pages) return { batch: summariseBatch(frame.body, withContents) }
    return { body: shortBody(decodeMessage(frame.type, frame.body), withContents) }
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown
    return { fault: faultOf(thrown) }
  }
}

function faultOf(error: unknown): Fault {
  const { code, message } = toGodwitError(error)
  return { code, text: message }
}

/** A clock may say anything. */
function dateText(ms: number): string {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? '?' : date.toISOString()
}

class Tally {
  #durationMs = 0
  #channels = 0
  readonly #frames: Record<Side, number> = { source: 0, destination: 0 }
  readonly #bytes: Record<Side, number> = { source: 0, destination: 0 }
  #batches = 0
  readonly #pages: Partial<Record<EncodingName, number>> = {}
  #faults = 0

  add(fact: Fact, timeUs: number): void {
    this.#durationMs = Math.max(this.#durationMs, timeUs / 1e3)
    if (fact.type === 'opened') this.#channels++
    if ('fault' in fact) this.#faults++
    if (fact.type === 'skipped') this.#frames[fact.from] += fact.frames
    if (fact.type !== 'frame') return
    this.#frames[fact.from]++
    this.#bytes[fact.from] += fact.bytes
    if (fact.batch === undefined) return
    this.#batches++
    for (const { encoding, pageCount } of fact.batch.runs) {
      this.#pages[encoding] = (this.#pages[encoding] ?? 0) + pageCount
    }
  }

  get totals(): Totals {
    return {
      durationMs: this.#durationMs,
      channels: this.#channels,
      frames: this.#frames,
      bytes: this.#bytes,
      batches: this.#batches,
      pages: this.#pages,
      faults: this.#faults,
    }
  }
}

/**
 * Checks a capture as a whole: frames, bodies, the order of what was said, every page and every
 * total. It stops at the first thing that is not as `docs/PROTOCOL.md` says.
 *
 * @module
 */
import type { ErrorCode, Region } from '@godwit/core'
import { GodwitError, ProtocolError, toHex } from '@godwit/core'
import type { Primitives } from '@godwit/codec'
import { ChannelRole, FrameType, frameRule } from '@godwit/wire'
import type { CaptureEnd, CaptureInput } from './chunk-reader.ts'
import { CaptureError } from './chunk-reader.ts'
import type { CapturedLine, Happening } from './conversation.ts'
import { Conversation } from './conversation.ts'
import { InquiryMonitor } from './inquiry-monitor.ts'
import type { Side } from './layout.ts'
import { MemoryBudget } from './memory-image.ts'
import type { PageCounts } from './page-monitor.ts'
import type { MonitorParts, SessionSummary } from './session-monitor.ts'
import { SessionMonitor } from './session-monitor.ts'

export interface VerifyOptions {
  readonly primitives: Primitives
  /** For the guests of all sessions that go on at once, and what was kept of them. */
  readonly memoryBytesMax: number
  /** Gets memory as it was sent, when a session has ended; borrowed for the call. */
  readonly onImage?: (session: string, regions: readonly Region[]) => void
}

/** What is not as it should be. */
export interface VerifyFailure {
  readonly code: ErrorCode
  readonly text: string
  /** Where the protocol, or the format of captures, says how it should be. */
  readonly clause: string
  /** Offset in the file. */
  readonly at: number
  /** Of a channel, where it is one's: its name, and what was said there. */
  readonly channel?: string
  readonly from?: Side
  readonly sequence?: number
  readonly frame?: string
}

/** What was looked at and found right. */
export interface VerifyCounts extends PageCounts {
  channels: number
  frames: number
  messages: number
  /** Of types that are not known. */
  skipped: number
  /** Channels that ended within a frame, or whose end was not captured. */
  cut: number
}

export interface Verification {
  readonly ok: boolean
  readonly failure?: VerifyFailure
  readonly side: Side
  /** How the file ends; undefined where something was wrong before. */
  readonly end: CaptureEnd | undefined
  readonly counts: VerifyCounts
  readonly sessions: readonly SessionSummary[]
}

/**
 * Checks all of a capture.
 *
 * @throws {CaptureError} the input is no capture
 */
export function verifyCapture(input: CaptureInput, options: VerifyOptions): Verification {
  const conversation = new Conversation(input)
  const verifier = new Verifier(options)
  const { side } = conversation.chunks.header
  let failure: VerifyFailure | undefined
  try {
    for (const happening of conversation.happenings()) {
      failure = verifier.look(happening)
      if (failure !== undefined) break
    }
  } catch (thrown) {
    if (!(thrown instanceof CaptureError)) throw thrown
    const { code, message: text, at } = thrown
    failure = { code, text, clause: clauseOf(code), at }
  }
  if (failure === undefined) verifier.end(conversation.lines)
  const { counts, sessions } = verifier
  const { end } = conversation.chunks
  const shared = { side, end, counts, sessions: sessions.map((one) => one.summary) }
  return failure === undefined ? { ok: true, ...shared } : { ok: false, failure, ...shared }
}

class Verifier {
  readonly counts: VerifyCounts = {
    channels: 0,
    frames: 0,
    messages: 0,
    skipped: 0,
    cut: 0,
    batches: 0,
    pages: 0,
    rounds: 0,
    naks: 0,
    repairs: 0,
    hidden: 0,
    checkpoints: 0,
    digests: 0,
  }
  readonly #sessions = new Map<string, SessionMonitor>()
  /** By the channel's number in the file; absent where the destination must refuse it. */
  readonly #sessionOf = new Map<number, SessionMonitor>()
  readonly #inquiries = new Map<number, InquiryMonitor>()
  readonly #parts: MonitorParts

  constructor(options: VerifyOptions) {
    const { primitives, memoryBytesMax, onImage } = options
    const budget = new MemoryBudget(memoryBytesMax)
    this.#parts = { primitives, budget, counts: this.counts, onImage }
  }

  get sessions(): readonly SessionMonitor[] {
    return [...this.#sessions.values()]
  }

  /** @returns what is wrong */
  look(happening: Happening): VerifyFailure | undefined {
    try {
      this.#check(happening)
      return undefined
    } catch (thrown) {
      if (!(thrown instanceof GodwitError)) throw thrown
      return failureAt(thrown, happening)
    }
  }

  /** All of the file was read. */
  end(lines: Iterable<CapturedLine>): void {
    this.counts.cut += [...lines].length
    for (const session of this.#sessions.values()) session.end()
  }

  #check(happening: Happening): void {
    const { line } = happening
    switch (happening.what) {
      case 'opened':
        this.counts.channels++
        break
      case 'preface':
        this.#introduce(line, happening.from)
        break
      case 'frame':
        this.counts.frames++
        this.#frame(happening)
        break
      case 'skipped':
        this.counts.skipped += happening.frames
        break
      case 'broken':
        throw happening.error
      case 'closed':
        this.counts.cut += happening.cut.length > 0 ? 1 : 0
        this.#sessionOf.get(line.number)?.closed(line)
        this.#sessionOf.delete(line.number)
        this.#inquiries.delete(line.number)
        break
    }
  }

  #introduce(line: CapturedLine, from: Side): void {
    const { source } = line.prefaces
    if (source === undefined) {
      throw new ProtocolError('PROTOCOL_STATE', 'The destination introduced itself first')
    }
    if (from === 'destination') return
    const id = toHex(source.session)
    const there = this.#sessions.get(id)
    if (source.role === ChannelRole.Control && source.epoch === 0) {
      // A session begins once: the second one is to be refused.
      if (there !== undefined) return
      const session = new SessionMonitor(id, this.#parts)
      this.#sessions.set(id, session)
      this.#sessionOf.set(line.number, session)
    } else if (there !== undefined) this.#sessionOf.set(line.number, there)
    else if (source.role === ChannelRole.Control) {
      this.#inquiries.set(line.number, new InquiryMonitor())
    }
  }

  #frame({ line, from, frame }: Happening & { readonly what: 'frame' }): void {
    const session = this.#sessionOf.get(line.number)
    const inquiry = this.#inquiries.get(line.number)
    const isRefusal = frame.type === FrameType.Error
    if (session === undefined && inquiry === undefined) {
      // Whatever a source may have said before it heard that it is refused.
      if (from === 'source' || isRefusal) return
      throw new ProtocolError('SESSION_UNKNOWN', 'The destination accepted a channel of no session')
    }
    if (from === 'destination' && !isRefusal) checkAnswer(line)
    inquiry?.frame(from, frame)
    session?.frame(line, from, frame)
  }
}

/** @throws {ProtocolError} `PROTOCOL_STATE`: the destination speaks of something else */
function checkAnswer({ prefaces: { source, destination } }: CapturedLine): void {
  const isSame =
    source!.role === destination!.role &&
    source!.index === destination!.index &&
    source!.epoch === destination!.epoch &&
    toHex(destination!.session) === toHex(source!.session)
  if (!isSame) {
    throw new ProtocolError('PROTOCOL_STATE', 'The destination answered for another channel')
  }
}

function failureAt({ code, message }: GodwitError, happening: Happening): VerifyFailure {
  const { at, line } = happening
  const base = { code, text: message, clause: clauseOf(code), at, channel: line.name }
  if (!('from' in happening)) return base
  const { from } = happening
  if (happening.what === 'preface') return { ...base, from, frame: 'Preface' }
  const { sequence } = happening
  if (happening.what !== 'frame') return { ...base, from, sequence }
  return { ...base, from, sequence, frame: frameRule(happening.frame.type)!.name }
}

const sections: readonly (readonly [prefix: string, section: string])[] = [
  ['FILE_', 'CAPTURE.md'],
  ['WIRE_MAGIC', 'PROTOCOL.md section 2'],
  ['WIRE_PREFACE', 'PROTOCOL.md section 2'],
  ['WIRE_BODY', 'PROTOCOL.md section 4'],
  ['WIRE_', 'PROTOCOL.md section 3'],
  ['CODEC_', 'PROTOCOL.md section 5'],
  ['PROTOCOL_VERSION', 'PROTOCOL.md section 4'],
  ['PROTOCOL_CAPABILITY', 'PROTOCOL.md section 4'],
  ['PAGE_SIZE_', 'PROTOCOL.md section 4'],
  ['SESSION_', 'PROTOCOL.md section 2'],
  ['LIMIT_', 'PROTOCOL.md section 9'],
  ['NO_ROOM', 'the limit of this check'],
]

/** Where it is said how it should be. */
function clauseOf(code: ErrorCode): string {
  const found = sections.find(([prefix]) => code.startsWith(prefix))
  return found?.[1] ?? 'PROTOCOL.md section 6'
}

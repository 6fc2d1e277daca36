/**
 * Plays one side of a captured conversation to a live agent, frame by frame, and notes where the
 * other side says something else than it did when it was captured.
 *
 * Nothing is sent before the live agent has said all that the recorded one had said by then. Frames
 * that depend on time alone are passed over on both sides: HEARTBEAT, CREDIT (the window is never
 * used up in streams as small as these), and PAGE_REQUEST (of threads of a guest).
 *
 * @module
 */
import type { Side } from '@godwit/capture'
import { Conversation } from '@godwit/capture'
import type { Channel } from '@godwit/core'
import { toHex } from '@godwit/core'
import type { FrameType, Preface } from '@godwit/wire'
import {
  ChannelRole,
  FRAME,
  FRAME_HEADER_BYTES,
  FrameWriter,
  decodeMessage,
  decodePreface,
  encodePreface,
  frameRule,
} from '@godwit/wire'
import { Splitter } from '../end-to-end/tap.ts'
import { inputOf } from './memory-capture.ts'

const passedOver: ReadonlySet<string> = new Set(['Heartbeat', 'Credit', 'PageRequest'])

/** What is compared of the bodies of messages, where anything is. */
const compared: Readonly<Record<string, readonly string[]>> = {
  Hello: ['mode', 'hash', 'verify', 'required', 'pageBytes'],
  Welcome: ['version', 'capabilities', 'pageBytes', 'dataChannels'],
  Reserved: ['reservedBytes'],
  RoundBegin: ['round', 'kind', 'pages'],
  RoundEnd: ['round', 'pages', 'digest', 'held'],
  RoundAck: ['round'],
  Nak: ['round', 'region', 'runs'],
  Ready: ['epoch'],
  Commit: ['epoch'],
  Running: ['epoch'],
  Verified: ['equal'],
  Error: ['code'],
}

/** One thing that is said. */
interface Said {
  readonly line: number
  readonly from: Side
  readonly name: string
  /** What is compared, as text. */
  readonly facts: string
  readonly preface: Preface | undefined
  readonly bytes: Uint8Array
}

/** What was said in a capture, but for what is passed over. */
export function script(capture: Uint8Array): readonly Said[] {
  const all: Said[] = []
  const writers = new Map<string, FrameWriter>()
  for (const happening of new Conversation(inputOf(capture)).happenings()) {
    if (happening.what === 'preface') {
      const { preface, from, line } = happening
      const bytes = encodePreface(preface)
      all.push({ line: line.number, from, name: 'Preface', facts: '', preface, bytes })
    }
    if (happening.what !== 'frame') continue
    const { frame, from, line } = happening
    const name = frameRule(frame.type)!.name
    if (passedOver.has(name)) continue
    const key = `${from} ${line.number}`
    const writer = writers.get(key) ?? new FrameWriter()
    writers.set(key, writer)
    const bytes = writer.frame(frame.type, frame.body)
    const facts = factsOf(frame.type, frame.body)
    all.push({ line: line.number, from, name, facts, preface: undefined, bytes })
  }
  return all
}

function factsOf(type: FrameType, body: Uint8Array): string {
  const keys = compared[frameRule(type)!.name] ?? []
  if (keys.length === 0) return ''
  const fields = decodeMessage(type, body).body as unknown as Record<string, unknown>
  return keys.map((key) => `${key}=${textOf(fields[key])}`).join(' ')
}

function textOf(value: unknown): string {
  return value instanceof Uint8Array ? toHex(value) : JSON.stringify(value)
}

/** A live channel. */
class Line {
  readonly channel: Channel
  readonly #heard: { readonly name: string; readonly facts: string; readonly bytes: Uint8Array }[] =
    []
  #isClosed = false
  #wake: () => void = () => {}

  constructor(channel: Channel) {
    this.channel = channel
    const splitter = new Splitter()
    const space = new Uint8Array(65536)
    channel.open({
      space: () => space,
      received: (byteCount) => {
        for (const { name, bytes } of splitter.take(space.subarray(0, byteCount))) {
          if (passedOver.has(name)) continue
          const type = (bytes[FRAME.type]! | (bytes[FRAME.type + 1]! << 8)) as FrameType
          const body = bytes.subarray(FRAME_HEADER_BYTES)
          const facts = name === 'Preface' ? '' : factsOf(type, body)
          this.#heard.push({ name, facts, bytes })
        }
        this.#wake()
      },
      closed: () => {
        this.#isClosed = true
        this.#wake()
      },
    })
  }

  /** The next thing that is said; undefined when nothing more comes. */
  async next() {
    while (this.#heard.length === 0 && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.#heard.shift()
  }
}

/** What differed, in the order in which it came. */
export type Differences = string[]

async function compare(line: Line, said: Said, differences: Differences): Promise<void> {
  const heard = await line.next()
  const [now, then] = [`${heard?.name} ${heard?.facts}`, `${said.name} ${said.facts}`]
  if (now !== then) differences.push(`${now} where it was ${then}`)
}

/** Plays the source that was captured to whatever `dial` reaches. */
export async function playSource(
  capture: Uint8Array,
  dial: () => Promise<Channel>,
): Promise<Differences> {
  const lines = new Map<number, Line>()
  const differences: Differences = []
  for (const said of script(capture)) {
    if (said.from === 'destination') {
      await compare(lines.get(said.line)!, said, differences)
      if (differences.length > 0) break
    } else {
      if (said.preface !== undefined) lines.set(said.line, new Line(await dial()))
      lines.get(said.line)!.channel.write(said.bytes)
    }
  }
  for (const { channel } of lines.values()) channel.end()
  return differences
}

/** Channels that a live source dials, to a destination that is played. */
export class PlayedDestination {
  readonly differences: Differences = []
  readonly #capture: Uint8Array
  readonly #lines = new Map<string, Line>()
  #wake: () => void = () => {}

  constructor(capture: Uint8Array) {
    this.#capture = capture
  }

  accept(channel: Channel): void {
    const line = new Line(channel)
    void line.next().then((preface) => {
      if (preface === undefined) return
      this.#lines.set(keyOf(decodePreface(preface.bytes)!), line)
      this.#wake()
    })
  }

  async play(): Promise<void> {
    const keys = new Map<number, string>()
    for (const said of script(this.#capture)) {
      if (said.from === 'source' && said.preface !== undefined) {
        keys.set(said.line, keyOf(said.preface))
        await this.#line(keys.get(said.line)!)
        continue
      }
      const line = await this.#line(keys.get(said.line)!)
      if (said.from === 'destination') line.channel.write(said.bytes)
      else await compare(line, said, this.differences)
      if (this.differences.length > 0) break
    }
    for (const { channel } of this.#lines.values()) channel.end()
  }

  async #line(key: string): Promise<Line> {
    for (let line = this.#lines.get(key); ; line = this.#lines.get(key)) {
      if (line !== undefined) return line
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

function keyOf({ role, index, epoch }: Preface): string {
  return `${role} ${role === ChannelRole.Data ? index : 0} ${epoch}`
}

/** The random numbers of a source that was captured, in the order in which it asks for them. */
export function randomnessOf(capture: Uint8Array): (byteCount: number) => Uint8Array {
  const numbers: Uint8Array[] = []
  for (const happening of new Conversation(inputOf(capture)).happenings()) {
    if (happening.what !== 'frame') continue
    const { frame, line } = happening
    const message = decodeMessage(frame.type, frame.body)
    if (message.name !== 'Hello') throw new Error('a session begins with HELLO')
    const { fingerprintSeed, verifySeed } = message.body
    numbers.push(fingerprintSeed, verifySeed, line.prefaces.source!.session)
    break
  }
  return (byteCount) => {
    const next = numbers.shift()
    if (next?.length !== byteCount) throw new Error(`${byteCount} bytes are asked for`)
    return next
  }
}

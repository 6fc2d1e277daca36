/**
 * A channel between peers each of which takes the other for a later release of the same version:
 * with keys in its messages that nobody knows, and frames that may be skipped.
 *
 * @module
 */
import type { Channel, ChannelSink } from '@godwit/core'
import type { FrameType } from '@godwit/wire'
import { FRAME_HEADER_BYTES, FrameType as Type, FrameWriter, frameRule } from '@godwit/wire'
import { decodeMap, encodeMap } from '../../packages/wire/src/message-pack.ts'
import { Splitter, deliver } from './tap.ts'

/** Of types that no release has: the first and the last that may be skipped, and one in between. */
const optionalTypes = [0x8000, 0x8099, 0xffff] as const

interface Way {
  readonly splitter: Splitter
  readonly writer: FrameWriter
}

/** Wraps `inner`, which it owns. */
export class NewerChannel implements Channel {
  readonly remote: string
  /** Frames that were put in, both ways. */
  extraFrames = 0
  readonly #inner: Channel
  readonly #written: Way = { splitter: new Splitter(), writer: new FrameWriter() }
  readonly #read: Way = { splitter: new Splitter(), writer: new FrameWriter() }

  constructor(inner: Channel) {
    this.remote = inner.remote
    this.#inner = inner
  }

  get bytesWritten(): number {
    return this.#inner.bytesWritten
  }

  get bytesRead(): number {
    return this.#inner.bytesRead
  }

  open(sink: ChannelSink): void {
    const space = new Uint8Array(65536)
    this.#inner.open({
      space: () => space,
      received: (byteCount) => {
        for (const bytes of this.#newer(this.#read, space.subarray(0, byteCount))) {
          deliver(bytes, sink)
        }
      },
      closed: (error) => sink.closed(error),
    })
  }

  write(bytes: Uint8Array, written?: () => void): void {
    const all = this.#newer(this.#written, bytes)
    all.forEach((one, index) =>
      this.#inner.write(one, index === all.length - 1 ? written : undefined),
    )
  }

  end(): void {
    this.#inner.end()
  }

  destroy(): void {
    this.#inner.destroy()
  }

  #newer({ splitter, writer }: Way, chunk: Uint8Array): Uint8Array[] {
    return splitter.take(chunk).flatMap(({ name, bytes }) => {
      if (name === 'Preface') return [bytes]
      const type = (bytes[0]! | (bytes[1]! << 8)) as FrameType
      const body = bytes.subarray(FRAME_HEADER_BYTES)
      const extra = optionalTypes[this.extraFrames++ % optionalTypes.length]! as FrameType
      const size = (this.extraFrames * 37) % 300
      return [
        writer.frame(extra, new Uint8Array(size).fill(0xc1)),
        writer.frame(type, type === Type.Pages ? body : newerBody(type, body)),
      ]
    })
  }
}

/** With keys that nobody knows, on two levels. */
function newerBody(type: FrameType, body: Uint8Array): Uint8Array {
  const fields = decodeMap(body)
  if (frameRule(type)!.name === 'Hello') {
    fields['optional'] = [...(fields['optional'] as string[]), 'teleport', 'x'.repeat(128)]
  }
  for (const [key, value] of Object.entries(fields)) {
    const isList = Array.isArray(value) && typeof value[0] === 'object'
    if (isList) fields[key] = value.map((one: object) => ({ ...one, colour: 'red', [key]: [1] }))
  }
  return encodeMap({ a: null, ...fields, later: { list: [1, 'two', { three: true }] }, z: 2 ** 40 })
}

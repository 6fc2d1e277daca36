/**
 * A channel that tells the test of every frame that passes, and can be cut exactly between two.
 *
 * @module
 */
import type { Channel, ChannelSink } from '@godwit/core'
import { TransportError } from '@godwit/core'
import type { FrameName } from '@godwit/wire'
import { FRAME, FRAME_HEADER_BYTES, PREFACE_BYTES, frameRule } from '@godwit/wire'

export type Direction = 'written' | 'read'
export type UnitName = FrameName | 'Preface'

/** A preface or a frame, counted from 0 in its direction. */
export interface Unit {
  readonly direction: Direction
  readonly name: UnitName
  readonly index: number
}

/** `lose` drops the unit and cuts, `cut` lets it pass and cuts, `stall` drops all from here on. */
export type Verdict = 'pass' | 'cut' | 'lose' | 'stall'

/** Asked once a unit is whole and before anybody sees it. */
export type OnUnit = (unit: Unit, bytes: Uint8Array) => Verdict | undefined

/** Cuts one direction of a stream into its preface and frames. */
export class Splitter {
  #bytes = new Uint8Array(0)
  #count = 0

  /** The units that `chunk` completes; copies. */
  take(chunk: Uint8Array): { name: UnitName; index: number; bytes: Uint8Array }[] {
    const joined = new Uint8Array(this.#bytes.length + chunk.length)
    joined.set(this.#bytes)
    joined.set(chunk, this.#bytes.length)
    const units = []
    let at = 0
    for (let end = this.#endOf(joined, at); end <= joined.length; end = this.#endOf(joined, at)) {
      const bytes = joined.slice(at, end)
      const type = bytes[FRAME.type]! | (bytes[FRAME.type + 1]! << 8)
      const name = this.#count === 0 ? 'Preface' : (frameRule(type)?.name ?? 'Error')
      units.push({ name, index: this.#count++, bytes } as const)
      at = end
    }
    this.#bytes = joined.slice(at)
    return units
  }

  /** What is left of a unit that is not whole. */
  get rest(): Uint8Array {
    return this.#bytes
  }

  #endOf(bytes: Uint8Array, at: number): number {
    if (this.#count === 0) return at + PREFACE_BYTES
    if (bytes.length < at + FRAME_HEADER_BYTES) return Number.POSITIVE_INFINITY
    const view = new DataView(bytes.buffer)
    return at + FRAME_HEADER_BYTES + view.getUint32(at + FRAME.length, true)
  }
}

/** Wraps `inner`, which it owns. Units are passed on whole. */
export class TapChannel implements Channel {
  readonly remote: string
  readonly #inner: Channel
  readonly #onUnit: OnUnit
  readonly #written = new Splitter()
  readonly #read = new Splitter()
  #state: 'open' | 'cut' | 'stalled' = 'open'
  #isDestroyed = false
  #tellClosed: (() => void) | undefined

  constructor(inner: Channel, onUnit: OnUnit) {
    this.remote = inner.remote
    this.#inner = inner
    this.#onUnit = onUnit
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
        for (const { name, index, bytes } of this.#read.take(space.subarray(0, byteCount))) {
          if (this.#state !== 'open') return
          const verdict = this.#judge({ direction: 'read', name, index }, bytes)
          if (this.#state === 'open' || verdict === 'cut') deliver(bytes, sink)
          if (verdict === 'cut') this.#inner.destroy()
        }
      },
      closed: (error) => {
        // Whoever stalls does not close either; only this side's own end is told.
        this.#tellClosed = () => sink.closed(error)
        if (this.#state === 'stalled' && !this.#isDestroyed) return
        const cut = new TransportError('CONNECTION_LOST', 'The connection was cut by the test')
        sink.closed(this.#state === 'cut' ? cut : error)
      },
    })
  }

  write(bytes: Uint8Array, written?: () => void): void {
    for (const { name, index, bytes: unit } of this.#written.take(bytes)) {
      if (this.#state !== 'open') return
      const verdict = this.#judge({ direction: 'written', name, index }, unit)
      if (verdict === 'cut') this.#inner.write(bytes, () => this.#inner.destroy())
      if (this.#state !== 'open') return
    }
    this.#inner.write(bytes, written)
  }

  end(): void {
    if (this.#state === 'open') this.#inner.end()
  }

  destroy(): void {
    if (this.#state === 'stalled' && !this.#isDestroyed) this.#tellClosed?.()
    this.#isDestroyed = true
    this.#inner.destroy()
  }

  #judge(unit: Unit, bytes: Uint8Array): Verdict {
    const verdict = this.#onUnit(unit, bytes) ?? 'pass'
    if (verdict === 'stall') this.#state = 'stalled'
    if (verdict === 'cut' || verdict === 'lose') this.#state = 'cut'
    if (verdict === 'lose') this.#inner.destroy()
    return verdict
  }
}

/** Hands on what a channel read, as its sink has room. */
export function deliver(bytes: Uint8Array, sink: ChannelSink): void {
  for (let at = 0; at < bytes.length; ) {
    const space = sink.space()
    const piece = bytes.subarray(at, at + space.length)
    space.set(piece)
    sink.received(piece.length)
    at += piece.length
  }
}

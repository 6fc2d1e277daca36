import type { Channel, ChannelSink, Clock } from '@godwit/core'
import { GodwitError, MIB, TransportError } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import type { Chunk } from './chunk-reader.ts'
import { ChunkReader } from './chunk-reader.ts'
import { DROPPED } from './layout.ts'
import { Recorder } from './recorder.ts'

/** A channel under the test's hands. */
class FakeChannel implements Channel {
  readonly remote = 'fake'
  bytesWritten = 0
  bytesRead = 0
  readonly written: Uint8Array[] = []
  readonly calls: string[] = []
  sink: ChannelSink | undefined

  open(sink: ChannelSink): void {
    this.sink = sink
  }

  write(bytes: Uint8Array, written?: () => void): void {
    this.written.push(bytes.slice())
    written?.()
  }

  end(): void {
    this.calls.push('end')
  }

  destroy(): void {
    this.calls.push('destroy')
  }

  deliver(bytes: Uint8Array): void {
    this.sink!.space().set(bytes)
    this.sink!.received(bytes.length)
  }
}

/** What an agent reads to. */
class Ear implements ChannelSink {
  readonly heard: string[] = []
  readonly #space = new Uint8Array(16)

  space(): Uint8Array {
    return this.#space
  }

  received(byteCount: number): void {
    this.heard.push(this.#space.slice(0, byteCount).join())
    // Whoever reads may do what he likes with his memory.
    this.#space.fill(0)
  }

  closed(error?: TransportError): void {
    this.heard.push(`closed ${error?.code ?? 'in order'}`)
  }
}

function setUp(output?: (bytes: Uint8Array) => void) {
  const parts: Uint8Array[] = []
  const failures: GodwitError[] = []
  let nowMs = 1000
  const clock = { nowMs: () => nowMs } as Clock
  const write = output ?? ((bytes: Uint8Array) => parts.push(bytes.slice()))
  const options = { clock, startedMs: 5, onFailed: (error: GodwitError) => failures.push(error) }
  const recorder = new Recorder({ write }, { side: 'source', ...options })
  const read = (): { reader: ChunkReader; chunks: Chunk[] } => {
    const bytes = Uint8Array.from(parts.flatMap((part) => [...part]))
    let at = 0
    const reader = new ChunkReader({
      read(into) {
        const piece = bytes.subarray(at, at + into.length)
        into.set(piece)
        at += piece.length
        return piece.length
      },
    })
    const chunks: Chunk[] = []
    for (let chunk = reader.next(); chunk !== undefined; chunk = reader.next()) {
      chunks.push('bytes' in chunk ? { ...chunk, bytes: chunk.bytes.slice() } : chunk)
    }
    return { reader, chunks }
  }
  return { recorder, failures, read, wait: (ms: number) => (nowMs += ms) }
}

describe('a captured channel', () => {
  it('is told as it was used, in order, with times', () => {
    const { recorder, read, wait } = setUp()
    const inner = new FakeChannel()
    const channel = recorder.capture(inner)
    const ear = new Ear()
    channel.open(ear)
    wait(1.5)
    const mine = Uint8Array.of(1, 2)
    let isWritten = false
    channel.write(mine, () => (isWritten = true))
    mine.fill(9)
    inner.deliver(Uint8Array.of(3))
    inner.sink!.closed()
    recorder.end()
    const { reader, chunks } = read()
    expect([reader.header, reader.end]).toEqual([{ side: 'source', startedMs: 5 }, 'ended'])
    expect(chunks).toMatchObject([
      { what: 'opened', channel: 0, remote: 'fake', timeUs: 0 },
      { what: 'bytes', channel: 0, from: 'source', bytes: Uint8Array.of(1, 2), timeUs: 1500 },
      { what: 'bytes', channel: 0, from: 'destination', bytes: Uint8Array.of(3) },
      { what: 'closed', channel: 0, reason: '' },
    ])
    expect([inner.written, ear.heard, isWritten]).toEqual([
      [Uint8Array.of(1, 2)],
      ['3', 'closed in order'],
      true,
    ])
  })

  it('is read by another from the middle on, and nothing is lost', () => {
    const { recorder, read } = setUp()
    const inner = new FakeChannel()
    const channel = recorder.capture(inner)
    const [one, other] = [new Ear(), new Ear()]
    channel.open(one)
    inner.deliver(Uint8Array.of(1))
    channel.open(other)
    inner.deliver(Uint8Array.of(2))
    expect([one.heard, other.heard]).toEqual([['1'], ['2']])
    expect(read().chunks.filter(({ what }) => what === 'bytes')).toHaveLength(2)
  })

  it('says why it ended, once, and nothing after that', () => {
    const { recorder, read } = setUp()
    const [lost, dropped] = [new FakeChannel(), new FakeChannel()]
    const [a, b] = [recorder.capture(lost), recorder.capture(dropped)]
    a.open(new Ear())
    b.open(new Ear())
    lost.sink!.closed(new TransportError('CONNECTION_LOST', 'cut'))
    a.write(Uint8Array.of(1))
    b.destroy()
    b.destroy()
    dropped.sink!.closed()
    a.end()
    const closed = read().chunks.filter(({ what }) => what !== 'opened')
    expect(closed).toMatchObject([
      { what: 'closed', channel: 0, reason: 'CONNECTION_LOST' },
      { what: 'closed', channel: 1, reason: DROPPED },
    ])
    expect([lost.calls, dropped.calls]).toEqual([['end'], ['destroy', 'destroy']])
  })

  it('cannot be given to another thread', () => {
    expect(setUp().recorder.capture(new FakeChannel()).detach).toBeUndefined()
  })
})

describe('a recorder', () => {
  it('cuts what is written at once into chunks', () => {
    const { recorder, read } = setUp()
    const channel = recorder.capture(new FakeChannel())
    channel.write(new Uint8Array(2 * MIB + 1))
    const sizes = read().chunks.map((chunk) => ('bytes' in chunk ? chunk.bytes.length : 0))
    expect(sizes).toEqual([0, MIB, MIB, 1])
  })

  it('gives up where nothing can be written, says so once, and channels go on', () => {
    let left = 3
    const { recorder, failures } = setUp(() => {
      if (--left < 0) throw new GodwitError('FILE_UNWRITABLE', 'the disk is full')
    })
    const inner = new FakeChannel()
    const channel = recorder.capture(inner)
    channel.write(Uint8Array.of(1))
    channel.write(Uint8Array.of(2))
    recorder.end()
    expect(failures.map(({ code }) => code)).toEqual(['FILE_UNWRITABLE'])
    expect(inner.written).toHaveLength(2)
  })

  it('that did not end is read to where it is', () => {
    const { recorder, read } = setUp()
    recorder.capture(new FakeChannel())
    expect(read().reader.end).toBe('unfinished')
    recorder.end()
    recorder.end()
    recorder.capture(new FakeChannel())
    expect(read()).toMatchObject({ chunks: [{ what: 'opened' }], reader: { end: 'ended' } })
  })
})

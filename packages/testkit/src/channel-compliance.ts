/**
 * What every transport must do; a test file registers it once per transport.
 *
 * @module
 */
import { type Channel, type ChannelSink, KIB, MIB, type TransportError } from '@godwit/core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { randomBytes, seededRandom } from './random.ts'
import { RecordingSink } from './recording-sink.ts'

/** Two connected channels, neither opened. */
export interface ConnectedChannels {
  readonly dialled: Channel
  readonly accepted: Channel
  /** What was written to `dialled` already, for transports that must send to be accepted. */
  readonly sent?: Uint8Array
  /** Destroys what the test left behind. */
  close(): Promise<void>
}

const LARGE_BYTES: number = 64 * MIB
const LARGE_WRITE_BYTES: number = 256 * KIB
const LARGE_WRITES_IN_FLIGHT = 4

/** Registers the suite under `name`; `setup` runs before each test. */
export function channelCompliance(name: string, setup: () => Promise<ConnectedChannels>): void {
  describe(`channel compliance: ${name}`, () => {
    let channels: ConnectedChannels
    beforeEach(async () => {
      channels = await setup()
    })
    afterEach(() => channels.close())
    registerDelivery(() => channels)
    registerLargeTransfer(() => channels)
    registerHandover(() => channels)
    registerEnding(() => channels)
    registerDestroying(() => channels)
  })
}

function registerDelivery(connected: () => ConnectedChannels): void {
  for (const seed of [1, 2, 3, 4]) {
    test(`bytes arrive in order both ways for any split of writes (seed ${seed})`, async () => {
      const { dialled, accepted, sent } = connected()
      const forth = randomBytes(300_000, seed)
      const back = randomBytes(200_000, seed + 100)
      const atDialled = new RecordingSink()
      const atAccepted = new RecordingSink({ spaceBytes: 10_000 })
      dialled.open(atDialled)
      accepted.open(atAccepted)
      writeSplit(dialled, forth, seed)
      writeSplit(accepted, back, seed)
      await atDialled.until(back.length)
      await atAccepted.until(forth.length + (sent?.length ?? 0))
      expect(isSame(atDialled.bytes, back)).toBe(true)
      expect(isSame(atAccepted.bytes, concat(sent, forth))).toBe(true)
    })
  }

  for (const spaceBytes of [1, 7]) {
    test(`a sink with room for ${spaceBytes} bytes gets everything`, async () => {
      const { dialled, accepted, sent } = connected()
      const bytes = randomBytes(20_000, 5)
      const sink = new RecordingSink({ spaceBytes })
      accepted.open(sink)
      writeSplit(dialled, bytes, 6)
      await sink.until(bytes.length + (sent?.length ?? 0))
      expect(isSame(sink.bytes, concat(sent, bytes))).toBe(true)
    })
  }

  test('nothing is delivered nor lost before open()', async () => {
    const { dialled, accepted, sent } = connected()
    const bytes = randomBytes(1 * MIB, 7)
    writeSplit(dialled, bytes, 8)
    await turns()
    const sink = new RecordingSink()
    accepted.open(sink)
    await sink.until(bytes.length + (sent?.length ?? 0))
    expect(isSame(sink.bytes, concat(sent, bytes))).toBe(true)
  })

  test('written is called in order, for empty and for very large writes too', async () => {
    const { dialled, accepted, sent } = connected()
    const sink = new RecordingSink()
    accepted.open(sink)
    const sizes = [0, 1, 9 * MIB, 0, 70_000]
    const order: number[] = []
    await new Promise<void>((resolve) => {
      sizes.forEach((size, index) => {
        dialled.write(new Uint8Array(size).fill(index), () => {
          order.push(index)
          if (order.length === sizes.length) resolve()
        })
        expect(order, 'written must not be called inside write()').toEqual([])
      })
    })
    expect(order).toEqual([0, 1, 2, 3, 4])
    await sink.until(9 * MIB + 70_001 + (sent?.length ?? 0))
  })
}

function registerLargeTransfer(connected: () => ConnectedChannels): void {
  for (const writer of ['dialled', 'accepted'] as const) {
    test(`64 MiB from the ${writer} side survive the reuse of written buffers`, async () => {
      const channels = connected()
      const reader = channels[writer === 'dialled' ? 'accepted' : 'dialled']
      const skipBytes = writer === 'dialled' ? (channels.sent?.length ?? 0) : 0
      const sink = new CountingSink(skipBytes, LARGE_BYTES)
      writeCounted(channels[writer], LARGE_BYTES)
      // More than any socket buffer holds: what is called written too early is still queued here,
      // and spoilt by its reuse, when the reader comes.
      await turns(LARGE_BYTES / LARGE_WRITE_BYTES)
      reader.open(sink)
      await sink.complete
      expect(sink.wrongWords).toBe(0)
    })
  }
}

function registerHandover(connected: () => ConnectedChannels): void {
  test('a second open() takes over in mid-stream, inside received()', async () => {
    const { dialled, accepted, sent } = connected()
    const bytes = concat(sent, randomBytes(5000, 9))
    const second = new RecordingSink({ spaceBytes: 100 })
    const first: RecordingSink = new RecordingSink({
      spaceBytes: 7,
      onReceived: (totalBytes) => {
        if (totalBytes >= 21) accepted.open(second)
      },
    })
    accepted.open(first)
    // A WebSocket that does not read never sees the answer to its close.
    dialled.open(new RecordingSink())
    dialled.write(bytes.subarray(sent?.length ?? 0))
    await first.until(21)
    await second.until(bytes.length - first.totalBytes)
    expect(first.totalBytes).toBeLessThan(28)
    expect(isSame(concat(first.bytes, second.bytes), bytes)).toBe(true)
    dialled.end()
    await second.ended
    expect([first.closedCount, second.closedCount]).toEqual([0, 1])
  })

  test('a second open() between two pieces takes over, too', async () => {
    const { dialled, accepted, sent } = connected()
    const first = new RecordingSink()
    const second = new RecordingSink()
    accepted.open(first)
    dialled.write(Uint8Array.of(1, 2, 3))
    await first.until(3 + (sent?.length ?? 0))
    accepted.open(second)
    dialled.write(Uint8Array.of(4, 5))
    await second.until(2)
    expect(isSame(first.bytes, concat(sent, Uint8Array.of(1, 2, 3)))).toBe(true)
    expect(isSame(second.bytes, Uint8Array.of(4, 5))).toBe(true)
  })
}

function registerEnding(connected: () => ConnectedChannels): void {
  for (const ender of ['dialled', 'accepted'] as const) {
    test(`end() of the ${ender} side delivers everything, then both close cleanly`, async () => {
      const channels = connected()
      const other = ender === 'dialled' ? channels.accepted : channels.dialled
      const sinks = openBoth(channels)
      const bytes = randomBytes(3 * MIB, 10)
      writeSplit(channels[ender], bytes, 11)
      channels[ender].end()
      channels[ender].write(Uint8Array.of(1), () => expect.unreachable('written after end()'))
      const errors = await Promise.all([sinks.dialled.ended, sinks.accepted.ended])
      expect(errors).toEqual([undefined, undefined])
      const received = other === channels.accepted ? sinks.accepted : sinks.dialled
      const prefix = other === channels.accepted ? channels.sent : undefined
      expect(isSame(received.bytes, concat(prefix, bytes))).toBe(true)
      await expectClosedOnce(sinks)
    })
  }

  test('the counters of both sides agree once everything was read', async () => {
    const channels = connected()
    const { dialled, accepted } = channels
    const sinks = openBoth(channels)
    writeSplit(dialled, randomBytes(700_000, 12), 13)
    writeSplit(accepted, randomBytes(90_000, 14), 15)
    await sinks.dialled.until(90_000)
    dialled.end()
    await Promise.all([sinks.dialled.ended, sinks.accepted.ended])
    expect(accepted.bytesRead).toBe(dialled.bytesWritten)
    expect(dialled.bytesRead).toBe(accepted.bytesWritten)
    expect(dialled.bytesWritten).toBeGreaterThanOrEqual(700_000)
  })
}

function registerDestroying(connected: () => ConnectedChannels): void {
  for (const destroyer of ['dialled', 'accepted'] as const) {
    test(`destroy() of the ${destroyer} side closes both sides once`, async () => {
      const channels = connected()
      const sinks = openBoth(channels)
      channels.dialled.write(randomBytes(1000, 16))
      await sinks.accepted.until(1000)
      channels[destroyer].destroy()
      channels[destroyer].destroy()
      channels[destroyer].write(new Uint8Array(1), () => expect.unreachable('written at the end'))
      expect(sinks[destroyer].closedCount, 'closed() must not run inside destroy()').toBe(0)
      const [own] = await Promise.all([sinks[destroyer].ended, otherSink(sinks, destroyer).ended])
      expect(own, 'who destroys asked for it').toBeUndefined()
      await expectClosedOnce(sinks)
    })
  }

  test('written is never called after destroy()', async () => {
    const channels = connected()
    const sinks = openBoth(channels)
    let lateCount = 0
    let isDestroyed = false
    for (let i = 0; i < 64; i++) {
      channels.dialled.write(new Uint8Array(MIB), () => {
        if (isDestroyed) lateCount++
      })
    }
    channels.dialled.destroy()
    isDestroyed = true
    await Promise.all([sinks.dialled.ended, sinks.accepted.ended])
    await turns()
    expect(lateCount).toBe(0)
  })

  test('destroy() inside received() is the last the sink hears before closed()', async () => {
    const channels = connected()
    const { dialled, accepted } = channels
    const atDialled = new RecordingSink()
    dialled.open(atDialled)
    // Not at the greeting, which may come alone: more of the same chunk must be waiting.
    const sentBytes = channels.sent?.length ?? 0
    const sink = new RecordingSink({
      spaceBytes: 100,
      onReceived: (totalBytes) => {
        if (totalBytes > sentBytes) accepted.destroy()
      },
    })
    accepted.open(sink)
    dialled.write(randomBytes(200_000, 17))
    await Promise.all([sink.ended, atDialled.ended])
    expect(sink.totalBytes).toBeLessThanOrEqual(sentBytes + 100)
    await expectClosedOnce({ dialled: atDialled, accepted: sink })
  })

  test('a sink that is opened after the end is told, asynchronously and once', async () => {
    const { dialled, accepted } = connected()
    const first = new RecordingSink()
    accepted.open(first)
    dialled.open(new RecordingSink())
    accepted.destroy()
    await first.ended
    const second = new RecordingSink()
    accepted.open(second)
    expect(second.closedCount).toBe(0)
    await second.ended
    await turns()
    expect([first.closedCount, second.closedCount]).toEqual([1, 1])
  })
}

interface SinkPair {
  readonly dialled: RecordingSink
  readonly accepted: RecordingSink
}

function openBoth({ dialled, accepted }: ConnectedChannels): SinkPair {
  const sinks = { dialled: new RecordingSink(), accepted: new RecordingSink() }
  dialled.open(sinks.dialled)
  accepted.open(sinks.accepted)
  return sinks
}

function otherSink(sinks: SinkPair, side: keyof SinkPair): RecordingSink {
  return side === 'dialled' ? sinks.accepted : sinks.dialled
}

async function expectClosedOnce({ dialled, accepted }: SinkPair): Promise<void> {
  await turns()
  expect([dialled.closedCount, accepted.closedCount]).toEqual([1, 1])
  expect([dialled.lateCount, accepted.lateCount]).toEqual([0, 0])
}

/** Lets the event loop turn: time for a second, wrong callback to come. */
async function turns(count = 10): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(setImmediate)
}

function writeSplit(channel: Channel, bytes: Uint8Array, seed: number): void {
  const next = seededRandom(seed)
  for (let start = 0; start < bytes.length; ) {
    const byteCount = next(4) === 0 ? next(3) : next(80_000)
    channel.write(bytes.subarray(start, start + byteCount))
    start += byteCount
  }
}

function concat(first: Uint8Array | undefined, second: Uint8Array): Uint8Array {
  return first === undefined ? second : Buffer.concat([first, second])
}

/** `toEqual` compares arrays element by element, far too slowly for these. */
function isSame(actual: Uint8Array, expected: Uint8Array): boolean {
  return Buffer.compare(actual, expected) === 0
}

/** Writes `byteCount` bytes, each 32-bit word its own index, from a few buffers over and over. */
function writeCounted(channel: Channel, byteCount: number): void {
  let word = 0
  const refill = (words: Uint32Array): void => {
    if (word * 4 >= byteCount) return
    for (let i = 0; i < words.length; i++) words[i] = word++
    channel.write(new Uint8Array(words.buffer), () => {
      // Whatever still reads the buffer now is caught.
      words.fill(0xffffffff)
      refill(words)
    })
  }
  for (let i = 0; i < LARGE_WRITES_IN_FLIGHT; i++) refill(new Uint32Array(LARGE_WRITE_BYTES / 4))
}

/** Checks what {@link writeCounted} writes, after skipping a few bytes. */
class CountingSink implements ChannelSink {
  wrongWords = 0
  readonly complete: Promise<void>
  readonly #block: Uint32Array = new Uint32Array(LARGE_WRITE_BYTES / 4)
  readonly #expectedBytes: number
  #skipBytes: number
  #blockBytes = 0
  #word = 0
  #resolve: () => void = () => {}
  #reject: (error: Error) => void = () => {}

  constructor(skipBytes: number, expectedBytes: number) {
    this.#skipBytes = skipBytes
    this.#expectedBytes = expectedBytes
    this.complete = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  space(): Uint8Array {
    if (this.#skipBytes > 0) return new Uint8Array(this.#skipBytes)
    return new Uint8Array(this.#block.buffer, this.#blockBytes)
  }

  received(byteCount: number): void {
    if (this.#skipBytes > 0) {
      this.#skipBytes -= byteCount
      return
    }
    this.#blockBytes += byteCount
    if (this.#blockBytes < LARGE_WRITE_BYTES) return
    this.#blockBytes = 0
    for (const word of this.#block) if (word !== this.#word++) this.wrongWords++
    if (this.#word * 4 >= this.#expectedBytes) this.#resolve()
  }

  closed(error?: TransportError): void {
    this.#reject(error ?? new Error('the stream ended early'))
  }
}

/**
 * A TCP connection changes hands: what was read, what is on its way and what comes later arrives
 * once and in order, whoever has it.
 */
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createConnection } from 'node:net'
import type { Channel, DetachedChannel } from '@godwit/core'
import { MIB, TransportError } from '@godwit/core'
import { loadSystemCalls } from '@godwit/linux'
import { RecordingSink, randomBytes } from '@godwit/testkit'
import { attachChannel, createChannelPair, createDialler, listen } from '@godwit/transport'
import { afterEach, describe, expect, it, vi } from 'vitest'

const calls = await loadSystemCalls().catch(() => undefined)
/** Where there is no koffi, connections stay where they are. */
const isImpossible = calls === undefined
const duplicate = (descriptor: number): number => calls!.duplicate(descriptor)
const greeting = Uint8Array.of(0x89)
const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

interface Pair {
  readonly dialled: Channel
  readonly accepted: Channel
}

/** A listener that takes `connectionsMax` connections at a time. */
async function startListener(connectionsMax = 8): Promise<() => Promise<Pair>> {
  const waiting: ((channel: Channel) => void)[] = []
  const listener = await listen('127.0.0.1:0', (channel) => waiting.shift()!(channel), {
    connectionsMax,
  })
  cleanups.push(() => listener.close())
  return async () => {
    const arrival = new Promise<Channel>((resolve) => waiting.push(resolve))
    const dialled = await createDialler(listener.address).dial()
    cleanups.push(() => dialled.destroy())
    dialled.write(greeting)
    const accepted = await arrival
    cleanups.push(() => accepted.destroy())
    return { dialled, accepted }
  }
}

async function connect(): Promise<Pair> {
  return (await startListener())()
}

/** Detaches inside the call that brings byte `at`, as an agent does that has read a preface. */
function detachAt(
  channel: Channel,
  at: number,
): { kept: RecordingSink; moved: Promise<DetachedChannel> } {
  const { promise: moved, resolve, reject } = Promise.withResolvers<DetachedChannel>()
  let isDetached = false
  const kept = new RecordingSink({
    spaceBytes: 1,
    onReceived(totalBytes) {
      if (totalBytes < at || isDetached) return
      isDetached = true
      channel.detach!(duplicate).then(resolve, reject)
    },
  })
  channel.open(kept)
  return { kept, moved }
}

function attach(detached: DetachedChannel): { channel: Channel; sink: RecordingSink } {
  // As on the way to another thread.
  const channel = attachChannel(structuredClone(detached))
  cleanups.push(() => channel.destroy())
  return { channel, sink: new RecordingSink() }
}

function isSame(pieces: readonly Uint8Array[], whole: Uint8Array): boolean {
  return Buffer.compare(Buffer.concat(pieces), whole) === 0
}

/** Open descriptors of this process. */
function descriptorCount(): number {
  return readdirSync('/proc/self/fd').length
}

describe('a connection that is detached and attached', { skip: isImpossible }, () => {
  it.each([1, 2, 3, 4])('goes on where it was left, at byte %i of a chunk of 4', async (at) => {
    const { dialled, accepted } = await connect()
    const answers = new RecordingSink()
    dialled.open(answers)
    dialled.write(Uint8Array.of(1, 2, 3))
    const { kept, moved } = detachAt(accepted, at)
    const detached = await moved
    dialled.write(Uint8Array.of(4, 5))
    const { channel, sink } = attach(detached)
    channel.open(sink)
    await sink.until(6 - at)
    expect([...kept.bytes, ...sink.bytes]).toEqual([0x89, 1, 2, 3, 4, 5])
    expect(kept.totalBytes).toBe(at)
    expect(channel.remote).toBe(accepted.remote)
    channel.write(Uint8Array.of(7, 8, 9))
    await answers.until(3)
    expect([...answers.bytes]).toEqual([7, 8, 9])
    expect([channel.bytesRead, channel.bytesWritten]).toEqual([6, 3])
    expect([dialled.bytesWritten, dialled.bytesRead]).toEqual([6, 3])
    expect([kept.closedCount, sink.closedCount]).toEqual([0, 0])
  })

  it('loses and repeats nothing of a stream that never stops, whoever has it', async () => {
    const { dialled, accepted } = await connect()
    const answers = new RecordingSink()
    dialled.open(answers)
    const bytes = randomBytes(6 * MIB, 21)
    for (let at = 0; at < bytes.length; at += 50_000) dialled.write(bytes.subarray(at, at + 50_000))
    const sinks: RecordingSink[] = []
    let channel = accepted
    let soFar = 0
    for (let hand = 0; hand < 5; hand++) {
      const { kept, moved } = detachAt(channel, 1000 * (hand + 1))
      const detached = await moved
      soFar += kept.totalBytes
      expect(detached.bytesRead).toBe(soFar + detached.early.length)
      sinks.push(kept)
      channel = attach(detached).channel
    }
    const last = new RecordingSink()
    channel.open(last)
    await last.until(bytes.length + 1 - soFar)
    const pieces = [...sinks, last].map((sink) => sink.bytes)
    expect(isSame(pieces, Buffer.concat([greeting, bytes]))).toBe(true)
    channel.write(bytes.subarray(0, MIB))
    channel.end()
    expect([await answers.ended, await last.ended]).toEqual([undefined, undefined])
    expect(isSame([answers.bytes], bytes.subarray(0, MIB))).toBe(true)
    expect([channel.bytesRead, channel.bytesWritten]).toEqual([bytes.length + 1, MIB])
  })

  it('keeps the end of a peer that closed meanwhile', async () => {
    const { dialled, accepted } = await connect()
    dialled.open(new RecordingSink())
    dialled.write(Uint8Array.of(1, 2))
    dialled.end()
    const { kept, moved } = detachAt(accepted, 1)
    const { channel, sink } = attach(await moved)
    channel.open(sink)
    expect(await sink.ended).toBeUndefined()
    expect([...kept.bytes, ...sink.bytes]).toEqual([0x89, 1, 2])
    expect([kept.closedCount, sink.closedCount]).toEqual([0, 1])
  })

  it('keeps the loss of a peer that broke off meanwhile', async () => {
    const arrival = Promise.withResolvers<Channel>()
    const listener = await listen('127.0.0.1:0', arrival.resolve)
    cleanups.push(() => listener.close())
    const socket = createConnection(Number(listener.address.split(':')[1]), '127.0.0.1')
    socket.write(greeting)
    const { moved } = detachAt(await arrival.promise, 1)
    const detached = await moved
    socket.resetAndDestroy()
    await once(socket, 'close')
    const { channel, sink } = attach(detached)
    channel.open(sink)
    expect(await sink.ended).toMatchObject({ code: 'CONNECTION_LOST' })
    expect(sink.closedCount).toBe(1)
  })

  it('does not count where it was accepted, and leaves no descriptor', async () => {
    const next = await startListener(1)
    const before = descriptorCount()
    for (let i = 0; i < 5; i++) {
      const { dialled, accepted } = await next()
      const answers = new RecordingSink()
      dialled.open(answers)
      const { moved } = detachAt(accepted, 1)
      const { channel, sink } = attach(await moved)
      channel.open(sink)
      // One connection at a time: the next would be dropped were this one still counted.
      const again = await next()
      again.dialled.destroy()
      const ended = new RecordingSink()
      again.accepted.open(ended)
      await ended.ended
      dialled.end()
      await Promise.all([sink.ended, answers.ended])
    }
    await vi.waitFor(() => expect(descriptorCount()).toBeLessThanOrEqual(before))
  })

  it('is gone when it cannot be duplicated', async () => {
    const { dialled, accepted } = await connect()
    const atDialled = new RecordingSink()
    dialled.open(atDialled)
    const sink = new RecordingSink()
    accepted.open(sink)
    await sink.until(1)
    const moving = accepted.detach!(() => {
      throw new Error('no descriptor is left')
    })
    await expect(moving).rejects.toThrow('no descriptor is left')
    await atDialled.ended
    expect(sink.closedCount).toBe(0)
  })

  it('is gone when the connection was lost before', async () => {
    const { accepted } = await connect()
    const sink = new RecordingSink()
    accepted.open(sink)
    await sink.until(1)
    const moving = accepted.detach!(duplicate)
    accepted.destroy()
    await expect(moving).rejects.toThrow(TransportError)
    expect(accepted.detach).toBeUndefined()
  })

  it('cannot be detached before it is read, nor twice', async () => {
    const { accepted } = await connect()
    expect(accepted.detach).toBeUndefined()
    accepted.open(new RecordingSink())
    expect(accepted.detach).toBeDefined()
    const moved = accepted.detach!(duplicate)
    expect(accepted.detach).toBeUndefined()
    attach(await moved)
  })

  it('tells why a descriptor cannot be duplicated', () => {
    expect(() => duplicate(-1)).toThrow(/bad file descriptor \(EBADF\)/)
  })
})

it('other channels cannot be detached', () => {
  const [one, other] = createChannelPair()
  one.open(new RecordingSink())
  expect([one.detach, other.detach]).toEqual([undefined, undefined])
})

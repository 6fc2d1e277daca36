import { describe, expect, it } from 'vitest'
import { allocateControlBlock, registersOf, seedRegisters } from './control-block.ts'
import { createNetwork, networkLayoutOf } from './network.ts'
import { ReceiveQueue } from './receive-queue.ts'
import { StreamContent } from './stream.ts'

const seed = 4

function start(pageCount: number, receive?: SharedArrayBuffer) {
  const bytes = new Uint8Array((pageCount + 1) * 4096)
  const map = new Uint8Array(pageCount + 1)
  const registers = registersOf(allocateControlBlock(1), 0)
  seedRegisters(registers, seed, 0)
  const identity = { kind: 'network', options: { wss: pageCount * 4096, seed } }
  const memory = { regions: [bytes], maps: [map], pageBytes: 4096, receive }
  return { bytes, map, registers, guest: createNetwork(identity, memory, registers) }
}

function segment(number: number, of: number = seed): Int32Array {
  return new StreamContent(of).segment(number)
}

describe('network', () => {
  it('has the last segments in its buffers and further, and where it is', () => {
    const { bytes, map, guest, registers } = start(6)
    guest.step(3)
    guest.step(4)
    const words = new Int32Array(bytes.buffer)
    const pages = [2, 3, 4, 5, 6].map((page) => words.slice(page * 1024, page * 1024 + 1024))
    // Two buffers and three pages kept: segments 0 to 6 went to 0 1 0 1 .. and 0 1 2 0 1 ..
    expect(pages).toEqual([6, 5, 6, 4, 5].map((number) => segment(number)))
    const sums = [0, 1, 2, 3, 4, 5, 6].map((number) =>
      segment(number).reduce((sum, word) => (sum + word) | 0, 0),
    )
    expect(words.slice(1024, 1028)).toEqual(Int32Array.of(7, 0, sums[6]!, 2))
    expect([...map]).toEqual([0, 1, 1, 1, 1, 1, 1])
    expect(registers.lanes[0]).toBe(sums.reduce((sum, each) => (sum + each) | 0, 0))
    expect(guest.ready).toBeUndefined()
  })

  it('has at most 256 buffers', () => {
    const layout = (pages: number) =>
      networkLayoutOf({ kind: 'network', options: { wss: pages * 4096 } }, [pages * 4096])
    expect(layout(3)).toMatchObject({ ringPage: 1, ringCount: 1, keptPage: 2, keptCount: 1 })
    expect(layout(1000)).toMatchObject({ ringPage: 1, ringCount: 256, keptPage: 257 })
    expect(layout(1000).keptCount).toBe(743)
  })

  it('takes what its card has, of the course that was asked for, and says so', () => {
    const queue = new ReceiveQueue()
    const { bytes, guest, registers } = start(3, queue.memory)
    registers.counts[0] = 2 ** 32 + 300
    expect(guest.ready!()).toBe(0)
    const course = queue.ask()
    queue.begin(course, 2 ** 32 + 300)
    // Another stream's, so that it cannot be the guest's own making.
    for (const number of [0, 1, 2]) queue.put(new Uint8Array(segment(number, 8).buffer))
    expect([guest.ready!(), queue.waiting]).toEqual([3, 3])
    guest.step(2)
    expect([guest.ready!(), queue.waiting]).toEqual([1, 1])
    expect(new Int32Array(bytes.buffer).slice(3 * 1024)).toEqual(segment(1, 8))
    // The registers were loaded anew: what is there is of another place of the stream.
    queue.begin(queue.ask() - 1, 5)
    queue.put(new Uint8Array(4096))
    expect(guest.ready!()).toBe(0)
  })
})

import type { ZeroMemory } from '@godwit/core'
import { GodwitError, systemClock } from '@godwit/core'
import { zeroInPieces } from '@godwit/destination'
import { describe, expect, it } from 'vitest'
import { MEMORY_GUEST, MemoryHost, memoryGuest } from './memory.ts'
import { createMigration } from './send.ts'

const zero = zeroInPieces(systemClock)

const offer = (byteLength: number) => ({
  identity: { kind: MEMORY_GUEST, options: {} },
  pageBytes: 4096,
  regions: [{ id: 3, name: 'ram', byteLength }],
})

describe('MemoryHost', () => {
  it("gives a program's own memory to one guest at a time", async () => {
    const memory = new Uint8Array(8192).fill(9)
    const host = new MemoryHost({ memory }, Infinity)
    const first = await host.reserve(offer(8192), zero)
    expect(first.regions[0]!.id).toBe(3)
    expect(memory.every((byte) => byte === 0)).toBe(true)
    memory[0] = 42
    await expect(host.reserve(offer(8192), zero)).rejects.toMatchObject({ code: 'NO_ROOM' })
    expect(memory[0]).toBe(42)
    await first.discard()
    await host.reserve(offer(8192), zero)
    expect(memory[0]).toBe(0)
  })

  it('counts the guests that it holds', async () => {
    const host = new MemoryHost({}, 10_000)
    const first = await host.reserve(offer(8192), zero)
    const refused = host.reserve(offer(4096), zero)
    await expect(refused).rejects.toThrow(/2.23 KiB are lacking/)
    await first.discard()
    await expect(host.reserve(offer(4096), zero)).resolves.toBeDefined()
  })

  it('refuses memory of another shape, and other guests', async () => {
    const host = new MemoryHost({ memory: new ArrayBuffer(4096) }, Infinity)
    await expect(host.reserve(offer(8192), zero)).rejects.toMatchObject({ code: 'GUEST_OPTION' })
    const other = { ...offer(4096), identity: { kind: 'writer', options: {} } }
    await expect(host.reserve(other, zero)).rejects.toMatchObject({ code: 'GUEST_UNKNOWN' })
  })

  it('tells which memory is fresh', async () => {
    const told: [number, boolean][] = []
    const note: ZeroMemory = async (regions, isFresh) => {
      told.push([regions[0]!.bytes.length, isFresh])
    }
    await new MemoryHost({}, Infinity).reserve(offer(4096), note)
    await new MemoryHost({ memory: new ArrayBuffer(8192) }, Infinity).reserve(offer(8192), note)
    expect(told).toEqual([
      [4096, true],
      [8192, false],
    ])
  })

  it.each([
    ['allocated', {}],
    ['its own', { memory: new ArrayBuffer(8192) }],
  ])('lets go of memory that cannot be made zero: %s', async (_name, arrival) => {
    const host = new MemoryHost(arrival, 8192)
    const error = new GodwitError('INTERNAL', 'no way')
    const failing: ZeroMemory = () => Promise.reject(error)
    await expect(host.reserve(offer(8192), failing)).rejects.toBe(error)
    await expect(host.reserve(offer(8192), zero)).resolves.toBeDefined()
  })
})

describe('a throttle', () => {
  const owner = { memory: new SharedArrayBuffer(4096), pause: () => {}, resume: () => {} }

  it("is the program's own, where it has one", () => {
    const shares: number[] = []
    const guest = memoryGuest({ ...owner, throttle: (share) => shares.push(share) })
    guest.throttle!(0.25)
    guest.throttle!(0)
    expect(shares).toEqual([0.25, 0])
  })

  it('is missing where it has none, and asking for one is refused', async () => {
    expect(memoryGuest(owner)).not.toHaveProperty('throttle')
    const created = createMigration(owner, { to: '127.0.0.1:9', throttle: 'auto-converge' })
    await expect(created).rejects.toMatchObject({ code: 'USAGE', message: /has no throttle/ })
  })
})

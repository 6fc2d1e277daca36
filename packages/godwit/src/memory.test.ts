import { describe, expect, it } from 'vitest'
import { MEMORY_GUEST, MemoryHost } from './memory.ts'

const offer = (byteLength: number) => ({
  identity: { kind: MEMORY_GUEST, options: {} },
  pageBytes: 4096,
  regions: [{ id: 3, name: 'ram', byteLength }],
})

describe('MemoryHost', () => {
  it("gives a program's own memory to one guest at a time", async () => {
    const memory = new Uint8Array(8192).fill(9)
    const host = new MemoryHost({ memory }, Infinity)
    const first = await host.reserve(offer(8192))
    expect(first.regions[0]!.id).toBe(3)
    memory[0] = 42
    await expect(host.reserve(offer(8192))).rejects.toMatchObject({ code: 'NO_ROOM' })
    expect(memory[0]).toBe(42)
    await first.discard()
    await host.reserve(offer(8192))
    expect(memory[0]).toBe(0)
  })

  it('counts the guests that it holds', async () => {
    const host = new MemoryHost({}, 10_000)
    const first = await host.reserve(offer(8192))
    const refused = host.reserve(offer(4096))
    await expect(refused).rejects.toThrow(/2.23 KiB are lacking/)
    await first.discard()
    await expect(host.reserve(offer(4096))).resolves.toBeDefined()
  })

  it('refuses memory of another shape, and other guests', async () => {
    const host = new MemoryHost({ memory: new ArrayBuffer(4096) }, Infinity)
    await expect(host.reserve(offer(8192))).rejects.toMatchObject({ code: 'GUEST_OPTION' })
    const other = { ...offer(4096), identity: { kind: 'writer', options: {} } }
    await expect(host.reserve(other)).rejects.toMatchObject({ code: 'GUEST_UNKNOWN' })
  })
})

import { GodwitError, MIB, PageBitmap } from '@godwit/core'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { FakeQemu } from './stream-fake.ts'
import { unpackState } from './state-package.ts'
import { StreamError } from './stream-format.ts'
import { QemuStreamGuest } from './stream-guest.ts'
import { badStreams, type GoodStream, goodStreams, memoryOf } from './stream-vectors.ts'
import { writeHead, writeMemory } from './stream-writer.ts'

const good = goodStreams.find(({ name }) => name === 'pages, zero pages, two blocks')!
const other = goodStreams.find(({ name }) => name.startsWith('a page that changes'))!
const memoryBytes = good.blocks['pc.ram']!
const before = { 'max-bandwidth': 134217728, 'downtime-limit': 300 }
const ended: (() => unknown)[] = []

afterEach(async () => {
  for (const end of ended.splice(0).toReversed()) await end()
})

async function attach(
  streams: readonly Uint8Array[],
  options: {
    readonly waits?: boolean
    readonly ramBytes?: number
    readonly pluggedBytes?: number
  } = {},
): Promise<{ qemu: FakeQemu; guest: QemuStreamGuest }> {
  const qemu = await FakeQemu.start(streams, options.ramBytes ?? memoryBytes, options.waits)
  qemu.pluggedBytes = options.pluggedBytes ?? 0
  ended.push(() => qemu.end())
  const place = { qmp: qemu.path, keeps: true, downtimeMs: 200 }
  const guest = await QemuStreamGuest.attach(place)
  ended.push(() => guest.stop())
  return { qemu, guest }
}

/** What the engine does before its first round. */
function reset(guest: QemuStreamGuest): void {
  for (const tracker of guest.trackers) tracker.reset()
}

function collect(guest: QemuStreamGuest): number {
  const found = guest.trackers.map((tracker, index) => {
    const pageCount = guest.regions[index]!.bytes.length / 4096
    return tracker.collect(0, pageCount, new PageBitmap(pageCount))
  })
  return found.reduce((sum, pages) => sum + pages, 0)
}

function expectMemory(guest: QemuStreamGuest, { memory }: GoodStream): void {
  for (const { name, bytes } of guest.regions) {
    const isSame = Buffer.compare(bytes, memoryOf(memory[name]!)) === 0
    expect({ name, isSame }).toEqual({ name, isSame: true })
  }
}

describe('a VM of which nothing but a QMP socket is known', () => {
  test('tells its memory, and what it is', async () => {
    const { guest } = await attach([good.bytes], { waits: true })
    expect(guest.regions.map(({ name, bytes }) => [name, bytes.length])).toEqual([
      ['pc.ram', 16384],
      ['pc.bios', 8192],
    ])
    expect(guest.identity).toMatchObject({
      kind: 'qemu',
      options: { attach: 'stream', machine: 'pc-q35-7.2-machine', memory: 16384 },
    })
  })

  test('has its memory in several blocks, and some of it was plugged in', async () => {
    const { guest } = await attach([good.bytes], { ramBytes: 12288, pluggedBytes: 8192 })
    expect(guest.identity).toMatchObject({ options: { memory: 12288, plugged: 8192 } })
    await guest.pause()
    expectMemory(guest, good)
  })

  test('is refused where its stream has less memory than it', async () => {
    const qemu = await FakeQemu.start([good.bytes], 16384)
    ended.push(() => qemu.end())
    qemu.pluggedBytes = 12288
    const attached = QemuStreamGuest.attach({ qmp: qemu.path, keeps: true })
    await expect(attached).rejects.toMatchObject({
      code: 'GUEST_OPTION',
      message: "QEMU's stream has 24 KiB of memory, and the VM 28 KiB",
    })
    expect(qemu).toMatchObject({ status: 'running', parameters: before })
  })

  test('is refused where the name of a region is too long', async () => {
    const name = `${'x'.repeat(126)}#1`
    const blocks = [{ name, byteLength: 4096 }]
    const stream = writeHead({ machine: 'pc-q35-7.2', blocks })
    const qemu = await FakeQemu.start([Buffer.concat([stream, new Uint8Array(64)])], 4096)
    ended.push(() => qemu.end())
    const attached = QemuStreamGuest.attach({ qmp: qemu.path, keeps: true })
    await expect(attached).rejects.toMatchObject({ limit: 'regionNameBytesMax', value: 130 })
  })

  test('stops by itself, with all of its memory and state here', async () => {
    const { qemu, guest } = await attach([good.bytes])
    reset(guest)
    const stop = await guest.nextRound()
    expect(stop).toMatchObject({ numbers: { passes: 3 } })
    expect(stop!.stoodMs).toBeGreaterThanOrEqual(0)
    await guest.pause()
    expectMemory(guest, good)
    const told = unpackState('stream', await guest.captureState())
    expect(Buffer.from(told).toString('hex')).toBe(good.rest)
    expect(qemu.done).toEqual(['migrate'])
  })

  test('is stopped where the engine wants it to, and not before', async () => {
    const { qemu, guest } = await attach([good.bytes], { waits: true })
    reset(guest)
    await expect(guest.captureState()).rejects.toMatchObject({ code: 'GUEST_FAILED' })
    await guest.pause()
    expect(qemu.done).toEqual(['migrate', 'stop'])
    expectMemory(guest, good)
  })

  test('may be stopped for as long as was asked for behind its first pass only', async () => {
    const { qemu, guest } = await attach([good.bytes], { waits: true })
    reset(guest)
    qemu.pass(1)
    expect(qemu.parameters['downtime-limit']).toBe(40)
    qemu.pass(2)
    await vi.waitFor(() => expect(qemu.parameters['downtime-limit']).toBe(200))
    expect(qemu).toMatchObject({ done: ['migrate'], status: 'running' })
    await guest.stop()
    expect(qemu.parameters).toEqual(before)
  })

  test('has QEMU as it is needed, and as it was when it is over', async () => {
    const { qemu, guest } = await attach([good.bytes], { waits: true })
    expect([...qemu.capabilities]).toEqual([
      ['events', true],
      ['xbzrle', false],
      ['multifd', false],
    ])
    expect(qemu.parameters).toEqual({ 'max-bandwidth': 2 ** 40, 'downtime-limit': 40 })
    await guest.stop()
    expect([...qemu.capabilities]).toEqual([
      ['events', false],
      ['xbzrle', true],
      ['multifd', false],
    ])
    expect(qemu.parameters).toEqual(before)
    expect(qemu).toMatchObject({ status: 'running', migration: 'cancelled' })
  })

  test('goes on when it stood and comes to stay, and may move again', async () => {
    const { qemu, guest } = await attach([good.bytes, other.bytes])
    reset(guest)
    await guest.nextRound()
    await guest.pause()
    expectMemory(guest, good)
    await guest.resume()
    expect(qemu.done).toEqual(['migrate', 'cont'])
    expect(qemu).toMatchObject({ status: 'running', parameters: before })
    reset(guest)
    expect(await guest.nextRound()).toMatchObject({ numbers: { passes: 3 } })
    expectMemory(guest, other)
    expect(collect(guest)).toBe(2)
  })

  test('has stored to what was something in one pause, and is nothing in the next', async () => {
    const { guest } = await attach([good.bytes, other.bytes])
    await guest.pause()
    // Pages 1 and 3 of its RAM, and 1 of its firmware.
    expect(collect(guest)).toBe(3)
    await guest.resume()
    await guest.pause()
    expectMemory(guest, other)
    // Those are zero now, and page 0 of RAM is not.
    expect(collect(guest)).toBe(4)
  })

  test('goes on when it never stood', async () => {
    const { qemu, guest } = await attach([good.bytes], { waits: true })
    reset(guest)
    const next = guest.nextRound()
    next.catch(() => {})
    await guest.resume()
    expect(qemu).toMatchObject({ status: 'running', parameters: before })
    await expect(next).rejects.toMatchObject({ code: 'GUEST_FAILED' })
  })

  test('stands where it was moved from, when nobody wants it back', async () => {
    const { qemu, guest } = await attach([good.bytes])
    await guest.pause()
    await guest.stop()
    expect(qemu).toMatchObject({ status: 'postmigrate', parameters: before })
    expect(qemu.done).not.toContain('cont')
  })

  test('says when QEMU is gone', async () => {
    const { qemu, guest } = await attach([good.bytes], { waits: true })
    qemu.end()
    expect(await guest.failed).toBeInstanceOf(GodwitError)
  })
})

describe('a stream that is not understood', () => {
  const named = (name: string): Uint8Array => badStreams.find((one) => one.name === name)!.bytes

  test.each(['compress', 'xbzrle', 'an unknown section', 'a page beyond the end'])(
    'ends the migration, and the VM goes on: %s',
    async (name) => {
      const { qemu, guest } = await attach([Buffer.concat([named(name), new Uint8Array(64)])])
      reset(guest)
      await expect(guest.nextRound()).rejects.toBeInstanceOf(StreamError)
      await expect(guest.pause()).rejects.toBeInstanceOf(StreamError)
      await guest.resume()
      expect(qemu).toMatchObject({ status: 'running', parameters: before })
    },
  )

  test('refuses the VM when it is none from the start', async () => {
    const qemu = await FakeQemu.start([Buffer.alloc(4096, 'GET /')], memoryBytes)
    ended.push(() => qemu.end())
    const attached = QemuStreamGuest.attach({ qmp: qemu.path, keeps: true })
    await expect(attached).rejects.toMatchObject({ code: 'GUEST_FAILED', record: 'magic' })
    expect(qemu).toMatchObject({ status: 'running', parameters: before })
  })

  test('that ends too early is no memory of the VM', async () => {
    const cut = good.bytes.subarray(0, good.bytes.length - good.rest.length / 2 - 20)
    const { guest } = await attach([cut])
    reset(guest)
    await expect(guest.nextRound()).rejects.toMatchObject({ record: 'end' })
  })

  test('refuses a VM that does not run, or that somebody else moves', async () => {
    const qemu = await FakeQemu.start([good.bytes], memoryBytes)
    ended.push(() => qemu.end())
    qemu.status = 'paused'
    const paused = QemuStreamGuest.attach({ qmp: qemu.path, keeps: true })
    await expect(paused).rejects.toMatchObject({ code: 'GUEST_OPTION' })
    qemu.status = 'running'
    qemu.migration = 'active'
    const busy = QemuStreamGuest.attach({ qmp: qemu.path, keeps: true })
    await expect(busy).rejects.toMatchObject({ message: /migrates this VM already/ })
    expect(qemu.done).toEqual([])
  })
})

describe('a stream that is faster than the link', () => {
  test('is read no further than some MiB ahead of what was taken', async () => {
    const ramBytes = 64 * MIB
    const bytes = new Uint8Array(ramBytes).fill(7)
    const blocks = [{ name: 'pc.ram', byteLength: ramBytes }]
    const head = writeHead({ machine: 'pc-q35-7.2', blocks })
    const pages = [...writeMemory([{ name: 'pc.ram', bytes }])]
    const stream = Buffer.concat([head, ...pages, Uint8Array.of(4, 0)])
    const { qemu, guest } = await attach([stream], { ramBytes })
    /** What sockets take on their own. */
    const most = 8 * MIB + 3 * MIB
    expect(qemu.writtenBytes).toBeLessThan(3 * MIB)
    reset(guest)
    let taken = 0
    for (;;) {
      const stop = await guest.nextRound()
      expect(qemu.writtenBytes).toBeLessThan(taken + most)
      taken += collect(guest) * 4096
      if (stop !== undefined) break
    }
    // What came before the engine began is in memory, and goes in round 1.
    expect(taken).toBeGreaterThan(ramBytes - 3 * MIB)
    expect(Buffer.compare(guest.regions[0]!.bytes, bytes)).toBe(0)
  })
})

import { afterEach, describe, expect, it } from 'vitest'
import { HeldVm } from './held-vm.ts'
import { FakeQemu } from './stream-fake.ts'
import { goodStreams } from './stream-vectors.ts'

const good = goodStreams.find(({ name }) => name === 'pages, zero pages, two blocks')!
const memoryBytes = good.blocks['pc.ram']!
const ended: (() => unknown)[] = []

afterEach(async () => {
  for (const end of ended.splice(0).toReversed()) await end()
})

async function start(...streams: readonly Uint8Array[]): Promise<FakeQemu> {
  const qemu = await FakeQemu.start(streams, memoryBytes, true)
  ended.push(() => qemu.end())
  return qemu
}

async function hold(qemu: FakeQemu, keeps = false): Promise<HeldVm> {
  const vm = await HeldVm.hold({ qmp: qemu.path, keeps })
  ended.push(() => vm.letGo())
  return vm
}

describe('a VM that is held', () => {
  it('has the memory that was plugged in, too', async () => {
    const qemu = await start()
    qemu.pluggedBytes = 8192
    expect(await hold(qemu)).toMatchObject({ memoryBytes: memoryBytes + 8192 })
  })

  it('is as it was: nothing is done to it', async () => {
    const qemu = await start()
    const vm = await hold(qemu)
    await vm.check()
    expect(vm.memoryBytes).toBe(memoryBytes)
    expect(await vm.status()).toBe('running')
    await vm.giveBack()
    await vm.letGo()
    expect([qemu.done, qemu.clients]).toEqual([[], 1])
  })

  it('is moved as often as it comes back, and not begun before', async () => {
    const qemu = await start(good.bytes, good.bytes)
    const vm = await hold(qemu)
    for (const times of [1, 2]) {
      const guest = await vm.take()
      expect(guest.regions.map(({ name }) => name)).toEqual(['pc.ram', 'pc.bios'])
      await guest.resume()
      await vm.giveBack()
      expect(qemu.done.filter((command) => command === 'migrate')).toHaveLength(times)
      expect(await vm.status()).toBe('running')
    }
  })

  it.each([
    [false, ['migrate', 'stop', 'quit']],
    [true, ['migrate', 'stop']],
  ])('that has moved ends, unless it is kept: %s', async (keeps, commands) => {
    const qemu = await start(good.bytes)
    const vm = await hold(qemu, keeps)
    const guest = await vm.take()
    await guest.pause()
    await vm.moved()
    expect(qemu.done).toEqual(commands)
  })

  it('is held as before where it cannot be moved', async () => {
    const qemu = await start(good.bytes)
    const vm = await hold(qemu)
    qemu.status = 'paused'
    await expect(vm.take()).rejects.toMatchObject({ code: 'GUEST_OPTION' })
    await vm.giveBack()
    expect(await vm.status()).toBe('paused')
    qemu.status = 'running'
    await (await vm.take()).resume()
  })

  it('that ends is heard of; one that is let go of is not', async () => {
    const [qemu, other] = [await start(), await start()]
    const [vm, free] = [await hold(qemu), await hold(other)]
    await free.letGo()
    other.end()
    qemu.end()
    const first = await Promise.race([vm.failed, free.failed.then(() => undefined)])
    expect(first).toMatchObject({ code: 'GUEST_FAILED' })
  })

  it.each([
    ['guest-shutdown', 'guest-shutdown'],
    ['guest-panic', undefined],
  ])('that says why it ends (%s) has ended in order: %s', async (reason, by) => {
    const qemu = await start()
    const vm = await hold(qemu)
    expect(vm.shutDownBy).toBe(undefined)
    qemu.shutDown(reason)
    expect(await vm.failed).toMatchObject({ code: 'GUEST_FAILED' })
    expect(vm.shutDownBy).toBe(by)
  })

  it('that is not there any more has failed', async () => {
    const qemu = await start()
    qemu.end()
    const vm = HeldVm.follow({ qmp: qemu.path, keeps: false }, memoryBytes)
    expect(await vm.failed).toMatchObject({ code: 'GUEST_OPTION' })
    await expect(HeldVm.hold({ qmp: qemu.path, keeps: false })).rejects.toThrow(/no QEMU/)
  })
})

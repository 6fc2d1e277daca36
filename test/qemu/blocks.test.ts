/**
 * VMs whose memory is in several blocks, or in one that is larger than a region of a guest: both
 * move by way of QEMU's stream.
 */
import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { GIB, type GuestOffer, MIB, type Region, type ZeroMemory } from '@godwit/core'
import { type IncomingQemu, parseQemuHost, QemuHost, QemuStreamGuest } from '@godwit/qemu'
import { type Receiver, receive, send } from 'godwit'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { endProcesses, startGodwit } from '../end-to-end/process.ts'
import { isLong } from '../end-to-end/variants.ts'
import {
  complaints,
  consoleLine,
  countsOn,
  isImpossible,
  isMust,
  lastTick,
  needs,
  Vm,
  Yard,
} from './vm.ts'

const longMs = 300_000
const pieceBytes = 16 * MIB
const pageBytes = 4096
const once: readonly string[] = ['--once', '--run-for', '8s']
const receivers: Receiver[] = []
const arrived: IncomingQemu[] = []

afterEach(async () => {
  for (const guest of arrived.splice(0)) await guest.discard()
  for (const receiver of receivers.splice(0)) await receiver.close()
  await endProcesses()
})

/** How a block that arrived compares with the file that it had at the source. */
interface Compared {
  readonly byteLength: number
  /** Pieces of 16 MiB that have something in them. */
  readonly used: readonly number[]
  /** Pages that differ, where a block is in another place; see {@link lostPagesMax}. */
  readonly differing: readonly number[]
}

/**
 * QEMU's TCG may leave a store out of its own migrations: a processor tells of the page before it
 * stores, and leaves off telling (`tlb_set_dirty`) after it looked whether the log was read. Where
 * it is held up in between, as on a machine with much else to do, the store is in no log. That is a
 * page now and then; what we put in wrong places is more. That all that QEMU sent is there says
 * `memory.equal`.
 */
const lostPagesMax = 8

function compare(regions: readonly Region[], path: string): Compared {
  const file = openSync(path, 'r')
  const [used, differing]: [number[], number[]] = [[], []]
  const [held, zero] = [Buffer.alloc(pieceBytes), Buffer.alloc(pieceBytes)]
  let at = 0
  for (const { bytes } of regions) {
    for (let from = 0; from < bytes.length; from += pieceBytes) {
      const piece = bytes.subarray(from, from + pieceBytes)
      const count = readSync(file, held, 0, piece.length, at)
      differing.push(...differingPages(held.subarray(0, count), piece, at))
      if (Buffer.compare(zero.subarray(0, piece.length), piece) !== 0) used.push(at / pieceBytes)
      at += piece.length
    }
  }
  closeSync(file)
  return { byteLength: at, used, differing: differing.length > lostPagesMax ? differing : [] }
}

/** @param at - where in the block both begin */
function differingPages(held: Uint8Array, there: Uint8Array, at: number): readonly number[] {
  const differing: number[] = []
  if (Buffer.compare(held, there) === 0) return differing
  for (let from = 0; from < there.length; from += pageBytes) {
    const one = (bytes: Uint8Array): Uint8Array => bytes.subarray(from, from + pageBytes)
    if (Buffer.compare(one(held), one(there)) !== 0) differing.push((at + from) / pageBytes)
  }
  return differing
}

/** Looks at a VM's memory when all of it is there, right before it runs. */
class ComparingHost extends QemuHost {
  readonly compared: Record<string, Compared> = {}
  /** Files of blocks at the source, by name. */
  files: Readonly<Record<string, string>> = {}

  override async reserve(offer: GuestOffer, zero: ZeroMemory): Promise<IncomingQemu> {
    const guest = await super.reserve(offer, zero)
    const run = guest.run.bind(guest)
    guest.run = () => {
      for (const [name, path] of Object.entries(this.files)) {
        const regions = guest.regions.filter((region) => region.name.replace(/#\d+$/, '') === name)
        this.compared[name] = compare(regions, path)
      }
      return run()
    }
    return guest
  }
}

async function listen(yard: Yard, config: string): Promise<{ host: ComparingHost; to: string }> {
  const place = parseQemuHost(`qemu,config=${config},ram=${yard.folder}`)
  const host = new ComparingHost({ place, onReserved: (guest) => void arrived.push(guest) })
  const receiver = await receive(host, { listen: '127.0.0.1:0' })
  receivers.push(receiver)
  return { host, to: receiver.address }
}

/** Waits until a VM counts on in another place; it has said nothing wrong in any. */
async function wrongAfter(logs: readonly string[]): Promise<readonly string[]> {
  const [from = '', to = ''] = logs.slice(-2)
  await consoleLine(to, new RegExp(`^TICK ${lastTick(from) + 30} `, 'm'))
  return complaints(logs)
}

const nodeBytes: Readonly<Record<string, number>> = { m0: 96 * MIB, m1: 64 * MIB, d0: 128 * MIB }

/** Two nodes, and memory that was plugged in; the kernel has programs in that first. */
function severalBlocks(pathOf: (name: string) => string, sizeOf: (name: string) => string) {
  const backends = Object.keys(nodeBytes).flatMap((id) => [
    '-object',
    `memory-backend-file,id=${id},size=${sizeOf(id)},mem-path=${pathOf(id)},share=on`,
  ])
  const nodes = ['-numa', 'node,memdev=m0', '-numa', 'node,memdev=m1']
  const plugged = ['-m', 'slots=2,maxmem=1G', '-device', 'pc-dimm,id=dimm0,memdev=d0']
  const append = 'console=ttyS0 quiet panic=-1 pti=on memhp_default_state=online_movable'
  return [...backends, ...nodes, ...plugged, '-device', 'VGA', '-append', append]
}

/** A configuration with a file for each of them. */
function configOf(yard: Yard, log: string, change = (more: string[]): string[] => more): string {
  const more = severalBlocks(
    (name) => `{ram:${name}}`,
    (name) => `{memory:${name}}`,
  )
  return yard.config(log, () => yard.command(undefined, '', log, change(more)))
}

/** What a change of the configuration leads to, before a byte of memory moves. */
const refusals = [
  [
    'one block only',
    (more: string[]) => more.map((part) => part.replace(/:m[01]\}/g, '}')),
    /^.*in several: it has "d0" of 128 MiB, "m0" of 96 MiB, "m1" of 64 MiB, /,
  ],
  [
    'nothing plugged in',
    (more: string[]) => more.filter((part, i) => !/=d0/.test(`${part} ${more[i + 1]}`)),
    /plugged memory of 128 MiB, the one configured here 0 B/,
  ],
  [
    'one that QEMU does not share',
    (more: string[]) => more.map((part) => part.replace(/(m1\}),share=on/, '$1,share=off')),
    /memory "m1" .* not all of its shared file/,
  ],
  [
    'no display',
    (more: string[]) => more.filter((part, i) => part !== 'VGA' && more[i + 1] !== 'VGA'),
    /QEMU here does not take the memory .*Unknown ramblock ".*\/vga.vram"/,
  ],
] as const

/** Memory of the display: of no file, so that QEMU alone can tell what is in it. */
function displayOf({ regions }: QemuStreamGuest): Uint8Array {
  return regions.find(({ name }) => name.endsWith('/vga.vram'))!.bytes
}

/** The VM that has arrived goes to a command, and ends there. @returns it, as it left */
async function movesOn(yard: Yard, logs: readonly string[]): Promise<QemuStreamGuest> {
  const { place, ramPaths } = arrived[0]!
  expect(place).toEqual({ qmp: expect.any(String), keeps: false })
  expect(readFileSync(join(dirname(place.qmp), 'files'), 'utf8')).toBe(JSON.stringify(ramPaths))
  const next = `qemu,config=${configOf(yard, logs[2]!)},ram=${yard.folder}`
  const further = startGodwit('receive', '--listen', '127.0.0.1:0', '--guest', next, ...once)
  const [, address] = await further.line(/^listening (.+)$/)
  const again = await QemuStreamGuest.attach(place)
  expect(await send(again, { to: address! })).toMatchObject({ memory: { equal: true } })
  expect(await wrongAfter(logs)).toEqual([])
  await again.stop()
  const [, files] = await further.line(/, its memory to (.+); .*: qemu,attach=stream,qmp=\S+$/)
  expect(files!.split(' and ').map((path) => basename(path).slice(-6))).toEqual(
    Object.keys(nodeBytes).map((name) => `${name}.ram`),
  )
  // They go with the VM, which ends with its time.
  expect(await further.ended).toMatchObject({ code: 0 })
  expect(files!.split(' and ').filter((path) => existsSync(path))).toEqual([])
  return again
}

describe.skipIf(isImpossible)(`a VM with memory in several blocks${needs}`, () => {
  let yard: Yard
  let vm: Vm

  beforeAll(async () => {
    yard = new Yard()
    const more = severalBlocks(
      (name) => yard.path(`source-${name}.ram`),
      (name) => `${nodeBytes[name]}`,
    )
    vm = await Vm.boot(yard, 'source', { isPlain: true, more })
  }, longMs)
  afterAll(async () => {
    if (isImpossible) return
    await vm.kill()
    yard.remove()
  })

  it.each(refusals)(
    'stays where there are places: %s',
    async (_, change, reason) => {
      const { to } = await listen(yard, configOf(yard, yard.path('none.log'), change))
      const guest = await QemuStreamGuest.attach({ qmp: vm.qmpPath, keeps: true })
      const report = await send(guest, { to })
      await guest.stop()
      expect(report.error).toMatchObject({ code: 'GUEST_OPTION' })
      expect(report.error!.text).toMatch(reason)
      expect(report.rounds).toEqual([])
      expect(await vm.status()).toBe('running')
      await countsOn(vm.log)
    },
    longMs,
  )

  it(
    'goes on where it was, with all of its blocks, and on from there',
    async () => {
      const logs = [vm.log, yard.path('there.log'), yard.path('further.log')]
      const { host, to } = await listen(yard, configOf(yard, logs[1]!))
      const names = Object.keys(nodeBytes)
      host.files = Object.fromEntries(names.map((name) => [name, yard.path(`source-${name}.ram`)]))
      const guest = await QemuStreamGuest.attach({ qmp: vm.qmpPath, keeps: true })
      const report = await send(guest, { to, lanes: 2, encode: 'auto' })
      expect(report.error).toBeUndefined()
      expect(report).toMatchObject({ stop: { rule: 'guest' }, memory: { equal: true } })
      for (const name of names) {
        const { used, ...rest } = host.compared[name]!
        expect({ name, ...rest }).toEqual({ name, byteLength: nodeBytes[name], differing: [] })
        expect(used).not.toEqual([])
      }
      await guest.stop()
      expect(await vm.status()).toBe('postmigrate')
      expect(await wrongAfter(logs.slice(0, 2))).toEqual([])

      const again = await movesOn(yard, logs)
      expect(displayOf(guest).some((byte) => byte !== 0)).toBe(true)
      expect(Buffer.compare(displayOf(guest), displayOf(again))).toBe(0)
    },
    longMs,
  )
})

const largeBytes: number = 4 * GIB + 256 * MIB
/** The guest's, here once more, and where that is not on a disk at the destination. */
const isRoomy = isMust || process.availableMemory() > 3 * largeBytes

const isLarge = isLong && isRoomy && !isImpossible

// It takes a minute; that such blocks are cut and put together is tried without a VM, too.
describe.runIf(isLarge)(`a VM with more than 4 GiB in one block${needs}`, () => {
  it(
    'goes on where it was, with all of it',
    async () => {
      const yard = new Yard('pc.ram', { memoryBytes: largeBytes })
      const vm = await Vm.boot(yard, 'large')
      try {
        const log = yard.path('there.log')
        const { host, to } = await listen(yard, yard.config(log))
        host.files = { 'pc.ram': vm.ramPath }
        const guest = await QemuStreamGuest.attach({ qmp: vm.qmpPath, keeps: true })
        const report = await send(guest, { to })
        expect(report.error).toBeUndefined()
        expect(report).toMatchObject({ stop: { rule: 'guest' }, memory: { equal: true } })
        const { byteLength, differing, used } = host.compared['pc.ram']!
        expect({ byteLength, differing }).toEqual({ byteLength: largeBytes, differing: [] })
        expect(used.some((piece) => piece * pieceBytes >= 4 * GIB)).toBe(true)
        expect(used.some((piece) => piece * pieceBytes < 4 * GIB)).toBe(true)
        await guest.stop()
        expect(await wrongAfter([vm.log, log])).toEqual([])
      } finally {
        await vm.kill()
        for (const guest of arrived.splice(0)) await guest.discard()
        yard.remove()
      }
    },
    longMs,
  )
})

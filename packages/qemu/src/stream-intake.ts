/**
 * A VM that comes as a stream, at the destination: its RAM goes straight to QEMU's file, all other
 * blocks come here first, and QEMU is fed the rest of a stream around them.
 *
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  formatBytes,
  GIB,
  GodwitError,
  type GuestOffer,
  LimitError,
  ProtocolError,
  type Region,
  type RegionShape,
} from '@godwit/core'
import { allocateRegion } from '@godwit/memory'
import type { StateWriter } from './device-state.ts'
import type { MachineFacts } from './machine-facts.ts'
import { readQemuIdentity } from './qemu-spec.ts'
import type { QmpClient } from './qmp.ts'
import {
  BLOCK_NAME_BYTES_MAX,
  SectionType,
  STREAM_PAGE_BYTES,
  type StreamSetup,
} from './stream-format.ts'
import { writeHead, writeMemory } from './stream-writer.ts'

/** Of blocks beside RAM: displays have the largest. They are in the stream, and so in the pause. */
const otherBytesMax: number = 1 * GIB
const headLimitMs = 10_000
const pollMs = 2

/** What was offered, checked. */
export interface StreamOffer {
  readonly facts: MachineFacts
  /** Which region is the VM's RAM. */
  readonly ram: RegionShape
  readonly shapes: readonly RegionShape[]
  /** Of all regions but RAM. */
  readonly otherBytes: number
}

/** Whether a VM is offered that comes as a stream. */
export function isStreamOffer({ identity }: Pick<GuestOffer, 'identity'>): boolean {
  return identity.options['attach'] === 'stream'
}

/**
 * Checks what a peer offers.
 *
 * @throws {GodwitError} `GUEST_UNKNOWN`; `GUEST_OPTION`, also where its regions are not the blocks
 *   of such a VM
 * @throws {ProtocolError} `PAGE_SIZE_MISMATCH` {@link LimitError} `LIMIT_EXCEEDED`
 */
export function readStreamOffer({ identity, pageBytes, regions }: GuestOffer): StreamOffer {
  const { attach: _, ...options } = identity.options
  const facts = readQemuIdentity({ kind: identity.kind, options })
  const ram = regions.find(({ byteLength }) => byteLength === facts.memory)
  const names = new Set(regions.map(({ name }) => name))
  const areWhole = regions.every(({ name, byteLength }) => {
    const nameBytes = Buffer.byteLength(name)
    const isNamed = nameBytes > 0 && nameBytes <= BLOCK_NAME_BYTES_MAX
    return isNamed && byteLength % STREAM_PAGE_BYTES === 0
  })
  if (ram === undefined || names.size < regions.length || !areWhole) {
    const text = `The regions that are offered are not those of ${formatBytes(facts.memory)} of RAM`
    throw new GodwitError('GUEST_OPTION', text)
  }
  if (pageBytes !== STREAM_PAGE_BYTES) {
    const text = `The pages of a VM that comes as a stream have 4KiB, not ${formatBytes(pageBytes)}`
    throw new ProtocolError('PAGE_SIZE_MISMATCH', text)
  }
  const otherBytes = regions.reduce((sum, { byteLength }) => sum + byteLength, -ram.byteLength)
  if (otherBytes > otherBytesMax) {
    const text = `The VM's devices have ${formatBytes(otherBytes)} of memory; the most is 1 GiB`
    const limit = { limit: 'deviceMemoryBytesMax', value: otherBytes, maximum: otherBytesMax }
    throw new LimitError('LIMIT_EXCEEDED', text, limit)
  }
  return { facts, ram, shapes: regions, otherBytes }
}

/** One VM that arrives, and its QEMU. */
export class StreamIntake {
  /** As offered. RAM is the file's. */
  readonly regions: readonly Region[]
  readonly #others: readonly Region[]
  readonly #writer: StateWriter

  /**
   * Gives QEMU the head of the stream: it has looked at the list of blocks when this resolves.
   *
   * @param memory - of the file that is QEMU's RAM
   * @throws {GodwitError} `GUEST_OPTION`: its RAM has another name; `GUEST_FAILED`: QEMU does not
   *   take it
   * @throws {LimitError} `NO_ROOM`
   */
  static async open(
    offer: StreamOffer,
    memory: Region,
    qmp: QmpClient,
    writer: StateWriter,
  ): Promise<StreamIntake> {
    await checkName(qmp, offer)
    const intake = new StreamIntake(offer, memory, writer)
    await writer.send(writeHead(setupOf(offer)))
    await isTaken(qmp)
    return intake
  }

  private constructor(offer: StreamOffer, memory: Region, writer: StateWriter) {
    this.#writer = writer
    this.regions = offer.shapes.map((shape) => {
      const { id, name } = shape
      return shape === offer.ram ? { id, name, bytes: memory.bytes } : allocateRegion(shape)
    })
    this.#others = this.regions.filter(({ bytes }) => bytes !== memory.bytes)
  }

  /**
   * All the rest. RAM is there already, and its pages are in no record.
   *
   * @param devices - what came behind the memory
   * @throws {ProtocolError} `PROTOCOL_STATE`; {@link GodwitError} `GUEST_FAILED`
   */
  async write(devices: Uint8Array): Promise<void> {
    checkDevices(devices)
    for (const piece of writeMemory(this.#others)) await this.#writer.send(piece)
    await this.#writer.write(devices)
  }

  close(): void {
    this.#writer.close()
  }
}

/** @throws {ProtocolError} `PROTOCOL_STATE`: there may be memory in it */
export function checkDevices(devices: Uint8Array): void {
  if (devices[0] === SectionType.Full || devices[0] === SectionType.End) return
  const text = 'The state of the VM that is offered does not begin with a device'
  throw new ProtocolError('PROTOCOL_STATE', text)
}

function setupOf({ facts, shapes }: StreamOffer): StreamSetup {
  return { machine: machineName(facts), blocks: shapes }
}

/** As the stream has it: the type without its suffix. */
export function machineName({ machine }: Pick<MachineFacts, 'machine'>): string {
  return machine.replace(/-machine$/, '')
}

/** Blocks are known to QEMU by the names of their backends. @throws {GodwitError} `GUEST_OPTION` */
async function checkName(qmp: QmpClient, { ram }: StreamOffer): Promise<void> {
  const devices = await qmp.execute<readonly { id?: string }[]>('query-memdev')
  if (devices.some(({ id }) => id === ram.name)) return
  const has = devices.map(({ id = 'without a name' }) => id).join(', ')
  const text =
    `The RAM of the VM that is offered is called "${ram.name}" and that of the one configured ` +
    `here ${has}; name it: -object memory-backend-file,id=${ram.name},... ` +
    `-machine ...,memory-backend=${ram.name}`
  throw new GodwitError('GUEST_OPTION', text)
}

/** QEMU reads what is there before it answers again; what it does not take ends it. */
async function isTaken(qmp: QmpClient): Promise<void> {
  const endMs = performance.now() + headLimitMs
  for (;;) {
    const { status } = await qmp.execute<{ readonly status?: string }>('query-migrate')
    if (status === 'active') return
    if (status === 'failed' || performance.now() > endMs) {
      throw new GodwitError('GUEST_FAILED', `it is ${status ?? 'silent'}`)
    }
    await sleep(pollMs)
  }
}

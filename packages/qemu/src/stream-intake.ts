/**
 * A VM that comes as a stream, at the destination: its RAM goes straight to QEMU's files, all other
 * blocks come here first, and QEMU is fed the rest of a stream around them.
 *
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { GodwitError, ProtocolError, type Region } from '@godwit/core'
import { allocateRegion } from '@godwit/memory'
import type { BlockRegions } from './block-regions.ts'
import type { StateWriter } from './device-state.ts'
import type { MachineFacts } from './machine-facts.ts'
import type { QmpClient } from './qmp.ts'
import { SectionType, type StreamSetup } from './stream-format.ts'
import type { StreamOffer } from './stream-offer.ts'
import { type FedBlock, writeHead, writeMemory } from './stream-writer.ts'

const headLimitMs = 10_000
const pollMs = 2

/** Blocks whose memory is that of files, by name: the regions of each. */
export type FiledBlocks = ReadonlyMap<string, readonly Region[]>

/** One VM that arrives, and its QEMU. */
export class StreamIntake {
  /** As offered. Those of blocks in files are the files'. */
  readonly regions: readonly Region[]
  readonly #fed: readonly FedBlock[]
  readonly #writer: StateWriter

  /**
   * Gives QEMU the head of the stream: it has looked at the list of blocks when this resolves.
   *
   * @throws {GodwitError} `GUEST_FAILED`: QEMU does not take it {@link LimitError} `NO_ROOM`
   */
  static async open(
    offer: StreamOffer,
    files: FiledBlocks,
    qmp: QmpClient,
    writer: StateWriter,
  ): Promise<StreamIntake> {
    const intake = new StreamIntake(offer, files, writer)
    await writer.send(writeHead(setupOf(offer)))
    await isTaken(qmp)
    return intake
  }

  private constructor({ blocks }: StreamOffer, files: FiledBlocks, writer: StateWriter) {
    this.#writer = writer
    this.regions = blocks.flatMap((block) => regionsOf(block, files.get(block.name)))
    const fed = blocks.filter(({ name }) => !files.has(name))
    this.#fed = fed.map(({ name, shapes }) => {
      // It is small enough for one.
      return { name, bytes: this.regions.find(({ id }) => id === shapes[0]!.id)!.bytes }
    })
  }

  /**
   * All the rest. What is in files is there already, and its pages are in no record.
   *
   * @param devices - what came behind the memory
   * @throws {ProtocolError} `PROTOCOL_STATE`; {@link GodwitError} `GUEST_FAILED`
   */
  async write(devices: Uint8Array): Promise<void> {
    checkDevices(devices)
    for (const piece of writeMemory(this.#fed)) await this.#writer.send(piece)
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

/** @param filed - the file's, which are cut alike */
function regionsOf({ shapes }: BlockRegions, filed: readonly Region[] | undefined): Region[] {
  return shapes.map((shape, index) => {
    const { id, name } = shape
    return filed === undefined ? allocateRegion(shape) : { id, name, bytes: filed[index]!.bytes }
  })
}

function setupOf({ facts, blocks }: StreamOffer): StreamSetup {
  return { machine: machineName(facts), blocks }
}

/** As the stream has it: the type without its suffix. */
export function machineName({ machine }: Pick<MachineFacts, 'machine'>): string {
  return machine.replace(/-machine$/, '')
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

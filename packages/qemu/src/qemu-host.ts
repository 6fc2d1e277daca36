/**
 * Makes room for VMs that arrive: a file for the RAM, and a QEMU that waits for the rest. An offer
 * comes from a peer, and all of it is checked; what QEMU is, is the user's own to say.
 *
 * @module
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import {
  type FinalState,
  GodwitError,
  type GuestHost,
  type GuestOffer,
  type IncomingGuest,
  LimitError,
  ProtocolError,
  type Region,
  toGodwitError,
  type ZeroMemory,
} from '@godwit/core'
import { loadFileMemory } from '@godwit/linux'
import { setCapabilities } from './capabilities.ts'
import { StateWriter } from './device-state.ts'
import { askFacts, compareFacts } from './machine-facts.ts'
import { backendOf, checkBackend, checkBackends, compareBackend } from './memory-backends.ts'
import { QmpClient } from './qmp.ts'
import { fillIn, type QemuCommand, readConfig } from './qemu-config.ts'
import { QemuProcess } from './qemu-process.ts'
import type { QemuHostPlace, VmPlace } from './qemu-spec.ts'
import { RamFile } from './ram-file.ts'
import { isInOneFile, type PlannedFile, planRam, type RamPlan } from './ram-plan.ts'
import { type StateForm, unpackState } from './state-package.ts'
import { type FiledBlocks, StreamIntake } from './stream-intake.ts'
import type { StreamOffer } from './stream-offer.ts'

const startLimitMs = 20_000
const runLimitMs = 60_000

/** Memory that is counted somewhere: it says when that is touched, and when it is given back. */
export interface QemuRoom {
  touched(): void
  release(): void
}

/** What a VM's state is written with. */
interface VmStateWriter {
  write(state: Uint8Array): Promise<void>
  close(): void
}

interface Parts {
  readonly form: StateForm
  readonly regions: readonly Region[]
  readonly rams: readonly RamFile[]
  readonly isInOneFile: boolean
  readonly qemu: QemuProcess
  readonly qmp: QmpClient
  readonly writer: VmStateWriter
  readonly room: QemuRoom | undefined
}

/** A VM that arrives: its QEMU stands, and waits for its state. */
export class IncomingQemu implements IncomingGuest {
  readonly #form: StateForm
  readonly #rams: readonly RamFile[]
  readonly #isInOneFile: boolean
  readonly #qemu: QemuProcess
  #qmp: QmpClient
  readonly #writer: VmStateWriter
  readonly #regions: readonly Region[]
  readonly #room: QemuRoom | undefined
  #hasRun = false
  #isLeft = false
  #isGone = false

  constructor(parts: Parts) {
    const { form, regions, rams, qemu, qmp, writer, room } = parts
    this.#form = form
    this.#regions = regions
    this.#rams = rams
    this.#isInOneFile = parts.isInOneFile
    this.#qemu = qemu
    this.#qmp = qmp
    this.#writer = writer
    this.#room = room
  }

  /** Of the VM, once it runs, for whoever moves it on from here. */
  get place(): VmPlace {
    const { qmpPath: qmp } = this.#qemu
    const keeps = false
    return this.#isInOneFile ? { qmp, ram: this.#rams[0]!.path, keeps } : { qmp, keeps }
  }

  /** Of its QEMU. */
  get pid(): number {
    return this.#qemu.pid
  }

  /** The files of its memory, in the order of places in the configuration. */
  get ramPaths(): readonly string[] {
    return this.#rams.map(({ path }) => path)
  }

  /** Empty after {@link discard}. */
  get regions(): readonly Region[] {
    return this.#isGone ? [] : this.#regions
  }

  /**
   * @throws {ProtocolError} `PROTOCOL_STATE`: it is not whole; or this QEMU did not load it, with
   *   its reason, and has ended
   */
  async restoreState(state: Uint8Array): Promise<void> {
    const told = unpackState(this.#form, state)
    try {
      await this.#writer.write(told)
    } catch (thrown) {
      if (thrown instanceof ProtocolError) throw thrown
      // Where it does not like it QEMU says why, and ends.
      const reason = toGodwitError(thrown).message
      const said = this.#qemu.lastWords
      const text = `QEMU here did not load the VM's state: ${said === '' ? reason : said}`
      throw new ProtocolError('PROTOCOL_STATE', text, { cause: thrown })
    }
  }

  /** @throws {GodwitError} `GUEST_FAILED`: QEMU does not go on, and why */
  async run(): Promise<void> {
    this.#hasRun = true
    this.#qemu.letGo()
    // Files of a VM that ends by itself are of no use to anybody.
    void this.#qemu.ended.then(() => {
      if (!this.#isLeft) this.#clear()
    })
    await this.#qmp.execute('cont', {}, runLimitMs)
    // It serves one client at a time: others may want it now.
    this.#writer.close()
    this.#qmp.close()
  }

  /** Stops the VM; QEMU stays. It counts no steps. */
  async stop(): Promise<FinalState> {
    if (!this.#isGone) {
      this.#qmp = await QmpClient.connect(this.#qemu.qmpPath)
      await this.#qmp.execute('stop', {}, runLimitMs)
      this.#qmp.close()
    }
    return { steps: 0, registers: new Uint8Array() }
  }

  /** {@link discard} leaves a VM that runs alone from here on: its RAM is its own. */
  leave(): void {
    this.#isLeft = this.#hasRun
  }

  async discard(): Promise<void> {
    this.#qmp.close()
    this.#writer.close()
    if (this.#isLeft) for (const ram of this.#rams) ram.close()
    else {
      await this.#qemu.end(this.#hasRun)
      this.#clear()
    }
    this.#release()
  }

  #clear(): void {
    for (const ram of this.#rams) ram.remove()
    void this.#qemu.end(false)
    this.#release()
  }

  #release(): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#room?.release()
  }
}

/** How VMs are taken in. */
export interface QemuHostOptions {
  readonly place: QemuHostPlace
  /** Counts memory; throws `NO_ROOM` where there is not as much. */
  readonly takeRoom?: (bytes: number) => QemuRoom
  /** A VM is here, and its QEMU stands. */
  readonly onReserved?: (guest: IncomingQemu) => void
}

/** Makes room for VMs. */
export class QemuHost implements GuestHost {
  readonly #options: QemuHostOptions
  readonly #command: QemuCommand
  readonly #guests = new Set<IncomingQemu>()

  /** @throws {GodwitError} `FILE_UNREADABLE`, `GUEST_OPTION`: the configuration is not right */
  constructor(options: QemuHostOptions) {
    this.#options = options
    this.#command = readConfig(options.place.config)
  }

  /**
   * Makes the RAM, starts QEMU and looks whether its machine is the one that is offered.
   *
   * @throws {GodwitError} `GUEST_UNKNOWN`, `GUEST_OPTION`, `GUEST_FAILED`, `USAGE`,
   *   `FILE_UNWRITABLE`, and whatever `zero` rejects with
   * @throws {LimitError} `NO_ROOM`, `LIMIT_EXCEEDED`
   * @throws {ProtocolError} `PROTOCOL_CAPABILITY`, `PAGE_SIZE_MISMATCH`
   */
  async reserve(offer: GuestOffer, zero: ZeroMemory, agreed?: () => void): Promise<IncomingQemu> {
    const plan = planRam(offer, this.#command)
    const { facts: offered, stream } = plan
    if (offer.isPostCopy === true) refusePostCopy()
    const room = this.#options.takeRoom?.(plan.totalBytes)
    const rams: RamFile[] = []
    const started: { qemu?: QemuProcess; qmp?: QmpClient; writer?: StateWriter } = {}
    try {
      await this.#createFiles(plan.files, rams)
      // QEMU takes half a second to start.
      agreed?.()
      const files = plan.files.map((file, index) => ({ ...file, path: rams[index]!.path }))
      const qemu = await QemuProcess.start((qmp) =>
        fillIn(this.#command, { files, memory: offered.memory, qmp }),
      )
      started.qemu = qemu
      qemu.noteFiles(files.map(({ path }) => path))
      const qmp = await connect(qemu)
      started.qmp = qmp
      compareFacts(await askFacts(qmp), offered)
      await checkFiles(qmp, plan, rams)
      await setCapabilities(qmp, stream === undefined ? 'destination' : 'stream-destination')
      const writer = await StateWriter.connect(qmp, qemu.statePath)
      started.writer = writer
      const filed = plan.files.map(({ block }, i) => [block?.name ?? '', rams[i]!.regions] as const)
      const intake = stream && (await openIntake(stream, new Map(filed), qemu, { qmp, writer }))
      const { regions } = intake ?? rams[0]!
      await zero(regions, true)
      room?.touched()
      const guest = new IncomingQemu({
        form: stream === undefined ? 'file' : 'stream',
        regions,
        rams,
        isInOneFile: isInOneFile(plan),
        qemu,
        qmp,
        writer: intake ?? writer,
        room,
      })
      this.#guests.add(guest)
      void qemu.ended.then(() => this.#guests.delete(guest))
      this.#options.onReserved?.(guest)
      return guest
    } catch (error) {
      started.writer?.close()
      started.qmp?.close()
      await started.qemu?.end(false)
      for (const ram of rams) ram.remove()
      room?.release()
      throw error
    }
  }

  /** @param rams - gets them, one after the other, each with room made sure of */
  async #createFiles(files: readonly PlannedFile[], rams: RamFile[]): Promise<void> {
    const calls = await loadFileMemory()
    const id = randomUUID()
    for (const { name, byteLength } of files) {
      const suffix = name === undefined ? '' : `-${name}`
      const path = join(this.#options.place.ramFolder, `godwit-${id}${suffix}.ram`)
      rams.push(await RamFile.create(calls, path, byteLength))
    }
  }

  /** VMs that run here outlive this process. */
  leaveRunning(): void {
    for (const guest of this.#guests) guest.leave()
  }
}

/** @throws {GodwitError} `GUEST_OPTION`: a file is not what QEMU has for memory */
async function checkFiles(
  qmp: QmpClient,
  { facts, files }: RamPlan,
  rams: readonly RamFile[],
): Promise<void> {
  for (const [index, { name, block }] of files.entries()) {
    const ram = rams[index]!
    if (block === undefined) compareBackend(await checkBackends(qmp, ram), facts)
    else await checkBackend(qmp, backendOf(block.name), ram, name === undefined)
  }
}

/** @throws {GodwitError} `GUEST_OPTION`: QEMU does not take the head of the stream, and why */
async function openIntake(
  offer: StreamOffer,
  files: FiledBlocks,
  qemu: QemuProcess,
  { qmp, writer }: { readonly qmp: QmpClient; readonly writer: StateWriter },
): Promise<StreamIntake> {
  try {
    return await StreamIntake.open(offer, files, qmp, writer)
  } catch (thrown) {
    if (thrown instanceof LimitError) throw thrown
    // It says why, and ends.
    const reason = qemu.lastWords === '' ? toGodwitError(thrown).message : qemu.lastWords
    const text = `QEMU here does not take the memory of the VM that is offered: ${reason}`
    throw new GodwitError('GUEST_OPTION', text, { cause: thrown })
  }
}

/** @throws {GodwitError} `GUEST_OPTION`: QEMU ended, and why */
async function connect(qemu: QemuProcess): Promise<QmpClient> {
  const gone = new AbortController()
  void qemu.ended.then(() => gone.abort(new GodwitError('GUEST_OPTION', 'it has ended')))
  try {
    const { signal } = gone
    return await QmpClient.connect(qemu.qmpPath, { waits: true, limitMs: startLimitMs, signal })
  } catch (thrown) {
    const said = qemu.lastWords
    const reason = said === '' ? toGodwitError(thrown).message : said
    const text = `QEMU does not start as "command" says: ${reason}`
    throw new GodwitError('GUEST_OPTION', text, { cause: thrown })
  }
}

function refusePostCopy(): never {
  const text =
    'A qemu guest cannot be moved by post-copy: its RAM is a file, and nothing makes QEMU wait ' +
    'for pages that are still to come; use --mode pre-copy or stop-copy'
  throw new ProtocolError('PROTOCOL_CAPABILITY', text)
}

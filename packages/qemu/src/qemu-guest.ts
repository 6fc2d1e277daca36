/**
 * A VM that runs in a QEMU here, as a guest that can be moved away: its RAM is a shared file, which
 * this process maps; everything else QEMU tells in the pause.
 *
 * @module
 */
import {
  formatBytes,
  GodwitError,
  type Guest,
  type GuestIdentity,
  type PageBitmap,
  type Region,
  type StoreMarks,
} from '@godwit/core'
import { loadFileMemory, type SystemCalls } from '@godwit/linux'
import { type Capability, resetCapabilities, setCapabilities } from './capabilities.ts'
import { StateReader } from './device-state.ts'
import { askFacts, checkInOneFile, type MachineFacts } from './machine-facts.ts'
import { checkBackends } from './memory-backends.ts'
import { askMigration, isUnderWay } from './migration-info.ts'
import { QmpClient } from './qmp.ts'
import { type QemuPlace, qemuIdentity } from './qemu-spec.ts'
import { RamFile } from './ram-file.ts'
import { type OpenMarks, openMarks } from './soft-dirty-bits.ts'
import { packState } from './state-package.ts'

/** Of a disk that is slow to take what is under way. */
const stopLimitMs = 60_000

interface Parts {
  readonly qmp: QmpClient
  readonly ram: RamFile
  readonly facts: MachineFacts
  readonly reader: StateReader
  readonly capabilities: readonly Capability[]
  readonly keeps: boolean
  readonly marks: OpenMarks
}

/** A VM that somebody started; it goes on when this object is gone. */
export class QemuFileGuest implements Guest {
  readonly identity: GuestIdentity
  readonly regions: readonly Region[]
  /** QEMU's threads store to it. */
  readonly isForeign = true
  readonly marks: StoreMarks
  /** Resolves, with the reason, when QEMU ends; else never. */
  readonly failed: Promise<GodwitError>
  readonly #qmp: QmpClient
  readonly #ram: RamFile
  readonly #reader: StateReader
  readonly #capabilities: readonly Capability[]
  readonly #keeps: boolean
  readonly #marks: OpenMarks
  #pausing: Promise<void> | undefined
  #state: Promise<Uint8Array> | undefined
  #isOver = false

  private constructor({ qmp, ram, facts, reader, capabilities, keeps, marks }: Parts) {
    this.identity = qemuIdentity(facts)
    this.regions = ram.regions
    this.#qmp = qmp
    this.#ram = ram
    this.#reader = reader
    this.#capabilities = capabilities
    this.#keeps = keeps
    this.#marks = marks
    this.marks = marks.marks
    this.failed = new Promise((resolve) => {
      void qmp.closed.then((error) => {
        if (!this.#isOver) resolve(error)
      })
    })
  }

  /**
   * Looks whether the VM can be moved, and makes ready; it runs on.
   *
   * @throws {GodwitError} `GUEST_OPTION`, `GUEST_FAILED`, `FILE_UNREADABLE`, `USAGE`
   * @throws {LimitError} `NO_ROOM`
   */
  static async attach({ qmp: path, ram: file, keeps }: QemuPlace): Promise<QemuFileGuest> {
    const calls = await loadFileMemory()
    const qmp = await QmpClient.connect(path)
    let ram: RamFile | undefined
    let reader: StateReader | undefined
    let marks: OpenMarks | undefined
    try {
      await checkRunning(qmp)
      const opened = await openRam(calls, qmp, file)
      const { facts } = opened
      ram = opened.ram
      marks = await openMarks(qmp, ram)
      reader = await StateReader.listen(qmp)
      const capabilities = await setCapabilities(qmp, 'source')
      return new QemuFileGuest({ qmp, ram, facts, reader, capabilities, keeps, marks })
    } catch (error) {
      reader?.close()
      marks?.close()
      ram?.close()
      qmp.close()
      throw error
    }
  }

  addUntouched(pageBytes: number, region: number, into: PageBitmap): void {
    this.#ram.addUntouched(pageBytes, region, into)
  }

  /**
   * Stops processors and devices; what disks have under way ends before.
   *
   * From then on QEMU tells the rest of the state, while pages are looked at and sent. That stores
   * nothing to RAM: QEMU's own migration sends the last of RAM before it saves devices
   * (`qemu_savevm_state_complete_precopy` of its migration/savevm.c), so they must not.
   */
  pause(): Promise<void> {
    this.#pausing ??= this.#qmp.execute('stop', {}, stopLimitMs).then(() => {
      this.#state = this.#reader.read()
      // Told when it is asked for.
      this.#state.catch(() => {})
    })
    return this.#pausing
  }

  /** @throws {GodwitError} `GUEST_FAILED`: QEMU does not go on, and why */
  async resume(): Promise<void> {
    if (this.#pausing === undefined) return
    await this.#endReading()
    await this.#qmp.execute('cont', {}, stopLimitMs)
    this.#pausing = undefined
    this.#state = undefined
  }

  /**
   * What QEMU tells of everything beside RAM.
   *
   * @throws {GodwitError} `GUEST_FAILED`: it runs, or QEMU's reason {@link LimitError}
   */
  async captureState(): Promise<Uint8Array> {
    if (this.#pausing === undefined) {
      throw new GodwitError('GUEST_FAILED', 'A VM that runs has no state to capture')
    }
    await this.#pausing
    return packState('file', [await this.#state!])
  }

  /** The VM is the other side's for good: its QEMU here ends, unless it is to be kept. */
  async moved(): Promise<void> {
    if (this.#keeps) return
    this.#isOver = true
    // It may be quicker to end than to answer.
    await this.#qmp.execute('quit').catch(() => {})
  }

  /** Lets the VM alone: QEMU is as it was before, and goes on, or stands. Idempotent. */
  async stop(): Promise<void> {
    if (!this.#isOver && !this.#qmp.isClosed) {
      this.#isOver = true
      // Somebody may have ended it meanwhile.
      await this.#endReading().catch(() => {})
      await resetCapabilities(this.#qmp, this.#capabilities).catch(() => {})
    }
    this.#isOver = true
    this.#qmp.close()
    this.#reader.close()
    this.#marks.close()
    this.#ram.close()
  }

  /** QEMU tells no state any more when this resolves: it does so in a migration, one at a time. */
  async #endReading(): Promise<void> {
    await this.#pausing?.catch(() => {})
    const reading = this.#state
    if (reading === undefined) return
    await this.#reader.cancel()
    await reading.catch(() => {})
  }
}

/** @throws {GodwitError} `GUEST_OPTION` */
export async function checkRunning(qmp: QmpClient): Promise<void> {
  const { status = '' } = await qmp.execute<{ status?: string }>('query-status')
  if (status !== 'running') {
    const text = `The VM does not run (${status}): a guest that moves runs; QMP's cont lets it`
    throw new GodwitError('GUEST_OPTION', text)
  }
  const migration = await askMigration(qmp)
  if (isUnderWay(migration)) {
    throw new GodwitError('GUEST_OPTION', 'QEMU migrates this VM already, to somebody else')
  }
  const [reason] = migration['blocked-reasons'] ?? []
  if (reason !== undefined) {
    throw new GodwitError('GUEST_OPTION', `QEMU says that this VM cannot be moved: ${reason}`)
  }
}

/**
 * Maps a VM's RAM, and makes sure that it is that.
 *
 * @throws {GodwitError} `GUEST_OPTION`, `GUEST_FAILED`, `FILE_UNREADABLE`, `USAGE`
 * @throws {LimitError} `NO_ROOM`
 */
export async function openRam(
  calls: SystemCalls,
  qmp: QmpClient,
  file: string,
): Promise<{ readonly ram: RamFile; readonly facts: MachineFacts }> {
  const facts = await askFacts(qmp)
  checkInOneFile(facts)
  const ram = RamFile.open(calls, file)
  try {
    checkSize(ram, facts)
    const backend = await checkBackends(qmp, ram)
    return { ram, facts: backend === undefined ? facts : { ...facts, backend } }
  } catch (thrown) {
    ram.close()
    throw thrown
  }
}

function checkSize(ram: RamFile, { memory }: MachineFacts): void {
  if (ram.byteLength === memory) return
  const text =
    `The VM has ${formatBytes(memory)} of memory and ${ram.path} has ` +
    `${formatBytes(ram.byteLength)}: all of its memory must be in that one file`
  throw new GodwitError('GUEST_OPTION', text)
}

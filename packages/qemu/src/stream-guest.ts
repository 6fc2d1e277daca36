/**
 * A VM that nobody prepared, as a guest that can be moved away: QEMU migrates it to this process,
 * with its own log of stores and its own rule for the pause.
 *
 * @module
 */
import {
  type DirtyTracker,
  formatBytes,
  GodwitError,
  type Guest,
  type GuestIdentity,
  type GuestStop,
  LimitError,
  type Region,
} from '@godwit/core'
import { populate, preferHugePages } from '@godwit/linux'
import { type BlockRegions, cutBlocks } from './block-regions.ts'
import { askFacts, type MachineFacts, ramBytes } from './machine-facts.ts'
import { checkRunning } from './qemu-guest.ts'
import { QEMU_KIND, type StreamPlace } from './qemu-spec.ts'
import { QmpClient } from './qmp.ts'
import { packState } from './state-package.ts'
import { BLOCK_NAME_BYTES_MAX, type StreamSetup } from './stream-format.ts'
import { machineName } from './stream-intake.ts'
import { allocateShadow, clearShadow, type ShadowRegion, StreamTracker } from './stream-memory.ts'
import { StreamRun } from './stream-run.ts'

/** The regions of each block. */
type Shadow = readonly (readonly ShadowRegion[])[]

interface Parts {
  readonly qmp: QmpClient
  readonly facts: MachineFacts
  readonly place: StreamPlace
  readonly setup: StreamSetup
  readonly shadow: Shadow
  readonly run: StreamRun
}

/** A VM that somebody started; it goes on when this object is gone. */
export class QemuStreamGuest implements Guest {
  readonly identity: GuestIdentity
  readonly regions: readonly Region[]
  readonly trackers: readonly DirtyTracker[]
  /** Resolves, with the reason, when QEMU ends; else never. */
  readonly failed: Promise<GodwitError>
  readonly #qmp: QmpClient
  readonly #place: StreamPlace
  readonly #setup: StreamSetup
  readonly #shadow: Shadow
  #run: Promise<StreamRun> | undefined
  /** Settles when an earlier run has ended: another one may begin. */
  #leaving: Promise<void> = Promise.resolve()
  #isOver = false
  readonly #over = new AbortController()

  /**
   * Connects to QEMU and has it begin its stream, which tells what memory there is; the VM runs on.
   *
   * @throws {GodwitError} `GUEST_OPTION`: there is no QEMU, or the VM does not run; `GUEST_FAILED`:
   *   its stream is not understood
   * @throws {LimitError} `NO_ROOM`, `LIMIT_EXCEEDED`
   */
  static async attach(place: StreamPlace): Promise<QemuStreamGuest> {
    const qmp = await QmpClient.connect(place.qmp)
    try {
      await checkRunning(qmp)
      const facts = await askFacts(qmp)
      let setup: StreamSetup | undefined
      let shadow: Shadow = []
      const begin = (said: StreamSetup): Shadow => {
        checkSetup(said, facts)
        setup = said
        shadow = allocateShadow(cutSetup(said))
        return shadow
      }
      const run = await StreamRun.begin({ qmp, downtimeMs: place.downtimeMs, begin })
      for (const { region } of shadow.flat()) await preferHugePages(region)
      return new QemuStreamGuest({ qmp, facts, place, setup: setup!, shadow, run })
    } catch (thrown) {
      qmp.close()
      throw thrown
    }
  }

  private constructor({ qmp, facts, place, setup, shadow, run }: Parts) {
    this.#qmp = qmp
    this.#place = place
    this.#setup = setup
    this.#shadow = shadow
    this.#run = Promise.resolve(run)
    this.identity = { kind: QEMU_KIND, options: { ...facts, attach: 'stream' } }
    const all = shadow.flat()
    this.regions = all.map(({ region }) => region)
    const listener = { begun: () => this.#begun(), taken: (pages: number) => this.#taken(pages) }
    this.trackers = all.map((region) => new StreamTracker(region, listener))
    this.failed = new Promise((resolve) => {
      void qmp.closed.then((error) => {
        if (!this.#isOver) resolve(error)
      })
    })
    void this.#makeRoom()
  }

  /** QEMU says when the VM stands; all of its memory is here then. */
  async nextRound(): Promise<GuestStop | undefined> {
    return (await this.#current()).nextRound()
  }

  async nextPages(): Promise<number> {
    return (await this.#current()).nextPages()
  }

  /** All of memory is about to be touched: while the destination makes room there is time. */
  async #makeRoom(): Promise<void> {
    const bytes = this.regions.reduce((sum, region) => sum + region.bytes.byteLength, 0)
    // Where there is little, only what the VM has in use is to be taken.
    if (process.availableMemory() < 2 * bytes) return
    for (const region of this.regions) await populate(region, this.#over.signal)
  }

  /** Stops the VM, if QEMU has not; resolves when all of its memory and state is here. */
  async pause(): Promise<void> {
    const run = await this.#current()
    await run.stop()
  }

  /**
   * QEMU gives its migration up, and the VM goes on there.
   *
   * @throws {GodwitError} `GUEST_FAILED`: it does not
   */
  resume(): Promise<void> {
    const run = this.#run
    if (run === undefined) return this.#leaving
    this.#run = undefined
    this.#leaving = run.then(
      (begun) => begun.cancel(),
      () => {},
    )
    this.#leaving.catch(() => {})
    return this.#leaving
  }

  /** What QEMU sent behind the VM's memory. @throws {GodwitError} `GUEST_FAILED`: it runs */
  async captureState(): Promise<Uint8Array> {
    const run = await this.#run
    if (run?.isEnded === true) return packState('stream', run.rest)
    throw new GodwitError('GUEST_FAILED', 'A VM that runs has no state to capture')
  }

  /** The VM is the other side's for good: its QEMU here ends, unless it is to be kept. */
  async moved(): Promise<void> {
    if (this.#place.keeps) return
    this.#end()
    // It may be quicker to end than to answer.
    await this.#qmp.execute('quit').catch(() => {})
  }

  /** Lets the VM alone: it goes on in QEMU, but where it has moved: there it stands. Idempotent. */
  async stop(): Promise<void> {
    const run = await this.#run?.catch(() => undefined)
    this.#end()
    // QEMU may be gone.
    await (run?.isEnded === true ? run.close() : run?.cancel())?.catch(() => {})
    this.#run = undefined
    await this.#leaving.catch(() => {})
    this.#qmp.close()
  }

  #end(): void {
    this.#isOver = true
    this.#over.abort()
  }

  /** Told once for each region: the first time makes memory zero, where there was a run before. */
  #begun(): void {
    void this.#current().then(
      (run) => run.begun(),
      () => {},
    )
  }

  #taken(pages: number): void {
    void this.#run?.then(
      (run) => run.taken(pages),
      () => {},
    )
  }

  /** A run; who waits for it hears where there is none. */
  #current(): Promise<StreamRun> {
    this.#run ??= this.#again()
    return this.#run
  }

  /** Another attempt: all memory comes anew. */
  #again(): Promise<StreamRun> {
    clearShadow(this.#shadow.flat())
    const qmp = this.#qmp
    const begin = (said: StreamSetup): Shadow => {
      if (JSON.stringify(said) === JSON.stringify(this.#setup)) return this.#shadow
      throw new GodwitError('GUEST_FAILED', 'The VM has other memory now than before')
    }
    const run = this.#leaving.then(async () => {
      await checkRunning(qmp)
      return StreamRun.begin({ qmp, downtimeMs: this.#place.downtimeMs, begin })
    })
    run.catch(() => {})
    return run
  }
}

/** @throws {GodwitError} `GUEST_OPTION` */
function checkSetup({ machine, blocks }: StreamSetup, facts: MachineFacts): void {
  if (machine !== machineName(facts)) {
    const text = `QEMU's stream is of a machine "${machine}", and the VM's is ${facts.machine}`
    throw new GodwitError('GUEST_OPTION', text)
  }
  const streamed = blocks.reduce((sum, { byteLength }) => sum + byteLength, 0)
  const memory = ramBytes(facts)
  if (streamed >= memory) return
  const has = `QEMU's stream has ${formatBytes(streamed)} of memory`
  throw new GodwitError('GUEST_OPTION', `${has}, and the VM ${formatBytes(memory)}`)
}

/** @throws {LimitError} `LIMIT_EXCEEDED`: a part has a longer name than a region may have */
function cutSetup({ blocks }: StreamSetup): readonly BlockRegions[] {
  const cut = cutBlocks(blocks)
  for (const { name } of cut.flatMap(({ shapes }) => shapes)) {
    const value = Buffer.byteLength(name)
    if (value <= BLOCK_NAME_BYTES_MAX) continue
    const limit = { limit: 'regionNameBytesMax', value, maximum: BLOCK_NAME_BYTES_MAX }
    throw new LimitError('LIMIT_EXCEEDED', `The name of the memory "${name}" is too long`, limit)
  }
  return cut
}

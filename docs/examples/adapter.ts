/**
 * A guest of one's own: a ledger whose accounts are memory that migrates. `docs/ADAPTERS.md`
 * explains it; it passes the suite `godwit/adapter-suite`.
 *
 * @module
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type {
  DirtyTracker,
  FinalState,
  GateMemory,
  Guest,
  GuestHost,
  GuestIdentity,
  GuestOffer,
  IncomingGuest,
  Region,
  ZeroMemory,
} from 'godwit'
import {
  ByteMapTracker,
  GatePager,
  GodwitError,
  LimitError,
  ProtocolError,
  allocateRegion,
} from 'godwit'
import {
  ANSWER,
  COMMAND,
  type LedgerJob,
  RANDOM,
  REGISTER_BYTES,
  STEPS_AT,
  THROTTLE,
} from './ledger.ts'

const kind = 'ledger'
const magic = 0x4745444c
const version = 1
const stateBytes = 20

/** The accounts, the registers, and the thread that works on them. It stands at first. */
export class Ledger {
  readonly region: Region
  readonly tracker: DirtyTracker
  readonly #words: Int32Array
  readonly #steps: Float64Array
  readonly #worker: Worker
  readonly #failed: Promise<never>
  /** Even: stand. Odd: run. Each command has a number of its own, which the thread answers. */
  #command = 2

  /** @param gate - where pages of the region are still to come */
  constructor(region: Region, pageBytes: number, gate?: GateMemory) {
    const registers = new SharedArrayBuffer(REGISTER_BYTES)
    const pageCount = Math.ceil(region.bytes.length / pageBytes)
    const map = new Uint8Array(new SharedArrayBuffer(pageCount))
    this.region = region
    this.tracker = new ByteMapTracker({ map, pageCount })
    this.#words = new Int32Array(registers, 0, 4)
    this.#steps = new Float64Array(registers, STEPS_AT, 1)
    this.#words[COMMAND] = this.#command
    const { buffer, byteOffset, length } = region.bytes
    const accounts = new Uint32Array(buffer, byteOffset, length >> 2)
    const job: LedgerJob = { accounts, registers, map, pageBytes, gate }
    this.#worker = new Worker(new URL('./ledger.ts', import.meta.url), { workerData: job })
    this.#failed = once(this.#worker, 'error').then(([error]: unknown[]) => {
      throw new GodwitError('GUEST_FAILED', `The ledger ended: ${String(error)}`)
    })
    // Nobody may be waiting when it does.
    this.#failed.catch(() => {})
  }

  seed(seed: number): void {
    this.#words[RANDOM] = seed
  }

  get steps(): number {
    return this.#steps[0]!
  }

  throttle(share: number): void {
    Atomics.store(this.#words, THROTTLE, Math.round(share * 1000))
  }

  run(): void {
    if (this.#command % 2 === 0) this.#say(this.#command + 1)
  }

  /** Resolves when the thread stands, however often it was asked to. */
  async stand(): Promise<void> {
    if (this.#command % 2 === 1) this.#say(this.#command + 1)
    const words = this.#words
    for (;;) {
      const answer = Atomics.load(words, ANSWER)
      if (answer === this.#command) return
      const changed = Atomics.waitAsync(words, ANSWER, answer)
      if (changed.async) await Promise.race([changed.value, this.#failed])
    }
  }

  #say(command: number): void {
    this.#command = command
    Atomics.store(this.#words, COMMAND, command)
    Atomics.notify(this.#words, COMMAND)
  }

  capture(): Uint8Array {
    if (Atomics.load(this.#words, ANSWER) % 2 === 1) {
      throw new GodwitError('GUEST_FAILED', 'A ledger that runs has no state to capture')
    }
    const view = new DataView(new ArrayBuffer(stateBytes))
    view.setUint32(0, magic, true)
    view.setUint32(4, version, true)
    view.setFloat64(8, this.steps, true)
    view.setInt32(16, this.#words[RANDOM]!, true)
    return new Uint8Array(view.buffer)
  }

  restore(state: Uint8Array): void {
    const { steps, random } = readState(state)
    this.#steps[0] = steps
    this.#words[RANDOM] = random
  }

  /** Nobody stores to the accounts when this resolves. */
  async end(): Promise<void> {
    await this.#worker.terminate()
  }
}

/** It comes from a peer: all of it is checked before anything is loaded. */
export function readState(state: Uint8Array): { readonly steps: number; readonly random: number } {
  const refuse = (text: string): never => {
    throw new ProtocolError('PROTOCOL_STATE', `This is no state of a ledger: ${text}`)
  }
  if (state.length !== stateBytes) refuse(`${state.length} bytes, not ${stateBytes}`)
  const view = new DataView(state.buffer, state.byteOffset, stateBytes)
  if (view.getUint32(0, true) !== magic) refuse('it is of something else')
  if (view.getUint32(4, true) !== version) refuse(`version ${view.getUint32(4, true)}`)
  const steps = view.getFloat64(8, true)
  if (!Number.isSafeInteger(steps) || steps < 0) refuse(`${steps} transfers`)
  const random = view.getInt32(16, true)
  if (random === 0) refuse('its random number is 0')
  return { steps, random }
}

/** A ledger that can be moved away. */
export class LedgerGuest implements Guest {
  readonly identity: GuestIdentity = { kind, options: {} }
  readonly regions: readonly Region[]
  readonly trackers: readonly DirtyTracker[]
  readonly #ledger: Ledger

  private constructor(ledger: Ledger) {
    this.#ledger = ledger
    this.regions = [ledger.region]
    this.trackers = [ledger.tracker]
  }

  /** Every account has 100. */
  static open(byteLength: number, pageBytes: number, seed: number): LedgerGuest {
    const region = allocateRegion({ id: 0, name: 'accounts', byteLength })
    new Uint32Array(region.bytes.buffer, 0, byteLength >> 2).fill(100)
    const ledger = new Ledger(region, pageBytes)
    ledger.seed(seed)
    ledger.run()
    return new LedgerGuest(ledger)
  }

  pause(): Promise<void> {
    return this.#ledger.stand()
  }

  resume(): void {
    this.#ledger.run()
  }

  throttle(share: number): void {
    this.#ledger.throttle(share)
  }

  captureState(): Uint8Array {
    return this.#ledger.capture()
  }

  restoreState(state: Uint8Array): void {
    this.#ledger.restore(state)
  }

  steps(): number {
    return this.#ledger.steps
  }

  end(): Promise<void> {
    return this.#ledger.end()
  }
}

/** Has room for ledgers of so many bytes together. */
export class LedgerHost implements GuestHost {
  readonly #bytesMax: number
  #heldBytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  async reserve(offer: GuestOffer, zero: ZeroMemory): Promise<IncomingGuest> {
    const { id, name, byteLength } = checkOffer(offer)
    const free = this.#bytesMax - this.#heldBytes
    if (byteLength > free) {
      const text = `The ledger has ${byteLength} bytes, and ${free} are free here`
      const facts = { limit: 'bytesMax', value: byteLength, maximum: free }
      throw new LimitError('NO_ROOM', text, facts)
    }
    this.#heldBytes += byteLength
    try {
      const region = allocateRegion({ id, name, byteLength })
      await zero([region], true)
      const pages = Math.ceil(byteLength / offer.pageBytes)
      const pager = offer.isPostCopy === true ? new GatePager([pages]) : undefined
      return this.#incoming(new Ledger(region, offer.pageBytes, pager?.memory), pager)
    } catch (error) {
      this.#heldBytes -= byteLength
      throw error
    }
  }

  #incoming(ledger: Ledger, pager: GatePager | undefined): IncomingGuest {
    return {
      regions: [ledger.region],
      trackers: [ledger.tracker],
      pager,
      restoreState: (state) => ledger.restore(state),
      run: () => ledger.run(),
      steps: () => ledger.steps,
      stop: async (): Promise<FinalState> => {
        await ledger.stand()
        return { steps: ledger.steps, registers: ledger.capture() }
      },
      discard: async () => {
        // The thread may wait for a page that will not come any more.
        pager?.abandon()
        await ledger.end()
        this.#heldBytes -= ledger.region.bytes.length
      },
    }
  }
}

/** It comes from a peer, too. @throws {GodwitError} `GUEST_UNKNOWN`, `GUEST_OPTION` */
function checkOffer({ identity, regions }: GuestOffer): GuestOffer['regions'][number] {
  if (identity.kind !== kind) {
    throw new GodwitError('GUEST_UNKNOWN', `Here are ledgers only, not "${identity.kind}"`)
  }
  const [option] = Object.keys(identity.options)
  if (option !== undefined) {
    throw new GodwitError('GUEST_OPTION', `A ledger has no option "${option}"`)
  }
  const [region] = regions
  if (region === undefined || regions.length > 1 || region.byteLength % 4 !== 0) {
    throw new GodwitError('GUEST_OPTION', 'A ledger has one region, of whole accounts of 4 bytes')
  }
  return region
}

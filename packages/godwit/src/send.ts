/**
 * `send`: move a guest to a destination that listens.
 *
 * @module
 */
import { closeSync } from 'node:fs'
import type { DecisionReport, Guest, Report, StageReport, VerifyMode } from '@godwit/core'
import {
  GodwitError,
  PAGE_BYTES_DEFAULT,
  checkPageBytes,
  mayPostCopy,
  systemClock,
  toHex,
} from '@godwit/core'
import { loadDescriptorCalls, loadSystemCalls } from '@godwit/linux'
import { parseReverse, parseTimeout, SELECT_DEFAULT } from '@godwit/policy'
import type { SourceOptions, SourceProgress } from '@godwit/source'
import { SourceMigration, runWithin } from '@godwit/source'
import type { TlsCredentials } from '@godwit/transport'
import { createDialler, parseAddress, requireSecureOrLoopback } from '@godwit/transport'
import { DATA_CHANNELS_MAX, SESSION_ID_BYTES } from '@godwit/wire'
import type { AgentCapture, CaptureOptions } from './capture-file.ts'
import { beginCapture } from './capture-file.ts'
import type { MemoryGuest } from './memory.ts'
import { memoryGuest } from './memory.ts'
import { OwnerDirectory } from './owner-directory.ts'
import { SOFTWARE, createUsageMeter, nodePrimitives, randomBytes } from './runtime.ts'
import { entryUrl, startThread } from './thread.ts'
import type { SecurityOptions } from './security.ts'
import { watchLink } from './link-use.ts'
import type { RuleOptions } from './rules.ts'
import { rulesFor, rulesOf, withoutPostCopy } from './rules.ts'
import type { SendStatic } from './static-options.ts'
import { OfferedPast } from './static-options.ts'
import { checkSecurity, securityOf } from './security.ts'
import type { ChosenTrackers, TrackerChoice } from './tracker.ts'
import { chooseTrackers } from './tracker.ts'
import { startUrgentThread } from './urgent-thread.ts'

/** How to send; everything has a default but the address. */
export interface SendOptions extends CaptureOptions, RuleOptions {
  /** `HOST:PORT` or `ws://HOST:PORT`. */
  readonly to: string
  /** What the guest is called, which the destination gets to know: 1 to 128 characters. */
  readonly guestName?: string
  readonly verify?: VerifyMode
  /**
   * Contents that the destination may hold already, of a map of siblings or of stored images: where
   * it does, only their numbers are sent. In the modes with rounds, and not with `encode: 'raw'`.
   */
  readonly static?: SendStatic
  readonly tracker?: TrackerChoice
  readonly pageBytes?: number
  /**
   * Data channels, each with a thread of its own; the destination may agree to fewer. Default 1;
   * with more, more cores compress, and each has its share of the cap on bandwidth. With 0, or
   * where the guest's memory is not shared, the one channel is the calling thread's.
   */
  readonly lanes?: number
  /** By what the two sides know each other; the destination must have the same. */
  readonly security?: SecurityOptions | undefined
  /** Send off loopback although nobody is authenticated. */
  readonly insecure?: boolean
  /**
   * How long a destination that was lost after the hand-over, while it is needed, is tried to be
   * reached again, each time. Default: for ever: it alone knows whose the guest is, or in post-copy
   * nobody but the two sides together has all of it.
   */
  readonly recoverMs?: number
  /** The destination was lost, and is needed: it is tried to be reached again. */
  readonly onSuspended?: SourceOptions['onSuspended']
  /**
   * A directory where it is written whose the guest is, so that it is known after this process
   * died: see {@link recoverOwned}. It must be of this machine, and may be shared.
   */
  readonly stateDir?: string
  /** Aborting cancels, as long as the guest has not been handed over. */
  readonly signal?: AbortSignal
  readonly prove?: SourceOptions['prove']
  readonly onStage?: (stage: StageReport) => void
  /** Hears what the preset `auto` decides. */
  readonly onDecision?: (decision: DecisionReport) => void
}

function isGuest(guest: Guest | MemoryGuest): guest is Guest {
  return 'regions' in guest
}

/**
 * Checks what can be checked of a destination before anything is begun.
 *
 * @throws {GodwitError} `ADDRESS_INVALID`, `INSECURE_ADDRESS`, `USAGE`
 */
export function checkDestination(
  to: string,
  { security, insecure = false }: Pick<SendOptions, 'security' | 'insecure'> = {},
): void {
  requireSecureOrLoopback(parseAddress(to).host, insecure || security !== undefined)
  if (security !== undefined) checkSecurity(security)
  createDialler(to, diallerOptions(security))
}

function diallerOptions(security: SecurityOptions | undefined): { readonly tls?: TlsCredentials } {
  return security !== undefined && 'tls' in security ? { tls: security.tls } : {}
}

/** How a destination is reached, and what sees it. */
export function networkOf(
  { to, security }: Pick<SendOptions, 'to' | 'security'>,
  capture?: AgentCapture,
): Pick<SourceOptions, 'dialler' | 'controlDialler' | 'security' | 'tap'> {
  const tap = capture === undefined ? {} : { tap: capture.tap }
  const dialler = createDialler(to)
  if (security === undefined) return { dialler, ...tap }
  const controlDialler = createDialler(to, diallerOptions(security))
  return { dialler, controlDialler, security: securityOf(security), ...tap }
}

/** One attempt to move one guest, with its progress. Use once, and do run it: it tracks already. */
export interface Migration {
  /** By which both sides know it: 16 bytes in hex. */
  readonly sessionId: string
  /** See `SourceMigration.run`. */
  run(signal?: AbortSignal): Promise<Report>
  /** @throws {GodwitError} `TOO_LATE` */
  cancel(): void
  /**
   * Changes the cap on bandwidth, bytes per second; takes effect at once and until the end, in the
   * place of what a policy grants. Caps of a pause and of post-copy stay. `Infinity` for none.
   *
   * @throws {GodwitError} `USAGE`: not above 0
   */
  limitBandwidth(bytesPerSecond: number): void
  /**
   * Goes on with post-copy when the round that is going on has ended; in mode `hybrid`.
   *
   * @throws {GodwitError} `USAGE` in another mode
   */
  switchToPostCopy(): void
  /** Tries at once to reach a destination that was lost after the hand-over. */
  recover(): void
  /**
   * The guest goes on here from the last complete checkpoint, or as it was handed over. Only where
   * somebody vouches that the destination, lost after the hand-over, is dead.
   *
   * @throws {GodwitError} `TOO_LATE`: the destination is not lost, or it answers
   */
  takeOver(): { readonly checkpoint: number; readonly ageMs: number }
  /** Reaches no more for a destination that was lost: what becomes of the guest stays unknown. */
  giveUp(): void
  /** Whether the destination was lost after the hand-over, while it is needed. */
  readonly isSuspended: boolean
  readonly canCancel: boolean
  readonly state: string
  readonly progress: SourceProgress
  /** What `auto` could not take to find stores, and why; or why that went wrong meanwhile. */
  readonly trackerReason: string | undefined
}

/**
 * Prepares a migration without starting it: for progress and cancel. `run()` moves the guest.
 *
 * @throws {GodwitError} `ADDRESS_INVALID`, `INSECURE_ADDRESS`, `USAGE`, `FILE_UNWRITABLE`,
 *   `FILE_UNREADABLE`: the static map is none
 */
export async function createMigration(
  guest: Guest | MemoryGuest,
  options: SendOptions,
): Promise<Migration> {
  checkDestination(options.to, options)
  const moved = isGuest(guest) ? guest : memoryGuest(guest)
  const pageBytes = checkPageBytes(options.pageBytes ?? PAGE_BYTES_DEFAULT)
  const rules = rulesOf(options)
  const linkUse = rules.bandwidth?.measuresLink ? await watchLink(options.to) : undefined
  // Nothing is tracked where everything is sent in the pause.
  const isBlind = rules.mode === 'stop-copy' && moved.nextRound === undefined
  const choice = isBlind ? 'scan' : (options.tracker ?? 'auto')
  const timeout = options.timeout === undefined ? undefined : parseTimeout(options.timeout)
  const primitives = await nodePrimitives()
  const lanes = lanesOf(options.lanes ?? 1, options.capture === undefined)
  const past = new OfferedPast(options.static ?? {})
  const chosen = await chooseTrackers(moved, choice, pageBytes)
  const decided = rulesFor(rules, moved, chosen.trackers)
  checkMarked(choice, decided.select)
  const urgent = await urgentOf(rules.mode, lanes)
  const capture = beginOrClose(options, chosen)
  const session = randomBytes(SESSION_ID_BYTES)
  const settings: SourceOptions = {
    ...definedOptions(options),
    ...past.options,
    ...networkOf(options, capture),
    guest: moved,
    clock: systemClock,
    primitives,
    randomBytes,
    session,
    software: SOFTWARE,
    ...decided,
    ...(linkUse === undefined ? {} : { linkUse }),
    verify: options.verify ?? 'fingerprints',
    ...foundBy(chosen),
    pageBytes,
    ...lanes,
    ...urgent,
    usage: createUsageMeter(),
  }
  const close = (): void => endAll(chosen, capture)
  const migration = createOrClose(settings, close)
  const run = async (signal = options.signal): Promise<Report> => {
    const report = await runWithin(migration, timeout, systemClock, signal).finally(close)
    await past.end(report, moved, pageBytes)
    return report
  }
  return handleOf(migration, toHex(session), run, chosen)
}

/** What its owner gets. */
function handleOf(
  migration: SourceMigration,
  sessionId: string,
  run: Migration['run'],
  chosen: ChosenTrackers,
): Migration {
  return {
    sessionId,
    run,
    cancel: () => migration.cancel(),
    limitBandwidth: (bytesPerSecond) => migration.limitBandwidth(bytesPerSecond),
    switchToPostCopy: () => migration.switchToPostCopy(),
    recover: () => migration.recover(),
    takeOver: () => migration.takeOver(),
    giveUp: () => migration.giveUp(),
    get isSuspended() {
      return migration.isSuspended
    },
    get canCancel() {
      return migration.canCancel
    },
    get state() {
      return migration.state
    },
    get progress() {
      return migration.progress
    },
    get trackerReason() {
      return chosen.reason ?? lossOf(chosen)
    },
  }
}

/** @throws {GodwitError} `USAGE`: rounds that leave pages out compare all of them */
function checkMarked(choice: TrackerChoice, select: SourceOptions['select']): void {
  if (choice !== 'soft-dirty' || (select?.text ?? SELECT_DEFAULT) === SELECT_DEFAULT) return
  const text = `tracker soft-dirty: every round has all dirty pages then, not those of select`
  throw new GodwitError('USAGE', `${text} ${select!.text}; use scan`)
}

/** How the source finds stores. */
function foundBy({ trackers, marks }: ChosenTrackers): Pick<SourceOptions, 'trackers' | 'marks'> {
  return marks === undefined ? { trackers } : { trackers, marks }
}

/** Marks of stores that do not count any more. */
function lossOf({ marks }: ChosenTrackers): string | undefined {
  if (marks?.lost === undefined) return undefined
  return `${marks.name} bits are not used: ${marks.lost}`
}

function endAll(chosen: ChosenTrackers, capture: AgentCapture | undefined): void {
  chosen.close()
  capture?.end()
}

/** A migration that cannot be made leaves no tracker behind. */
function createOrClose(settings: SourceOptions, close: () => void): SourceMigration {
  try {
    return new SourceMigration(settings)
  } catch (thrown) {
    close()
    throw thrown
  }
}

/** @throws {GodwitError} `FILE_UNWRITABLE` */
function beginOrClose(options: SendOptions, chosen: ChosenTrackers): AgentCapture | undefined {
  try {
    return beginCapture(options, 'source')
  } catch (thrown) {
    chosen.close()
    throw thrown
  }
}

/** What the wire allows. */
export const LANES_MAX: number = DATA_CHANNELS_MAX

/** @throws {GodwitError} `USAGE` */
function lanesOf(lanes: number, hasThreads: boolean): Pick<SourceOptions, 'lanes' | 'startLane'> {
  if (lanes > LANES_MAX) {
    throw new GodwitError('USAGE', `There are at most ${LANES_MAX} lanes, not ${lanes}`)
  }
  if (lanes === 0) return {}
  if (!hasThreads) return { lanes }
  return {
    lanes,
    startLane: () => startThread(entryUrl('./source-lane.ts', import.meta.url), 'lane'),
  }
}

/** Threads for urgent channels, where lanes have some and connections can be given to them. */
async function urgentOf(
  mode: SourceOptions['mode'],
  { startLane }: Pick<SourceOptions, 'startLane'>,
): Promise<Pick<SourceOptions, 'urgentThreads'>> {
  if (!mayPostCopy(mode) || startLane === undefined) return {}
  try {
    const calls = await loadSystemCalls()
    const descriptorCalls = await loadDescriptorCalls()
    return {
      urgentThreads: {
        start: () => {
          const entry = entryUrl('./source-urgent.ts', import.meta.url)
          return startUrgentThread(entry, descriptorCalls)
        },
        duplicate: (descriptor) => calls.duplicate(descriptor),
        close: closeSync,
      },
    }
  } catch {
    return {}
  }
}

/** Options that the source takes as they are, where they are given. */
function definedOptions(options: SendOptions): Partial<SourceOptions> {
  const { maxBandwidth, pauseBandwidth, postCopyBandwidth } = options
  const { fetch, recoverMs, prove, onStage, onDecision, onSuspended, guestName } = options
  const checkpointMs = options.reverse === undefined ? undefined : parseReverse(options.reverse)
  const owners = options.stateDir === undefined ? undefined : new OwnerDirectory(options.stateDir)
  const limits = { maxBandwidth, pauseBandwidth, postCopyBandwidth, recoverMs, checkpointMs }
  const others = { fetch, prove, onStage, onDecision, onSuspended, owners, guestName }
  const entries = Object.entries({ ...limits, ...others })
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
}

/**
 * Moves a guest and resolves with the report, whatever the outcome. `report.outcome` is `completed`
 * when the guest runs at the destination; after `failed` and `cancelled` it goes on here, except
 * with error codes `OWNERSHIP_IN_DOUBT` and `POST_COPY_LOST`, where it stays stopped. `TAKEN_OVER`
 * tells that it goes on here from an older state.
 *
 * @throws {GodwitError} `ADDRESS_INVALID`, `INSECURE_ADDRESS`, `USAGE`, `FILE_UNWRITABLE`: nothing
 *   was begun
 */
export async function send(guest: Guest | MemoryGuest, options: SendOptions): Promise<Report> {
  const report = await (await createMigration(guest, options)).run(options.signal)
  const again = withoutPostCopy(report, options)
  return again === undefined ? report : (await createMigration(guest, again)).run(again.signal)
}

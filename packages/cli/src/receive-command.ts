/**
 * `godwit receive`: listen for guests and run them.
 *
 * @module
 */
import type { GodwitError, Report } from '@godwit/core'
import { formatBytes, parseDurationMs, systemClock, toGodwitError } from '@godwit/core'
import type { IncomingMigration, WaitingGuest } from '@godwit/destination'
import { WorkloadHost } from '@godwit/guest'
import type { Command } from 'commander'
import type { ReceiveOptions, Receiver } from 'godwit'
import { choosePager, receive } from 'godwit'
import type { AgentRegistration } from './agent-registration.ts'
import { beginRegistration } from './agent-registration.ts'
import { Arrivals } from './arrivals.ts'
import { captureHelp, tellCaptureFailed } from './capture-option.ts'
import type { CatalogSettings } from './catalog-option.ts'
import { addCatalogOptions, checkCatalogOptions } from './catalog-option.ts'
import { serveControl, withoutNames } from './control-socket.ts'
import type { ExitCode } from './exit-code.ts'
import { ExitCode as Exit, exitCodeOf } from './exit-code.ts'
import { checkPlace, writeImageKeys } from './images-file.ts'
import { hostHelp } from './guest-help.ts'
import { hostGuests, outlivesUs } from './guests.ts'
import type { Interrupts } from './interrupt.ts'
import { listenToInterrupts } from './interrupt.ts'
import { DropLog } from './drop-log.ts'
import { machineReader } from './machine-facts.ts'
import { checkWritable, formatError, note, print, saveReport } from './output.ts'
import type { Progress } from './progress.ts'
import { noProgress, startProgress } from './progress.ts'
import type { ReceivingSettings } from './receiving-option.ts'
import { addReceivingOptions, receivingOptionsOf } from './receiving-option.ts'
import { refuseLeft } from './recover-owned.ts'
import type { SecuritySettings } from './security-options.ts'
import { addSecurityOptions, readSecurity } from './security-options.ts'
import type { SiblingSettings } from './sibling-option.ts'
import { addImagesOutOption, addSiblingOptions, checkSiblings } from './sibling-option.ts'
import type { WholeGuest } from './siblings.ts'
import { findersOf } from './siblings.ts'
import { formatSummary } from './summary.ts'

export interface ReceiveSettings
  extends ReceivingSettings,
    SecuritySettings,
    CatalogSettings,
    SiblingSettings {
  readonly imagesOut?: string
  readonly once?: boolean
  readonly runFor?: number
  readonly stateDir?: string
  readonly json?: string
  readonly capture?: string
  readonly control?: string
  readonly insecure?: boolean
  readonly quiet?: boolean
}

const runForOnceMs = 1000
const keptBySend = 'where `send` on this machine keeps images of guests'
const example = 'godwit receive --listen 127.0.0.1:7000 --once'

/** Adds the command; `finish` gets the exit code. */
export function addReceiveCommand(program: Command, finish: (code: ExitCode) => void): void {
  const command = program
    .command('receive')
    .description('Listen for guests, take them in and run them')
  addReceivingOptions(command)
  addSiblingOptions(addCatalogOptions(addSecurityOptions(command)), keptBySend)
  addImagesOutOption(command)
    .option('--once', 'exit after one guest: run it for --run-for, stop it, tell the source')
    .option(
      '--run-for <T>',
      'stop a guest after this time (default 1s with --once)',
      parseDurationMs,
    )
    .option('--state-dir <DIR>', 'where to write whose a guest is; answers for dead agents, too')
    .option('--json <FILE>', 'write the report of each session; - is stdout')
    .option('--capture <FILE>', captureHelp)
    .option('--control <SOCKET>', 'serve `godwit status` and `godwit cancel` at this path')
    .option('--insecure', 'listen off loopback with neither key nor certificates')
    .option('--quiet', 'print nothing but errors and the address')
    .addHelpText('after', `\n${hostHelp()}\n\nExample:\n  ${example}`)
    .action(async (settings: ReceiveSettings) => {
      finish(await run(settings))
    })
}

/** @throws {GodwitError} `USAGE`, `FILE_UNWRITABLE` */
function check(settings: ReceiveSettings): void {
  checkWritable(settings.json)
  checkCatalogOptions(settings)
  checkSiblings(settings)
  if (settings.imagesOut !== undefined) checkPlace(settings.imagesOut)
}

async function run(settings: ReceiveSettings): Promise<ExitCode> {
  check(settings)
  const security = readSecurity(settings)
  if (settings.stateDir !== undefined) await refuseLeft(settings.stateDir)
  const guests: IncomingMigration[] = []
  const ended = Promise.withResolvers<Report>()
  let progress: Progress = noProgress
  let registration: AgentRegistration | undefined
  const arrivals = new Arrivals(() => registration)
  const { memoryLimit } = settings
  const drops = new DropLog(systemClock, note)
  const createPager = await choosePager(settings.pager)
  const room = memoryLimit === undefined ? {} : { memoryBytesMax: memoryLimit }
  const host = new WorkloadHost({ ...room, createPager })
  const quietly = settings.quiet === true ? () => {} : note
  const guestHost = hostGuests(host, quietly, settings.guest)
  const hears = { found: quietly, lacking: note }
  const finders = await findersOf(settings, () => wholeGuests(guests, arrivals), hears)
  const interrupts = listenToInterrupts()
  const receiver = await receive(
    guestHost,
    { ...optionsOf(settings), ...listenersOf(arrivals, drops), static: finders.finder, security },
    {
      began(migration) {
        arrivals.began(migration)
        if (settings.quiet === true) return
        progress.stop()
        progress = startProgress(() => migration.progress)
      },
      ended(migration, report) {
        progress.stop()
        arrivals.ended(migration, report)
        if (!migration.ownsGuest) return drops.tell(() => tell(settings, report))
        tell(settings, report)
        saveImageKeys(settings, migration)
        if (report.outcome === 'failed') {
          ended.resolve(report)
          giveUp(migration, settings, guests.length + receiver.agent.sessions.length)
          return
        }
        guests.push(migration)
        ended.resolve(report)
        if (settings.once !== true) void giveBack(migration, guests)
      },
    },
  )
  const control = await startControl(settings, receiver, guests).catch(async (thrown: unknown) => {
    await receiver.close()
    throw thrown
  })
  const machine = machineReader(receiver.address, () => host.freeBytes, memoryLimit)
  registration = beginRegistration(settings, machine)
  void finders.prepare()
  print(`listening ${receiver.address}`)
  try {
    return settings.once === true
      ? await serveOnce(receiver, interrupts, ended.promise, guests)
      : await serve(receiver, interrupts, guests)
  } finally {
    progress.stop()
    drops.close()
    control?.close()
    interrupts.stop()
    if (settings.once !== true && settings.runFor === undefined) guestHost.leaveRunning()
    for (const guest of guests) await guest.release()
    await registration?.end()
    await finders.close()
  }
}

/** Where others may find what they have in common with them. */
function wholeGuests(
  guests: readonly IncomingMigration[],
  arrivals: Arrivals,
): readonly WholeGuest[] {
  return guests.map((migration) => {
    const { sessionId, guest } = migration
    const entry = arrivals.entryOf(migration)
    const regions = guest?.regions.map(({ bytes }) => bytes) ?? []
    const memory = regions.length === 0 ? [] : [{ name: entry?.name ?? sessionId, regions }]
    return { names: [entry?.name, sessionId], id: entry?.id, memory }
  })
}

function listenersOf(
  arrivals: Arrivals,
  drops: DropLog,
): Pick<ReceiveOptions, 'onDropped' | 'onStage' | 'onSuspended' | 'onCaptureFailed'> {
  return {
    onDropped(remote, error) {
      if (error !== undefined) drops.dropped(remote, error)
    },
    onStage: () => arrivals.look(),
    onSuspended: tellSuspended,
    onCaptureFailed: tellCaptureFailed,
  }
}

function optionsOf(settings: ReceiveSettings): Omit<ReceiveOptions, 'static'> {
  const { runFor, once } = settings
  const runForMs = runFor ?? (once === true ? runForOnceMs : undefined)
  return {
    ...settings,
    ...receivingOptionsOf(settings),
    ...(runForMs === undefined ? {} : { runForMs }),
  }
}

/**
 * A guest that could not be started, or waits for pages that never come: its memory is of use to
 * the next one.
 *
 * @param others - guests that are here, or on their way
 */
function giveUp(migration: IncomingMigration, { pager }: ReceiveSettings, others: number): void {
  if (pager === 'uffd' && others > 0) {
    note('its threads end only with this process, where others run: its memory stays taken')
  } else void migration.release()
}

/** A guest whose time is over leaves its memory to the next one. */
async function giveBack(migration: IncomingMigration, guests: IncomingMigration[]): Promise<void> {
  if (migration.guestStopped === undefined) return
  try {
    await migration.guestStopped
  } catch (thrown) {
    note(formatError(toGodwitError(thrown)))
  }
  guests.splice(guests.indexOf(migration), 1)
  await migration.release()
}

function tellSuspended(error: GodwitError, waiting: WaitingGuest): void {
  note(formatError(error))
  if (waiting === 'held') {
    note('the source was lost and may have let the guest go: it is held, and does not run, until')
    note('the source comes back and says so, for 10 minutes at most')
  } else {
    note('post-copy is interrupted; the guest runs as far as it gets, and its source is waited for')
  }
}

function tell(settings: ReceiveSettings, report: Report): void {
  saveReport(settings.json, report)
  if (settings.quiet !== true && settings.json !== '-') {
    print(formatSummary(report))
  }
  if (report.error !== undefined) {
    note(formatError({ code: report.error.code, message: report.error.text }))
  }
}

/** Failing at that does not undo a migration. */
function saveImageKeys({ imagesOut }: ReceiveSettings, { images }: IncomingMigration): void {
  if (imagesOut === undefined) return
  try {
    writeImageKeys(imagesOut, images)
  } catch (thrown) {
    note(formatError(toGodwitError(thrown)))
  }
}

/** One guest, then exit; attempts that fail before the hand-over do not count. */
async function serveOnce(
  receiver: Receiver,
  interrupts: Interrupts,
  ended: Promise<Report>,
  guests: readonly IncomingMigration[],
): Promise<ExitCode> {
  const isOver = interrupts.first.then(() => handedOver(receiver, interrupts))
  const report = await Promise.race([ended, isOver.then(() => undefined)])
  await closeOrAbandon(receiver, interrupts)
  // It may have been given up only now.
  const last = report ?? (await Promise.race([ended, Promise.resolve(undefined)]))
  if (last !== undefined && exitCodeOf(last) === Exit.Stranded) return Exit.Stranded
  if (report === undefined) return Exit.Cancelled
  // A source that was lost after the hand-over does not shorten the guest's time.
  const stopped = guests[0]?.guestStopped?.catch(() => undefined)
  await Promise.race([stopped, interrupts.first])
  return report.error === undefined ? Exit.Done : Exit.Unverified
}

/**
 * After Ctrl-C: gives up what has not been handed over, and goes on listening until the rest is, so
 * that a source that is lost may come back. A second Ctrl-C does not wait for it.
 */
async function handedOver({ agent }: Receiver, interrupts: Interrupts): Promise<void> {
  agent.cancel()
  const owned = agent.sessions.filter((session) => session.ownsGuest)
  if (owned.some((session) => session.isSuspended)) {
    note('a guest here still waits for its source; a second Ctrl-C gives it up')
  }
  await Promise.race([Promise.all(owned.map(({ done }) => done)), interrupts.second])
}

/** Sessions after their hand-over take their time; a second Ctrl-C does not wait for them. */
async function closeOrAbandon(receiver: Receiver, interrupts: Interrupts): Promise<void> {
  const abandoned = interrupts.second.then(() => receiver.agent.abandon())
  await Promise.race([receiver.close(), abandoned])
}

/** Until Ctrl-C; guests that are here need a second one. */
async function serve(
  receiver: Receiver,
  interrupts: Interrupts,
  guests: readonly IncomingMigration[],
): Promise<ExitCode> {
  await interrupts.first
  await handedOver(receiver, interrupts)
  await closeOrAbandon(receiver, interrupts)
  const needing = guests.filter(({ guest }) => !outlivesUs(guest))
  if (needing.length < guests.length) note('VMs go on here, without this process')
  if (needing.length > 0) {
    note(`not listening any more; ${needing.length} guest(s) go on here, Ctrl-C ends them`)
    await interrupts.second
  }
  return Exit.Done
}

async function startControl(
  settings: ReceiveSettings,
  receiver: Receiver,
  guests: readonly IncomingMigration[],
): Promise<{ close(): void } | undefined> {
  if (settings.control === undefined) return undefined
  const commands = {
    status: () => ({
      role: 'destination',
      listening: receiver.address,
      sessions: receiver.agent.sessions.map((session) => ({
        session: session.sessionId,
        state: session.state,
        ...session.progress,
      })),
      guests: guests.map((one) => ({
        kind: one.report.guestKind,
        memory: formatBytes(one.report.memoryBytes),
        steps: one.guest?.steps?.() ?? 0,
      })),
    }),
    cancel: () => {
      const sessions = receiver.agent.cancel()
      return { cancelled: sessions }
    },
  }
  return serveControl(settings.control, withoutNames(commands))
}

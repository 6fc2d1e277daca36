/**
 * `godwit send`: start a guest, let it run, move it.
 *
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Report } from '@godwit/core'
import { GodwitError, formatCount, formatDurationMs } from '@godwit/core'
import type { Command } from 'commander'
import type {
  Migration,
  Policy,
  SecurityOptions,
  SendOptions,
  SendStatic,
  SourceLoss,
  Traffic,
} from 'godwit'
import { CaptureFile, checkDestination, checkRules, createMigration } from 'godwit'
import type { RegisteredGuest } from './agent-registration.ts'
import { beginRegistration } from './agent-registration.ts'
import { RETRY_DELAY_MS, attempt } from './attempts.ts'
import { captureHelp, tellCaptureFailed } from './capture-option.ts'
import type { CatalogSettings } from './catalog-option.ts'
import { addCatalogOptions, checkCatalogOptions } from './catalog-option.ts'
import { CompetingMeter } from './competing-meter.ts'
import type { CompetingSettings } from './competing-option.ts'
import { addCompetingOption, readCompeting, startCompeting } from './competing-option.ts'
import type { ControlCommands, ControlServer } from './control-socket.ts'
import { serveControl, withoutNames } from './control-socket.ts'
import type { ExitCode } from './exit-code.ts'
import { ExitCode as Exit, exitCodeOf } from './exit-code.ts'
import { guestHelp } from './guest-help.ts'
import type { StartedGuest } from './guests.ts'
import { beginningOf, isOthers, memoryOf, parseGuest, startGuest, warmupOf } from './guests.ts'
import type { Interrupts } from './interrupt.ts'
import { listenToInterrupts } from './interrupt.ts'
import { goingOn, recover, setOptions } from './migration-control.ts'
import { checkWritable, formatError, note, print, saveReport } from './output.ts'
import type { PolicySettings } from './policy-file.ts'
import { loadPolicy } from './policy-file.ts'
import type { Progress } from './progress.ts'
import { noProgress, startProgress } from './progress.ts'
import { proofOf } from './proof.ts'
import type { SecuritySettings } from './security-options.ts'
import { addSecurityOptions, readSecurity } from './security-options.ts'
import type { MigrationSettings } from './settings.ts'
import { addMigrationOptions, parseCount } from './settings.ts'
import { recoverLeft, tellLeft } from './recover-owned.ts'
import { beginLoading } from './static-load.ts'
import type { StaticSettings } from './static-option.ts'
import { addStaticOptions, checkStatic } from './static-option.ts'
import { formatSummary } from './summary.ts'

export interface SendSettings
  extends MigrationSettings,
    SecuritySettings,
    CatalogSettings,
    CompetingSettings,
    StaticSettings {
  readonly to: string
  readonly policy?: Policy
  readonly json?: string
  readonly capture?: string
  readonly control?: string
  readonly quiet?: boolean
  readonly insecure?: boolean
  readonly keep?: boolean
  readonly stateDir?: string
  readonly retry: number
}

/** Adds the command; `finish` gets the exit code. */
export function addSendCommand(program: Command, finish: (code: ExitCode) => void): void {
  const command = program
    .command('send')
    .description('Start a guest here and move it, running, to a destination')
    .argument('[guest]', 'NAME[,key=value...]; see below')
    .option('--to <ADDRESS>', 'destination: HOST:PORT or ws://HOST:PORT')
  addCompetingOption(addMigrationOptions(command), false)
  addStaticOptions(addCatalogOptions(addSecurityOptions(command)))
    .option(
      '--retry <N>',
      'try again so often after a failure before the hand-over',
      parseCount(0),
      0,
    )
    .option('--keep', 'keep a guest that stayed (or whose copy differs) until Ctrl-C')
    .option('--json <FILE>', 'write the report; - is stdout')
    .option('--capture <FILE>', captureHelp)
    .option(
      '--control <SOCKET>',
      'serve `godwit status`, `set`, `switch`, `recover`, `cancel` at this path',
    )
    .option('--state-dir <DIR>', 'where to write whose the guest is, for when this process dies')
    .option('--recover', 'send nothing: ask what became of guests whose process died (--state-dir)')
    .option('--insecure', 'send off loopback with neither key nor certificates: in the clear')
    .option('--quiet', 'print nothing but errors')
    .addHelpText('after', `\n${guestHelp()}\n\nExample:\n  ${example}`)
    .action(async (guest: string | undefined, settings: AskedSettings) => {
      finish(await sendOrRecover(guest, settings))
    })
}

/** As they were given. */
type AskedSettings = Omit<SendSettings, 'to' | 'policy'> &
  PolicySettings & { readonly to?: string; readonly recover?: boolean }

async function sendOrRecover(guest: string | undefined, asked: AskedSettings): Promise<ExitCode> {
  const { to, stateDir, recover: isRecovery, insecure } = asked
  if (isRecovery !== true) {
    if (guest === undefined) throw new GodwitError('USAGE', 'Which guest? See godwit send --help')
    if (to === undefined) throw new GodwitError('USAGE', 'Where to? --to HOST:PORT is missing')
    const { policy, ...settings } = asked
    const own = policy === undefined ? {} : { policy: await loadPolicy(policy) }
    return send(guest, { ...settings, ...own, to })
  }
  if (guest !== undefined) throw new GodwitError('USAGE', '--recover sends no guest')
  if (stateDir === undefined) throw new GodwitError('USAGE', '--recover takes --state-dir DIR')
  return recoverLeft({
    stateDir,
    security: readSecurity(asked),
    ...(to === undefined ? {} : { to }),
    ...(insecure === undefined ? {} : { insecure }),
  })
}

const example = 'godwit send writer,wss=100MiB,rate=5000 --to 127.0.0.1:7000 --memory 1GiB'

async function send(guestText: string, settings: SendSettings): Promise<ExitCode> {
  const parsed = parseGuest(guestText, settings.memory)
  const { identity, memoryBytes } = parsed
  const security = readSecurity(settings)
  checkDestination(settings.to, { ...settings, security })
  check(settings)
  if (settings.stateDir !== undefined) tellLeft(settings.stateDir)
  const readStatic = await beginLoading(settings)
  const interrupts = listenToInterrupts()
  const file = settings.capture
  const capture = file === undefined ? file : new CaptureFile(file, 'source', tellCaptureFailed)
  const parts = { settings, security, interrupts, capture, readStatic }
  const registration = beginRegistration(settings)
  const later = { guest: undefined, entry: undefined, migration: undefined, traffic: undefined }
  const run: SendRun = { ...parts, ...later }
  const control = await startControl(run)
  try {
    run.traffic = await startCompeting(readCompeting(settings))
    if (settings.quiet !== true) note(beginningOf(identity, memoryBytes))
    const tell = settings.quiet === true ? () => {} : note
    run.guest = await startGuest(parsed, settings, tell)
    const { pageBytes } = settings
    const shape = { kind: identity.kind, memoryBytes: memoryOf(run.guest), pageBytes }
    run.entry = registration?.guest(shape)
    const report = await move(run, run.guest)
    return await end(run, run.guest, report)
  } finally {
    control?.close()
    run.traffic?.stop()
    interrupts.stop()
    capture?.close()
    await run.guest?.stop()
    await registration?.end()
  }
}

/** @throws {GodwitError} `USAGE`, `FILE_UNWRITABLE` */
function check(settings: SendSettings): void {
  checkRules(settings)
  checkCatalogOptions(settings)
  checkStatic(settings)
  checkWritable(settings.json)
}

/** What the parts of one `send` share. */
interface SendRun {
  readonly settings: SendSettings
  readonly security: SecurityOptions | undefined
  readonly interrupts: Interrupts
  /** Of all attempts. */
  readonly capture: CaptureFile | undefined
  /** Waits for the static map, as long as it may take. */
  readonly readStatic: () => Promise<SendStatic>
  guest: StartedGuest | undefined
  /** Of the guest, in the catalog. */
  entry: RegisteredGuest | undefined
  migration: Migration | undefined
  /** Beside it. */
  traffic: Traffic | undefined
}

async function startControl(run: SendRun): Promise<ControlServer | undefined> {
  const { control } = run.settings
  if (control === undefined) return undefined
  const commands = {
    status: () => ({
      role: 'source',
      guest: run.guest?.identity.kind ?? 'starting',
      steps: run.guest?.steps?.() ?? 0,
      state: run.migration?.state ?? 'warming-up',
      ...run.migration?.progress,
    }),
    set: (options) => setOptions(run.migration, options),
    cancel: () => {
      goingOn(run.migration).cancel()
      return { cancelled: true }
    },
    recover: (options) => recover(run.migration, options),
    switch: () => {
      goingOn(run.migration).switchToPostCopy()
      return { switching: true }
    },
  } satisfies ControlCommands
  return serveControl(control, withoutNames(commands))
}

/** One file for all attempts, in the place of its name. */
function captureOf({ capture }: SendRun): { capture?: CaptureFile } {
  return capture === undefined ? {} : { capture }
}

/** Warm-up, then the migration, again where `--retry` says so. */
async function move(run: SendRun, guest: StartedGuest): Promise<Report> {
  const { settings, interrupts } = run
  const abort = new AbortController()
  const { signal } = abort
  void interrupts.first.then(() => abort.abort())
  const warmupMs = warmupOf(guest, settings.warmup)
  const warm = sleep(warmupMs, undefined, { signal }).catch(() => undefined)
  const dead = await Promise.race([warm, guest.failed])
  if (dead !== undefined) throw dead
  const interrupted = interrupts.first.then((): SendStatic => ({}))
  const known = await Promise.race([run.readStatic(), interrupted])
  return attempt(settings, {
    retry: settings.retry,
    signal,
    run: (asked) => moveOnce(run, guest, { ...asked, static: known, signal }),
    again(report, isPlain) {
      if (settings.quiet === true) return
      if (isPlain) return note('auto: the destination cannot do post-copy: without it')
      note(formatError({ code: report.error!.code, message: report.error!.text }))
      note(`the guest goes on here; trying again in ${formatDurationMs(RETRY_DELAY_MS)}`)
    },
  })
}

async function moveOnce(
  run: SendRun,
  guest: StartedGuest,
  asked: Omit<SendSettings, 'static'> & Required<Pick<SendOptions, 'signal' | 'static'>>,
): Promise<Report> {
  const { settings } = run
  let progress = noProgress
  const beside = run.traffic === undefined ? undefined : new CompetingMeter(run.traffic)
  run.migration = await createMigration(guest, {
    ...asked,
    ...captureOf(run),
    security: run.security,
    ...(settings.recoverFor === undefined ? {} : { recoverMs: settings.recoverFor }),
    onSuspended: createSuspendedListener(run),
    onStage: ({ name }) => {
      beside?.reached(name)
      if (name === 'activation') guest.handedOver?.()
    },
    onDecision: ({ round, text }) => progress.say(`auto, after round ${round}: ${text}`),
    ...proofOf(guest),
  })
  const { migration } = run
  run.entry?.leaves(migration.sessionId)
  const { trackerReason } = migration
  const tell = (reason: string | undefined): void => {
    if (reason !== undefined && settings.quiet !== true) note(reason)
  }
  tell(trackerReason)
  progress = showProgress(settings, () => migration.progress)
  const report = await migration.run(asked.signal).finally(() => progress.stop())
  if (trackerReason === undefined) tell(migration.trackerReason)
  const competing = beside?.read()
  if (competing !== undefined) report.competing = competing
  if (staysHere.has(exitCodeOf(report))) run.entry?.stays()
  return report
}

/** What is told when the destination is lost, by what that means; what can be done is the same. */
const losses: Readonly<Record<SourceLoss, readonly string[]>> = {
  'in-doubt': [
    'the connection was lost in the hand-over: whose the guest is only the destination can tell',
    'it is asked again and again; the guest is stopped here meanwhile, a second Ctrl-C gives it up',
  ],
  'post-copy': [
    'post-copy is interrupted; trying to reach the destination again',
    'the guest is there and needs both sides; a second Ctrl-C gives it up',
  ],
  'lost-with-host': [
    "the guest was the destination's, and died with its process there; its copy is stopped here",
    'a second Ctrl-C gives it up',
  ],
}

/**
 * Hears that the destination was lost while it is needed, and that it is tried to be reached again;
 * once more for every attempt that fails.
 */
function createSuspendedListener(run: SendRun): NonNullable<SendOptions['onSuspended']> {
  let last: string | undefined
  let lastLoss: SourceLoss | undefined
  return (error, loss) => {
    if (error.code !== last) note(formatError(error))
    if (loss !== lastLoss) {
      for (const text of losses[loss]) note(text)
      note('if the destination is dead for good: godwit recover --fenced lets the guest go on here')
    }
    if (last === undefined) void run.interrupts.second.then(() => run.migration?.giveUp())
    last = error.code
    lastLoss = loss
  }
}

function showProgress(settings: SendSettings, read: () => Migration['progress']): Progress {
  return settings.quiet === true ? noProgress : startProgress(read)
}

/** The guest goes on here. */
const staysHere: ReadonlySet<ExitCode> = new Set([Exit.Failed, Exit.Cancelled, Exit.TakenOver])

/** Report, summary, and what becomes of a guest that stayed. */
async function end(run: SendRun, guest: StartedGuest, report: Report): Promise<ExitCode> {
  const { settings, interrupts } = run
  const code = exitCodeOf(report)
  saveReport(settings.json, report)
  if (settings.quiet !== true && settings.json !== '-') {
    print(formatSummary(report))
  }
  if (report.error !== undefined) {
    note(formatError({ code: report.error.code, message: report.error.text }))
  }
  if (code === Exit.Unverified && settings.keep === true) {
    note('the stopped copy of the guest is kept here; Ctrl-C drops it')
    await interrupts.first
  }
  if (code === Exit.Done) await guest.moved?.()
  if (!staysHere.has(code)) return code
  if (isOthers(guest)) {
    note('the guest goes on here, without this process')
    return code
  }
  const step = guest.steps === undefined ? '' : ` (step ${formatCount(guest.steps())})`
  const interrupted = interrupts.signal === 'SIGINT'
  if (interrupted || settings.keep === true) {
    note(`the guest goes on here${step}; Ctrl-C ends it`)
    await (interrupted ? interrupts.second : interrupts.first)
  } else if (settings.quiet !== true) {
    note(`the guest went on here${step} and ends with this process; --keep lets it run on`)
  }
  return code
}

/**
 * `godwit send`: start a guest, let it run, move it.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import { GodwitError, formatBytes, formatCount, formatDurationMs, parseRate } from '@godwit/core'
import { WorkloadGuest, parseGuest } from '@godwit/guest'
import { checkFetch, checkReverse, parseMode } from '@godwit/policy'
import type { Command } from 'commander'
import type { Migration, SecurityOptions } from 'godwit'
import { checkDestination, createMigration } from 'godwit'
import type { ControlOptions, ControlServer } from './control-socket.ts'
import { serveControl } from './control-socket.ts'
import type { ExitCode } from './exit-code.ts'
import { ExitCode as Exit, exitCodeOf } from './exit-code.ts'
import { guestHelp } from './guest-help.ts'
import type { Interrupts } from './interrupt.ts'
import { listenToInterrupts } from './interrupt.ts'
import { checkWritable, formatError, note, saveReport } from './output.ts'
import type { Progress } from './progress.ts'
import { noProgress, startProgress } from './progress.ts'
import { proveGuest } from './proof.ts'
import type { SecuritySettings } from './security-options.ts'
import { addSecurityOptions, readSecurity } from './security-options.ts'
import type { MigrationSettings } from './settings.ts'
import { addMigrationOptions, parseCount } from './settings.ts'
import { formatSummary } from './summary.ts'

export interface SendSettings extends MigrationSettings, SecuritySettings {
  readonly to: string
  readonly json?: string
  readonly control?: string
  readonly quiet?: boolean
  readonly insecure?: boolean
  readonly keep?: boolean
  readonly retry: number
}

const retryDelayMs = 1000

/** Adds the command; `finish` gets the exit code. */
export function addSendCommand(program: Command, finish: (code: ExitCode) => void): void {
  const command = program
    .command('send')
    .description('Start a guest here and move it, running, to a destination')
    .argument('<guest>', 'NAME[,key=value...]; see below')
    .requiredOption('--to <ADDRESS>', 'destination: HOST:PORT or ws://HOST:PORT')
  addSecurityOptions(addMigrationOptions(command))
    .option(
      '--retry <N>',
      'try again so often after a failure before the hand-over',
      parseCount(0),
      0,
    )
    .option('--keep', 'keep a guest that stayed (or whose copy differs) until Ctrl-C')
    .option('--json <FILE>', 'write the report; - is stdout')
    .option(
      '--control <SOCKET>',
      'serve `godwit status`, `set`, `switch`, `recover`, `cancel` at this path',
    )
    .option('--insecure', 'send off loopback with neither key nor certificates: in the clear')
    .option('--quiet', 'print nothing but errors')
    .addHelpText('after', `\n${guestHelp()}\n\nExample:\n  ${example}`)
    .action(async (guest: string, settings: SendSettings) => {
      finish(await send(guest, settings))
    })
}

const example = 'godwit send writer,wss=100MiB,rate=5000 --to 127.0.0.1:7000 --memory 1GiB'

async function send(guestText: string, settings: SendSettings): Promise<ExitCode> {
  const { identity, memoryBytes } = parseGuest(guestText, settings.memory)
  const security = readSecurity(settings)
  checkDestination(settings.to, { ...settings, security })
  const { mode } = parseMode(settings.mode)
  checkFetch(mode, settings.fetch)
  checkReverse(mode, settings.reverse)
  checkWritable(settings.json)
  const interrupts = listenToInterrupts()
  const run: SendRun = { settings, security, interrupts, guest: undefined, migration: undefined }
  const control = await startControl(run)
  try {
    if (settings.quiet !== true) note(`starting ${identity.kind}, ${formatBytes(memoryBytes)}`)
    run.guest = await WorkloadGuest.start(identity, memoryBytes, settings)
    const report = await attempt(run, run.guest)
    return await end(run, run.guest, report)
  } finally {
    control?.close()
    interrupts.stop()
    await run.guest?.stop()
  }
}

/** What the parts of one `send` share. */
interface SendRun {
  readonly settings: SendSettings
  readonly security: SecurityOptions | undefined
  readonly interrupts: Interrupts
  guest: WorkloadGuest | undefined
  migration: Migration | undefined
}

async function startControl(run: SendRun): Promise<ControlServer | undefined> {
  const { control } = run.settings
  if (control === undefined) return undefined
  return serveControl(control, {
    status: () => ({
      role: 'source',
      guest: run.guest?.identity.kind ?? 'starting',
      steps: run.guest?.steps() ?? 0,
      state: run.migration?.state ?? 'warming-up',
      ...run.migration?.progress,
    }),
    set: (options) => setOptions(run.migration, options),
    cancel: () => {
      if (run.migration === undefined) throw new GodwitError('TOO_LATE', 'No migration is going on')
      run.migration.cancel()
      return { cancelled: true }
    },
    recover: (options) => recover(run.migration, options),
    switch: () => {
      if (run.migration === undefined) throw new GodwitError('TOO_LATE', 'No migration is going on')
      run.migration.switchToPostCopy()
      return { switching: true }
    },
  })
}

/** Reaches for the destination again or, where the operator vouches for its end, goes on here. */
function recover(migration: Migration | undefined, { fenced }: ControlOptions): object {
  if (migration?.isSuspended !== true) {
    throw new GodwitError('TOO_LATE', 'No post-copy is interrupted here')
  }
  if (fenced !== 'true') {
    migration.recover()
    return { recovering: true }
  }
  return { takenOver: true, ...migration.takeOver() }
}

/** What may be changed while the migration goes on. */
function setOptions(migration: Migration | undefined, options: ControlOptions): object {
  if (migration === undefined) throw new GodwitError('TOO_LATE', 'No migration is going on')
  for (const [name, value] of Object.entries(options)) {
    if (name !== 'max-bandwidth') {
      throw new GodwitError('USAGE', `"${name}" cannot be set; there is max-bandwidth`)
    }
    migration.limitBandwidth(value === 'none' ? Infinity : parseRate(value))
  }
  return options
}

/** Warm-up, then the migration, again where `--retry` says so. */
async function attempt(run: SendRun, guest: WorkloadGuest): Promise<Report> {
  const { settings, interrupts } = run
  const abort = new AbortController()
  void interrupts.first.then(() => abort.abort())
  const dead = await Promise.race([delay(settings.warmup, abort.signal), guest.failed])
  if (dead !== undefined) throw dead
  for (let left = settings.retry; ; left--) {
    run.migration = await createMigration(guest, {
      ...settings,
      security: run.security,
      ...(settings.recoverFor === undefined ? {} : { recoverMs: settings.recoverFor }),
      onSuspended: createSuspendedListener(run),
      signal: abort.signal,
      prove: (final, digestOf) => proveGuest(guest, final, digestOf),
    })
    const { migration } = run
    if (migration.trackerReason !== undefined && settings.quiet !== true) {
      note(`the pagemap tracker is not used: ${migration.trackerReason}`)
    }
    const progress = showProgress(settings, () => migration.progress)
    const report = await migration.run(abort.signal).finally(() => progress.stop())
    const again = report.outcome === 'failed' && exitCodeOf(report) === Exit.Failed
    if (!again || left <= 0 || abort.signal.aborted) return report
    if (settings.quiet !== true) {
      note(formatError({ code: report.error!.code, message: report.error!.text }))
      note(`the guest goes on here; trying again in ${formatDurationMs(retryDelayMs)}`)
    }
    await delay(retryDelayMs, abort.signal)
  }
}

/**
 * Hears that the guest is at the destination and lacks pages, and that this is tried to be reached
 * again; once more for every attempt that fails.
 */
function createSuspendedListener(run: SendRun): (error: GodwitError) => void {
  let last: string | undefined
  return (error) => {
    if (error.code !== last) note(formatError(error))
    if (last === undefined) {
      note('post-copy is interrupted; trying to reach the destination again')
      note('the guest is there and needs both sides; a second Ctrl-C gives it up')
      note('if the destination is dead for good: godwit recover --fenced lets the guest go on here')
      void run.interrupts.second.then(() => run.migration?.giveUp())
    }
    last = error.code
  }
}

function showProgress(settings: SendSettings, read: () => Migration['progress']): Progress {
  return settings.quiet === true ? noProgress : startProgress(read)
}

function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

/** The guest goes on here. */
const staysHere: ReadonlySet<ExitCode> = new Set([Exit.Failed, Exit.Cancelled, Exit.TakenOver])

/** Report, summary, and what becomes of a guest that stayed. */
async function end(run: SendRun, guest: WorkloadGuest, report: Report): Promise<ExitCode> {
  const { settings, interrupts } = run
  const code = exitCodeOf(report)
  saveReport(settings.json, report)
  if (settings.quiet !== true && settings.json !== '-') {
    process.stdout.write(`${formatSummary(report)}\n`)
  }
  if (report.error !== undefined) {
    note(formatError({ code: report.error.code, message: report.error.text }))
  }
  if (code === Exit.Unverified && settings.keep === true) {
    note('the stopped copy of the guest is kept here; Ctrl-C drops it')
    await interrupts.first
  }
  if (!staysHere.has(code)) return code
  const steps = formatCount(guest.steps())
  const interrupted = interrupts.signal === 'SIGINT'
  if (interrupted || settings.keep === true) {
    note(`the guest goes on here (step ${steps}); Ctrl-C ends it`)
    await (interrupted ? interrupts.second : interrupts.first)
  } else if (settings.quiet !== true) {
    note(`the guest went on here (step ${steps}) and ends with this process; --keep lets it run on`)
  }
  return code
}

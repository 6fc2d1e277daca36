/**
 * `godwit agent`: a long-running agent of several guests, in both roles.
 *
 * @module
 */
import { join, resolve } from 'node:path'
import { GodwitError, formatDurationMs, parseDurationMs } from '@godwit/core'
import { WorkloadHost } from '@godwit/guest'
import { formatPlace, type IncomingQemu } from '@godwit/qemu'
import type { Command } from 'commander'
import { Option } from 'commander'
import type { Receiver } from 'godwit'
import { OwnerDirectory, checkDestination, choosePager, lockDirectory, receive } from 'godwit'
import { Agent } from './agent/agent.ts'
import { Arrivals } from './agent/arrivals.ts'
import { agentCommands } from './agent/commands.ts'
import type { AgentContext } from './agent/context.ts'
import { Departures } from './agent/departures.ts'
import type { EndingSettings } from './agent/ending.ts'
import { drain, endAll, listenToEnd } from './agent/ending.ts'
import { GuestJournal } from './agent/guest-journal.ts'
import { GuestTable } from './agent/guest-table.ts'
import type { Hook } from './agent/hooks.ts'
import { HOOK_STAGES, HOOK_TIMEOUT_MS, Hooks, parseHook } from './agent/hooks.ts'
import type { LogLevel } from './agent/log.ts'
import { LOG_LEVELS, createLog } from './agent/log.ts'
import type { MetricsServer } from './agent/metrics-server.ts'
import { checkMetricsAddress, serveMetrics } from './agent/metrics-server.ts'
import type { LeavingProgress } from './agent/metrics.ts'
import { Metrics } from './agent/metrics.ts'
import type { ReadRegistered } from './agent/registered-guests.ts'
import { registerGuests } from './agent/registered-guests.ts'
import { holdAgain } from './agent/vms.ts'
import { wholeGuests } from './agent/whole-guests.ts'
import type { AgentRegistration } from './agent-registration.ts'
import { beginRegistration } from './agent-registration.ts'
import type { CatalogSettings } from './catalog-option.ts'
import { catalogOption, checkCatalogOptions, machineOption } from './catalog-option.ts'
import { serveControl } from './control-socket.ts'
import type { ExitCode } from './exit-code.ts'
import { ExitCode as Exit } from './exit-code.ts'
import { hostHelp } from './guest-help.ts'
import { hostGuests } from './guests.ts'
import { machineReader } from './machine-facts.ts'
import { print } from './output.ts'
import type { ReceivingSettings } from './receiving-option.ts'
import { addReceivingOptions, receivingOptionsOf } from './receiving-option.ts'
import { refuseLeft } from './recover-owned.ts'
import type { SecuritySettings } from './security-options.ts'
import { addSecurityOptions, readSecurity } from './security-options.ts'
import type { SiblingSettings } from './sibling-option.ts'
import { addSiblingOptions, checkSiblings } from './sibling-option.ts'
import type { Finders } from './siblings.ts'
import { findersOf } from './siblings.ts'

interface AgentSettings
  extends ReceivingSettings,
    SecuritySettings,
    EndingSettings,
    SiblingSettings,
    Pick<CatalogSettings, 'catalog' | 'machine'> {
  readonly stateDir: string
  readonly control?: string
  readonly hook: readonly Hook[]
  readonly hookTimeout: number
  readonly metrics?: string
  readonly insecureMetrics?: boolean
  readonly logLevel: LogLevel
  readonly insecure?: boolean
}

const example = 'godwit agent --listen 127.0.0.1:7000 --state-dir state'
const controlName = 'control'
const keptByAgent =
  'where images of guests are kept that leave, for when they come back (max 16GiB)'

/** Adds the command; `finish` gets the exit code. */
export function addAgentCommand(program: Command, finish: (code: ExitCode) => void): void {
  const command = program
    .command('agent')
    .description('Run guests, take guests in and send them on, as a daemon (docs/AGENT.md)')
  addSiblingOptions(addSecurityOptions(addReceivingOptions(command)), keptByAgent)
    .requiredOption('--state-dir <DIR>', 'where to write whose a guest is; of this agent alone')
    .option('--control <SOCKET>', 'serve clients at this path (default: `control` in --state-dir)')
    .addOption(
      catalogOption('tell a catalog of this machine and its guests, and take static maps from it'),
    )
    .addOption(machineOption())
    .addOption(
      new Option('--hook <STAGE=FILE>', `run this file at a stage: ${HOOK_STAGES.join(', ')}`)
        .argParser((text: string, hooks: readonly Hook[]) => [...hooks, parseHook(text)])
        .default([], 'none; as often as wanted'),
    )
    .addOption(
      new Option('--hook-timeout <T>', 'a hook that takes longer is killed, and has failed')
        .argParser(parseDurationMs)
        .default(HOOK_TIMEOUT_MS, formatDurationMs(HOOK_TIMEOUT_MS)),
    )
    .option('--metrics <ADDRESS>', 'serve metrics for Prometheus at HOST:PORT, /metrics')
    .option('--insecure-metrics', 'serve them off loopback, to everybody who gets there')
    .addOption(
      new Option('--log-level <LEVEL>', 'what to log, as JSON lines on stderr')
        .choices([...LOG_LEVELS])
        .default('info'),
    )
    .option('--evacuate-to <ADDRESS>', 'at SIGTERM, move all guests there, then end')
    .option('--stop-guests', 'at SIGTERM, end with the guests that are here')
    .option('--insecure', 'go off loopback with neither key nor certificates')
    .addHelpText('after', `\n${hostHelp()}\n\nExample:\n  ${example}`)
    .action(async (settings: AgentSettings) => {
      finish(await run(settings))
    })
}

/** @throws {GodwitError} `USAGE`, `ADDRESS_INVALID`, `INSECURE_ADDRESS` */
function check(settings: AgentSettings, parts: Pick<AgentContext, 'security' | 'insecure'>): void {
  const { evacuateTo, stopGuests, metrics, insecureMetrics } = settings
  checkCatalogOptions(settings)
  checkSiblings(settings)
  if (evacuateTo !== undefined) checkDestination(evacuateTo, parts)
  if (evacuateTo !== undefined && stopGuests === true) {
    throw new GodwitError('USAGE', 'Guests are moved by --evacuate-to or ended by --stop-guests')
  }
  if (metrics !== undefined) checkMetricsAddress(metrics, insecureMetrics === true)
  if (metrics === undefined && insecureMetrics === true) {
    throw new GodwitError('USAGE', '--insecure-metrics is for --metrics HOST:PORT')
  }
}

async function run(settings: AgentSettings): Promise<ExitCode> {
  const { insecure = false, logLevel } = settings
  const security = readSecurity(settings)
  check(settings, { security, insecure })
  const log = createLog(logLevel)
  const stateDir = resolve(settings.stateDir)
  // Makes it, and fails before anything else does.
  const owners = new OwnerDirectory(stateDir)
  lockDirectory(stateDir)
  let receiver: Receiver | undefined
  let server: MetricsServer | undefined
  let registration: AgentRegistration | undefined
  let registered: ReadRegistered | undefined
  let isEnding = false
  const built = await build(settings, {
    log,
    security,
    insecure,
    stateDir,
    catalog: settings.catalog,
    isEnding: () => isEnding,
    registered: (entry) => registered?.(entry),
    receiver: () => receiver,
  })
  const { agent, metrics, takeRoom, finders } = built
  const control = await serveControl(
    resolve(settings.control ?? join(stateDir, controlName)),
    agentCommands(agent),
  )
  const signals = listenToEnd()
  try {
    await restore(agent, owners)
    await holdAgain(agent.context, takeRoom)
    const { metrics: address } = settings
    server = address === undefined ? undefined : await serveMetrics(address, metrics.registry)
    receiver = await listen(settings, built)
    registration = register(settings, built, receiver)
    registered = registration && registerGuests(agent.context.table, registration)
    void finders.prepare()
    log.info({ address: receiver.address, metrics: server?.address, stateDir }, 'listening')
    if (server !== undefined) print(`metrics ${server.address}`)
    print(`listening ${receiver.address}`)
    const signal = await signals.first
    isEnding = true
    log.info({ signal }, 'the agent is to end')
    const ending = { agent, receiver, signals, settings }
    await drain(ending)
    await endAll(ending)
    log.info('ended')
    return Exit.Done
  } finally {
    await registration?.end()
    await finders.close()
    signals.stop()
    control.close()
    server?.close()
    agent.arrivals.close()
  }
}

/** In the catalog, if there is one: this machine. */
function register(
  settings: AgentSettings,
  { agent, host }: Built,
  { address }: Receiver,
): AgentRegistration | undefined {
  const { log } = agent.context
  const machine = machineReader(address, () => host.freeBytes, settings.memoryLimit)
  return beginRegistration(settings, machine, (text) => log.warn(text))
}

interface Built {
  readonly agent: Agent
  readonly metrics: Metrics
  readonly host: WorkloadHost
  readonly takeRoom: WorkloadHost['takeRoom']
  readonly finders: Finders
}

type Given = Omit<AgentContext, 'hooks' | 'images' | 'metrics' | 'table'> & {
  readonly receiver: () => Receiver | undefined
}

async function build(settings: AgentSettings, given: Given): Promise<Built> {
  const { memoryLimit, hook, hookTimeout: timeoutMs, pager } = settings
  const { log, receiver, registered } = given
  const table = new GuestTable()
  const hears = {
    found: (text: string) => log.info(text),
    lacking: (text: string) => log.warn(text),
  }
  const finders = await findersOf(settings, () => wholeGuests(table, registered), hears)
  const room = memoryLimit === undefined ? {} : { memoryBytesMax: memoryLimit }
  const host = new WorkloadHost({ ...room, createPager: await choosePager(pager) })
  const metrics: Metrics = new Metrics({
    guests: () => table.entries,
    freeBytes: () => host.freeBytes,
    leaving: () => leavingOf(departures),
  })
  const hooks = new Hooks(hook, {
    timeoutMs,
    log,
    address: () => receiver()?.address ?? '',
    onRun: (stage, isDone) => metrics.hook(stage, isDone),
  })
  const { images } = finders
  const context: AgentContext = { ...given, hooks, images, metrics, table }
  const departures: Departures = new Departures(context)
  const takeRoom: WorkloadHost['takeRoom'] = (bytes) => host.takeRoom(bytes)
  const arrivals = new Arrivals(context, takeRoom)
  const agent = new Agent({ context, departures, arrivals, host, takeRoom, receiver })
  return { agent, metrics, host, takeRoom, finders }
}

function leavingOf(departures: Departures): readonly (readonly [string, LeavingProgress])[] {
  return departures.going.flatMap(({ entry, migration }) => {
    return migration === undefined ? [] : [[entry.name, migration.progress] as const]
  })
}

/** What agents before this one have left. */
async function restore({ context }: Agent, owners: OwnerDirectory): Promise<void> {
  const { log, table, stateDir } = context
  await refuseLeft(stateDir, (text) => log.warn(text))
  const journal = new GuestJournal(stateDir, log)
  journal.restore(table, owners)
  journal.follow(table)
}

async function listen(settings: AgentSettings, { agent, host, finders }: Built): Promise<Receiver> {
  const { arrivals, context } = agent
  const { security, insecure, stateDir, log } = context
  const { listen: address, lanes, pageBytes, pager, guest } = settings
  const tellVm = ({ pid, place, ramPaths: files }: IncomingQemu): void => {
    log.info({ vm: formatPlace(place), pid, files }, 'a QEMU was started')
  }
  const guests = hostGuests(host, (text) => log.info(text), guest, tellVm)
  const chosen = {
    ...(lanes === undefined ? {} : { lanes }),
    ...(pageBytes === undefined ? {} : { pageBytes }),
  }
  const serving = { listen: address, pager, security, insecure, stateDir }
  const options = { ...serving, ...chosen, static: finders.finder }
  return receive(
    arrivals.host(guests),
    { ...options, ...receivingOptionsOf(settings), ...arrivals.listeners },
    arrivals.events,
  )
}

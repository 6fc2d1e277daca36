/**
 * `receive`: listen for guests.
 *
 * @module
 */
import { closeSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import type { GuestHost, Report, StageReport } from '@godwit/core'
import { GodwitError, systemClock } from '@godwit/core'
import type {
  AgentEvents,
  DestinationOptions,
  LaneThreads,
  StaticFinder,
} from '@godwit/destination'
import { DestinationAgent } from '@godwit/destination'
import { loadDescriptorCalls, loadSystemCalls } from '@godwit/linux'
import type { ListenOptions } from '@godwit/transport'
import { listen, parseAddress, requireSecureOrLoopback } from '@godwit/transport'
import type { CaptureOptions } from './capture-file.ts'
import { beginCapture } from './capture-file.ts'
import type { MemoryArrival } from './memory.ts'
import { MemoryHost } from './memory.ts'
import { OwnerDirectory } from './owner-directory.ts'
import type { PagerChoice } from './pager.ts'
import { choosePager, createGatePager } from './pager.ts'
import { SOFTWARE, createUsageMeter, nodePrimitives, randomBytes } from './runtime.ts'
import type { SecurityOptions } from './security.ts'
import { securityOf } from './security.ts'
import type { StaticFinderOptions } from './static-finder.ts'
import { finderOf } from './static-options.ts'
import { entryUrl, startThread } from './thread.ts'
import { startUrgentThread } from './urgent-thread.ts'
import { zeroInThreads } from './zero-memory.ts'

/** Who never asks for arrivals is not to pile them up. */
export const ARRIVALS_KEPT_MAX = 16

/** How to receive. */
export interface ReceiveOptions extends CaptureOptions {
  /** `HOST:PORT`; port 0 takes any. TCP and WebSocket both. */
  readonly listen: string
  /** Page sizes to accept; all legal ones by default. */
  readonly pageBytes?: readonly number[]
  /** Most memory one guest may take. Default: what the machine has available. */
  readonly memoryBytesMax?: number
  /**
   * Most data channels to agree to, each with a thread of its own. Default: one per core of the
   * machine. With 0 there is one, on the calling thread; so are all where the system cannot share a
   * connection between threads (Linux with koffi can), for WebSocket, and for memory that is not
   * shared.
   */
  readonly lanes?: number
  /**
   * Who makes plain memory wait for pages where a source moves it by `post-copy` or `hybrid`: with
   * `uffd` (Linux) the kernel does, with `gate` the program's own threads, see
   * {@link MemoryArrival.run}. By default nobody can, and such sources are refused.
   */
  readonly pager?: PagerChoice
  /**
   * Most connections at a time, those of lanes on threads not counted; default 1024. For one more,
   * the oldest one is dropped that has not brought anything yet.
   */
  readonly connectionsMax?: number
  /** Most migrations at a time, half of them of one address; default 16. */
  readonly sessionsMax?: number
  /**
   * How long a source that was lost is waited for, each time: in post-copy (default: for ever), and
   * where it may have let the guest go that is held here (at most and by default 10 minutes).
   */
  readonly recoverMs?: number
  /** The source was lost and is waited for: the guest here lacks pages, or is held. */
  readonly onSuspended?: DestinationOptions['onSuspended']
  /**
   * A directory where it is written whose a guest is, so that a source which lost this process can
   * be answered by the next. It must be of this machine, and may be shared.
   */
  readonly stateDir?: string
  /**
   * Where to look for what a source need not send, since it is here: maps and siblings, stored
   * images; or who looks. By default nobody does. What guests bring along of their past is `images`
   * of the migration that {@link AgentEvents.ended} tells of.
   */
  readonly static?: StaticFinder | StaticFinderOptions | undefined
  /** Run an arrived guest this long, stop it, and report its end to the source. */
  readonly runForMs?: number
  /** By what sources must prove who they are; others are refused. */
  readonly security?: SecurityOptions | undefined
  /** Listen off loopback although nobody is authenticated. */
  readonly insecure?: boolean
  readonly onStage?: (stage: StageReport) => void
  /** A report of every session, whatever its outcome. */
  readonly onReport?: (report: Report) => void
  readonly onDropped?: (remote: string, error: GodwitError | undefined) => void
}

/** A destination that listens. */
export interface Receiver {
  /** `HOST:PORT` really bound. */
  readonly address: string
  readonly agent: DestinationAgent
  /**
   * The report of the next guest that arrived (completed); failed attempts are not arrivals. Of
   * those that nobody asked for, the last {@link ARRIVALS_KEPT_MAX} are kept.
   */
  arrival(): Promise<Report>
  /** Stops listening and gives up sessions whose guest has not been handed over. */
  close(): Promise<void>
}

/**
 * Listens for guests. `arrival` is a {@link GuestHost}, or what to do with plain memory.
 *
 * @throws {GodwitError} `ADDRESS_INVALID`, `INSECURE_ADDRESS`, `USAGE`, `FILE_UNWRITABLE`
 * @throws {TransportError} `ADDRESS_IN_USE`, `ADDRESS_UNAVAILABLE`, `ADDRESS_UNRESOLVED`
 */
export async function receive(
  arrival: GuestHost | MemoryArrival,
  options: ReceiveOptions,
  events: AgentEvents = {},
): Promise<Receiver> {
  const { security, insecure = false } = options
  const { host: address } = parseAddress(options.listen)
  requireSecureOrLoopback(address, insecure || security !== undefined)
  checkCapture(options)
  const waiting: ((report: Report) => void)[] = []
  const arrived: Report[] = []
  const host = await hostOf(arrival, options)
  const primitives = await nodePrimitives()
  const lanes = await lanesOf(options.lanes, options.capture === undefined)
  const sealed = security === undefined ? {} : { security: securityOf(security) }
  const capture = beginCapture(options, 'destination')
  const agent = new DestinationAgent(
    {
      ...lanes,
      ...(capture === undefined ? {} : { tap: capture.tap }),
      host,
      clock: systemClock,
      primitives,
      randomBytes,
      software: SOFTWARE,
      usage: createUsageMeter,
      zero: zeroInThreads(),
      ...sealed,
      ...definedOptions(options),
    },
    {
      ...events,
      ended(migration, report) {
        if (migration.ownsGuest) {
          const next = waiting.shift()
          if (next !== undefined) next(report)
          else if (arrived.push(report) > ARRIVALS_KEPT_MAX) arrived.shift()
        }
        events.ended?.(migration, report)
        options.onReport?.(report)
      },
      dropped(remote, error) {
        events.dropped?.(remote, error)
        options.onDropped?.(remote, error)
      },
    },
  )
  const listener = await listen(
    options.listen,
    (channel, place) => agent.accept(channel, place),
    listenOptionsOf(options),
  ).catch((thrown: unknown) => {
    capture?.end()
    throw thrown
  })
  return {
    address: listener.address,
    agent,
    arrival() {
      const report = arrived.shift()
      if (report !== undefined) return Promise.resolve(report)
      return new Promise((resolve) => waiting.push(resolve))
    },
    async close() {
      await listener.close()
      await agent.close()
      capture?.end()
    },
  }
}

async function hostOf(
  arrival: GuestHost | MemoryArrival,
  { pager = 'auto', memoryBytesMax }: ReceiveOptions,
): Promise<GuestHost> {
  const createPager = pager === 'gate' ? createGatePager : await choosePager(pager)
  if ('reserve' in arrival) return arrival
  return new MemoryHost(arrival, memoryBytesMax ?? process.availableMemory(), createPager)
}

/** @throws {GodwitError} `USAGE`: with the pager the urgent channel must have a thread */
function checkCapture({ capture, pager }: ReceiveOptions): void {
  if (capture === undefined || pager !== 'uffd') return
  const text = 'The uffd pager takes a thread for a channel, which cannot be captured: capture at '
  throw new GodwitError('USAGE', `${text}the source instead, or take another pager`)
}

function listenOptionsOf({ security, connectionsMax, onDropped }: ReceiveOptions): ListenOptions {
  return {
    ...(connectionsMax === undefined ? {} : { connectionsMax }),
    ...(security !== undefined && 'tls' in security ? { tls: security.tls } : {}),
    // Who is not let in is for the operator to know; the texts name the other end.
    ...(security === undefined ? {} : { onError: (error) => onDropped?.('a connection', error) }),
  }
}

/** Options that the agent takes as they are, where they are given. */
function definedOptions(options: ReceiveOptions): Partial<DestinationOptions> {
  const { pageBytes, sessionsMax, runForMs, onStage, recoverMs, onSuspended, stateDir } = options
  const finder = options.static && finderOf(options.static)
  const owners = stateDir === undefined ? undefined : new OwnerDirectory(stateDir)
  const rules = { pageBytes, sessionsMax, runForMs, recoverMs, owners, static: finder }
  const all = { ...rules, onStage, onSuspended }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

/** Threads for lanes, where connections can be given to them. */
async function lanesOf(
  lanes: number | undefined,
  hasThreads: boolean,
): Promise<Pick<DestinationOptions, 'dataChannelsMax' | 'lanes'>> {
  // A source asks, and nobody knows yet who it is: it gets no more threads than are of use.
  const limit = { dataChannelsMax: Math.max(1, lanes ?? availableParallelism()) }
  const threads = lanes === 0 || !hasThreads ? undefined : await laneThreads()
  return threads === undefined ? limit : { ...limit, lanes: threads }
}

async function laneThreads(): Promise<LaneThreads | undefined> {
  try {
    const calls = await loadSystemCalls()
    const descriptorCalls = await loadDescriptorCalls()
    return {
      start: () => startThread(entryUrl('./destination-lane.ts', import.meta.url), 'lane'),
      startUrgent: () => {
        const entry = entryUrl('./destination-urgent.ts', import.meta.url)
        return startUrgentThread(entry, descriptorCalls)
      },
      duplicate: (descriptor) => calls.duplicate(descriptor),
      close: closeSync,
    }
  } catch {
    return undefined
  }
}

/**
 * A lane on a thread of its own: the thread's end.
 *
 * @module
 */
import type {
  Channel,
  Clock,
  DetachedChannel,
  FaultSource,
  GodwitError,
  PagePlacer,
  PlacingParts,
  Port,
} from '@godwit/core'
import {
  FingerprintTable,
  PageStates,
  bytesOf,
  errorParts,
  pagesCovering,
  toGodwitError,
} from '@godwit/core'
import type { DecodedTotals, InstalledPages, Primitives, StaticContents } from '@godwit/codec'
import { Link } from '@godwit/link'
import { Installer } from './installer.ts'
import type { InstalledSpans, LaneCommand, LanePlan, LaneReport } from './lane-messages.ts'
import type { DestinationLane, LaneOwner } from './lane.ts'
import { PageRequests } from './page-requests.ts'
import { RoundGate } from './round-gate.ts'
import { staticOfSpans } from './static-spans.ts'

export type { LaneCommand, LaneReport }

/** How often the control plane hears how far a round is, and that the source is alive. */
const progressMs = 100

/** What a thread has of the runtime. */
export interface LaneEnvironment {
  readonly primitives: Primitives
  readonly clock: Clock
  /** Makes a channel of a connection that was detached on another thread; owns its descriptor. */
  readonly attach: (detached: DetachedChannel) => Channel
  /** On such a thread: runs with a connection of it to itself. @returns what ends both */
  readonly warmUp?: (begin: (near: Channel, far: Channel) => void) => () => void
  /** CPU time of this thread so far. */
  readonly cpuSeconds: () => number
  /** Where guests may have a pager that memory must not be stored to before. */
  readonly createPlacers?: (placing: PlacingParts) => readonly PagePlacer[]
  /** On a thread for the urgent channel: has `hear` called for every page that is waited for. */
  readonly listen?: (faults: FaultSource, hear: (region: number, page: number) => void) => void
}

/** Serves one lane until it was closed. The thread is to be ended from outside, after `ended`. */
export function serveLane(port: Port<LaneReport, LaneCommand>, environment: LaneEnvironment): void {
  const thread = new LaneThread(port, environment)
  port.listen((command) => thread.obey(command))
}

class LaneThread implements LaneOwner {
  readonly #port: Port<LaneReport, LaneCommand>
  readonly #environment: LaneEnvironment
  #plan: LanePlan | undefined
  #installer: Installer | undefined
  #installed: readonly InstalledPages[] = []
  #gate = new RoundGate()
  #faults: FaultSource | undefined
  #staticPages: StaticContents | undefined
  #link: Link | undefined
  #lane: DestinationLane | undefined
  #toldMs = -Infinity

  constructor(port: Port<LaneReport, LaneCommand>, environment: LaneEnvironment) {
    this.#port = port
    this.#environment = environment
  }

  obey(command: LaneCommand): void {
    try {
      this.#do(command)
    } catch (thrown) {
      this.laneClosed(toGodwitError(thrown))
      // Without a link nothing else would tell the end.
      if (this.#link === undefined) this.#reportEnd(0)
    }
  }

  #do(command: LaneCommand): void {
    switch (command.do) {
      case 'prepare':
        this.#plan = command.plan
        this.#installer = new Installer(command.plan, 1, this.#environment.primitives)
        this.#installer.warmUp(this.#environment.clock, this.#environment.warmUp)
        this.#port.post({ type: 'ready' })
        break
      case 'install':
        this.#gate = new RoundGate(command.gate)
        this.#install(command)
        break
      case 'know':
        this.#staticPages = staticOfSpans(command.staticPages)
        break
      case 'open':
        this.#open(command.channel)
        break
      case 'close':
        this.#link?.close()
        this.#port.post({ type: 'closed' })
        break
    }
  }

  #install({ regions, faults, placing }: LaneCommand & { do: 'install' }): void {
    const placers = placing && this.#environment.createPlacers!(placing)
    this.#installed = regions.map((spans, index) => {
      return { ...installedPages(spans, this.#plan!), placer: placers?.[index] }
    })
    this.#faults = faults
  }

  #open(detached: DetachedChannel): void {
    // First: whoever hears nothing of the kind closes the descriptor.
    this.#port.post({ type: 'opened' })
    const { attach, clock } = this.#environment
    const link = new Link(
      attach(detached),
      clock,
      (preface, self) => {
        self.sendPreface(preface)
        const { urgent } = this.#plan!
        this.#lane = this.#installer!.createLane(
          self,
          clock,
          this.#installed,
          this,
          urgent,
          urgent ? undefined : this.#staticPages,
        )
        if (urgent && this.#faults !== undefined) this.#hear(self, this.#faults)
        return this.#lane
      },
      (error) => this.laneClosed(error),
    )
    this.#link = link
    void link.ended.then(() => this.#reportEnd(link.wireBytes))
  }

  #hear(link: Link, faults: FaultSource): void {
    const regions = this.#installed.map(({ region, states }) => ({
      id: region.id,
      states: states!,
    }))
    const requests = new PageRequests(link, regions)
    this.#environment.listen!(faults, (region, page) => requests.ask(region, page))
    requests.askAgain()
  }

  get installableRound(): number {
    return this.#gate.round
  }

  get isPostCopy(): boolean {
    return this.#plan!.urgent || this.#gate.isPostCopy
  }

  heard(): void {
    const nowMs = this.#environment.clock.nowMs()
    if (nowMs - this.#toldMs < progressMs) return
    this.#toldMs = nowMs
    const { pages, link } = this.#lane!
    this.#port.post({ type: 'progress', pages, wireBytes: link.wireBytes })
  }

  barrier(round: number, totals: DecodedTotals): void {
    const { receivedBytes, link } = this.#lane!
    const { wireBytes } = link
    const cpuSeconds = this.#environment.cpuSeconds()
    this.#port.post({ type: 'barrier', round, totals, receivedBytes, wireBytes, cpuSeconds })
  }

  laneClosed(error: GodwitError | undefined): void {
    this.#port.post({ type: 'lost', error: error && errorParts(error) })
  }

  #reportEnd(wireBytes: number): void {
    this.#port.post({ type: 'ended', wireBytes, cpuSeconds: this.#environment.cpuSeconds() })
  }
}

function installedPages(spans: InstalledSpans, plan: LanePlan): InstalledPages {
  const { id, name, bytes, written, fingerprints, states } = spans
  const memory = bytesOf(bytes)
  const pages = pagesCovering(memory.length, plan.pageBytes)
  const table = fingerprints && bytesOf(fingerprints)
  const entryBytes = plan.verify === 'sha256' ? 32 : 8
  return {
    region: { id, name, bytes: memory },
    written: bytesOf(written),
    fingerprints: table && new FingerprintTable(pages, entryBytes, table),
    states: states && new PageStates(states),
  }
}

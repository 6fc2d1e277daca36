/**
 * Guests on their way into an agent: each has a name from when it is offered.
 *
 * @module
 */
import type { GuestHost, IncomingGuest, Report } from '@godwit/core'
import { systemClock, toGodwitError } from '@godwit/core'
import type { AgentEvents, IncomingMigration } from '@godwit/destination'
import type { ReceiveOptions } from 'godwit'
import { DropLog } from '../drop-log.ts'
import { onward } from '../guests.ts'
import type { AgentContext } from './context.ts'
import { hookFactsOf, refuseWhileEnding } from './context.ts'
import { goneFrom, nowhere, placeRunning } from './guest-here.ts'
import type { GuestEntry, GuestHere } from './guest-table.ts'
import type { TakeRoom } from './held-guest.ts'
import { heldGuest } from './held-guest.ts'
import { errorFacts, staticFacts } from './log.ts'
import { arrivedFacts, hereOfArrived } from './vms.ts'

export class Arrivals {
  readonly #context: AgentContext
  readonly #takeRoom: TakeRoom
  /** Peers decide how often connections are dropped. */
  readonly #drops: DropLog
  readonly #migrations = new Map<GuestEntry, IncomingMigration>()
  /** By session, from the offer to the end. */
  readonly #offered = new Map<string, GuestEntry>()

  constructor(context: AgentContext, takeRoom: TakeRoom) {
    this.#context = context
    this.#takeRoom = takeRoom
    this.#drops = new DropLog(systemClock, (line) => context.log.warn(line))
  }

  /** That of a guest which is on its way, or whose pages are. */
  of(entry: GuestEntry): IncomingMigration | undefined {
    return this.#migrations.get(entry)
  }

  /** The host with names and hooks before it. */
  host(host: GuestHost): GuestHost {
    return {
      reserve: async (offer, zero, agreed): Promise<IncomingGuest> => {
        const { table, hooks, log } = this.#context
        refuseWhileEnding(this.#context)
        const { identity, session, from, regions } = offer
        // Without the transport: an address that can be compared.
        const peer = from?.replace(/^\S+ /, '')
        const { kind } = identity
        const memoryBytes = regions.reduce((sum, region) => sum + region.byteLength, 0)
        const name = table.freeName(offer.name, kind)
        const facts = { peer, session, role: 'destination' } as const
        const entry = table.add({ name, kind, memoryBytes }, 'arriving', facts)
        const wanted = offer.name === name ? undefined : offer.name
        // Nobody knows yet whether anything comes of it: peers may offer as often as they like.
        log.debug({ guest: name, session, peer, kind, memoryBytes, wanted }, 'a guest is offered')
        if (session !== undefined) this.#offered.set(session, entry)
        let isHooked = false
        try {
          await hooks.run('arriving', hookFactsOf(entry))
          isHooked = true
          return await host.reserve(offer, zero, agreed)
        } catch (thrown) {
          table.remove(entry)
          const { code } = toGodwitError(thrown)
          // What the hook has done is to be undone.
          if (isHooked) hooks.tell('not-arrived', hookFactsOf(entry, code))
          throw thrown
        }
      },
    }
  }

  /** What the agent hears of migrations. */
  readonly events: AgentEvents = {
    running: (migration) => this.#running(migration),
    ended: (migration, report) => this.#ended(migration, report),
  }

  /** What it hears beside them. */
  readonly listeners: Pick<ReceiveOptions, 'onDropped' | 'onSuspended'> = {
    onDropped: (remote, error) => {
      if (error !== undefined) this.#drops.dropped(remote, error)
    },
    onSuspended: (error, waiting) => {
      const text =
        waiting === 'held' ? 'a guest is held for its source' : 'post-copy is interrupted'
      this.#context.log.warn({ waiting, ...errorFacts(error) }, text)
    },
  }

  close(): void {
    this.#drops.close()
  }

  /** It is this side's, though pages of it may still be to come. */
  #running(migration: IncomingMigration): void {
    const { table, hooks, log } = this.#context
    const entry = this.#offered.get(migration.sessionId)
    if (entry === undefined) return
    this.#migrations.set(entry, migration)
    placeRunning(this.#context, entry, this.#hereOf(migration, false))
    table.change(entry, 'running', arrivedFacts(migration))
    const { name: guest, session, peer, vm, pid } = entry
    log.info({ guest, session, peer, vm, pid }, 'a guest runs here')
    hooks.tell('arrived', hookFactsOf(entry))
  }

  #ended(migration: IncomingMigration, report: Report): void {
    const { table, hooks, log, metrics } = this.#context
    const session = migration.sessionId
    const entry = this.#offered.get(session)
    this.#offered.delete(session)
    const { outcome, error, wireBytes } = report
    metrics.count(report)
    const why = error === undefined ? {} : { code: error.code, error: error.text }
    const traffic = { wireBytes, ...staticFacts(report) }
    const facts = { guest: entry?.name, session, peer: entry?.peer, outcome, ...why, ...traffic }
    const text = 'a migration to here ended'
    if (error === undefined) log.info(facts, text)
    else this.#drops.tell(() => log.warn(facts, text))
    if (entry === undefined) return
    this.#migrations.delete(entry)
    if (!migration.ownsGuest) {
      if (!table.has(entry)) return
      table.remove(entry)
      hooks.tell('not-arrived', hookFactsOf(entry, error?.code))
      return
    }
    const reason = error === undefined ? undefined : `${error.code}: ${error.text}`
    if (outcome === 'failed') {
      // It could not be started, or waits for pages that never come.
      if (entry.here === undefined) table.place(entry, hereOf(migration, false))
      void goneFrom(this.#context, entry, 'lost', { reason, ...nowhere })
      hooks.tell('ended', hookFactsOf(entry, error?.code))
      return
    }
    const staticPages = report.static?.pages
    placeRunning(this.#context, entry, { ...this.#hereOf(migration, true), staticPages })
    table.change(entry, 'running', { reason })
  }

  /** @param isWhole - all of it is here */
  #hereOf(migration: IncomingMigration, isWhole: boolean): GuestHere {
    const here = hereOfArrived(migration, this.#takeRoom, isWhole) ?? hereOf(migration, isWhole)
    return { ...here, images: migration.images }
  }
}

function hereOf(migration: IncomingMigration, isWhole: boolean): GuestHere {
  return {
    guest: isWhole ? heldGuest(onward(migration.guest!)) : undefined,
    pageBytes: migration.report.pageBytes!,
    steps: () => migration.guest?.steps?.(),
    release: () => migration.release(),
  }
}

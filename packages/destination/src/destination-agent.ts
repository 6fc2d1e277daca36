/**
 * Takes channels in, sorts them by session, and keeps serving whatever one peer does.
 *
 * @module
 */
import type { Channel, GodwitError, OwnerStore, Report } from '@godwit/core'
import { CancelledError, LimitError, ProtocolError, toHex } from '@godwit/core'
import type { LinkHandler } from '@godwit/link'
import { Link } from '@godwit/link'
import type { Preface } from '@godwit/wire'
import { ChannelRole } from '@godwit/wire'
import { IncomingMigration } from './incoming-migration.ts'
import { Inquiries } from './inquiry.ts'
import { MemoryOwners } from './memory-owners.ts'
import type { DestinationOptions } from './options.ts'

/**
 * Migrations at once; each may hold a whole guest, which the host's own limit bounds. Those that
 * wait for a source that was lost do not count: they have only their guest, and may wait for ever.
 */
const SESSIONS_MAX = 16

export interface AgentEvents {
  /** A control channel introduced itself. */
  began?(migration: IncomingMigration): void
  /** The session is over; the guest is here exactly when `migration.ownsGuest`. */
  ended?(migration: IncomingMigration, report: Report): void
  /** A connection that never became a session was dropped. */
  dropped?(remote: string, error: GodwitError | undefined): void
}

/** The destination's side of any number of migrations. */
export class DestinationAgent {
  readonly #options: DestinationOptions
  readonly #events: AgentEvents
  readonly #sessions = new Map<string, IncomingMigration>()
  readonly #owners: OwnerStore
  readonly #inquiries: Inquiries

  constructor(options: DestinationOptions, events: AgentEvents = {}) {
    this.#options = options
    this.#events = events
    this.#owners = options.owners ?? new MemoryOwners()
    this.#inquiries = new Inquiries(options.clock, this.#owners)
  }

  /** Sessions that are going on. */
  get sessions(): readonly IncomingMigration[] {
    return [...this.#sessions.values()]
  }

  /** A channel was accepted. Never throws. */
  accept(channel: Channel): void {
    new Link(
      channel,
      this.#options.clock,
      (preface, link) => this.#sort(preface, link),
      (error) => this.#events.dropped?.(channel.remote, error),
    )
  }

  /** Gives up every migration whose guest has not been handed over. @returns how many */
  cancel(): number {
    const sessions = this.sessions.filter((session) => !session.ownsGuest)
    for (const session of sessions) session.abort(new CancelledError())
    return sessions.length
  }

  /** Ends every session and every guest that came by one: the process is to end. */
  async abandon(): Promise<void> {
    const sessions = this.sessions
    for (const session of sessions) session.abort(new CancelledError('The destination ends'))
    await Promise.all(sessions.map((session) => session.release()))
  }

  /** As {@link cancel}; resolves when all sessions are over. */
  async close(): Promise<void> {
    const sessions = this.sessions
    this.cancel()
    for (const session of sessions) session.giveUp()
    await Promise.all(sessions.map((session) => session.done))
  }

  #sort(preface: Preface, link: Link): LinkHandler | undefined {
    const sessionId = toHex(preface.session)
    const session = this.#sessions.get(sessionId)
    const isControl = preface.role === ChannelRole.Control
    if (isControl && preface.epoch > 0 && session?.isReachable !== true) {
      return this.#inquiries.begin(sessionId, preface, link)
    }
    if (session === undefined) {
      if (isControl) return this.#begin(sessionId, preface, link)
      throw new ProtocolError('SESSION_UNKNOWN', 'A channel of no session that goes on here')
    }
    if (isControl) return session.reconnect(preface, link)
    const lane = session.openLane(preface, link)
    link.sendPreface(preface)
    return lane
  }

  #begin(sessionId: string, preface: Preface, link: Link): LinkHandler {
    if (this.sessions.filter((session) => !session.isSuspended).length >= SESSIONS_MAX) {
      const facts = { limit: 'sessionsMax', value: SESSIONS_MAX + 1, maximum: SESSIONS_MAX }
      throw new LimitError('LIMIT_EXCEEDED', `${SESSIONS_MAX} migrations are going on here`, facts)
    }
    link.sendPreface(preface)
    const migration = new IncomingMigration(link, sessionId, this.#options, this.#owners)
    this.#sessions.set(sessionId, migration)
    this.#events.began?.(migration)
    void migration.done.then((report) => {
      this.#sessions.delete(sessionId)
      this.#events.ended?.(migration, report)
    })
    return migration.control
  }
}

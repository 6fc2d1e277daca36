/**
 * Takes channels in, sorts them by session, and keeps serving whatever one peer does.
 *
 * @module
 */
import type { Channel, GodwitError, OwnerStore, Place, Report, SessionBinding } from '@godwit/core'
import { CancelledError, ProtocolError, toHex } from '@godwit/core'
import type { LinkHandler } from '@godwit/link'
import { Link } from '@godwit/link'
import type { Preface } from '@godwit/wire'
import { ChannelRole } from '@godwit/wire'
import { IncomingMigration } from './incoming-migration.ts'
import { Inquiries } from './inquiry.ts'
import { MemoryOwners } from './memory-owners.ts'
import type { DestinationOptions } from './options.ts'
import { SealedOwners } from './sealed-owners.ts'
import { Seals } from './seals.ts'
import {
  RESERVE_DEADLINE_MS,
  evict,
  isStranger,
  makeRoom,
  refuseHeld,
  reserveLate,
} from './session-limits.ts'
import { StateRoom } from './state-room.ts'

/** Nothing can be taken up again, though some channels may still end; a refusal says why itself. */
const over: ReadonlySet<string> = new Set(['completed', 'stranded'])

export interface AgentEvents {
  /** A control channel introduced itself. */
  began?(migration: IncomingMigration): void
  /** The guest runs here now, in post-copy without all of its pages; the session goes on. */
  running?(migration: IncomingMigration): void
  /** The session is over; the guest is here exactly when `migration.ownsGuest`. */
  ended?(migration: IncomingMigration, report: Report): void
  /** A connection that never became a session was dropped. */
  dropped?(remote: string, error: GodwitError | undefined): void
}

/** COMMIT is out, for all that is known here, or the session is over. */
const tooLate: ReadonlySet<IncomingMigration['state']> = new Set([
  'prepared',
  'owning',
  'refusing',
  'discarded',
])

/** The destination's side of any number of migrations. */
export class DestinationAgent {
  readonly #options: DestinationOptions
  readonly #events: AgentEvents
  /** Undefined where channels are plain. */
  readonly #seals: Seals | undefined
  readonly #sessions = new Map<string, IncomingMigration>()
  readonly #owners: OwnerStore
  readonly #inquiries: Inquiries
  /** Of control channels. */
  readonly #places = new WeakMap<IncomingMigration, Place>()
  readonly #stateRoom: StateRoom

  constructor(options: DestinationOptions, events: AgentEvents = {}) {
    const { stateRoom = new StateRoom() } = options
    this.#stateRoom = stateRoom
    const makeRoom = (migration: IncomingMigration): Promise<boolean> =>
      refuseHeld(this.sessions, migration)
    const onRunning = (migration: IncomingMigration): void => {
      try {
        options.onRunning?.(migration)
        events.running?.(migration)
      } catch {
        // Whoever listens must not decide who owns the guest.
      }
    }
    this.#options = { ...options, stateRoom, makeRoom, onRunning }
    this.#events = events
    const owners = options.owners ?? new MemoryOwners()
    const bindingOf = (id: string): SessionBinding | undefined => {
      return owners.find(id, 'destination')?.binding
    }
    this.#seals = options.security && new Seals(options.security, bindingOf)
    this.#owners = this.#seals === undefined ? owners : new SealedOwners(owners, this.#seals)
    this.#inquiries = new Inquiries(options.clock, this.#owners)
  }

  /** Sessions that are going on. */
  get sessions(): readonly IncomingMigration[] {
    return [...this.#sessions.values()]
  }

  /**
   * A channel was accepted. Never throws.
   *
   * @param place - settled when the channel is found to be one of a session that brings something
   */
  accept(channel: Channel, place?: Place): void {
    const plain = this.#seals?.seal(channel) ?? channel
    new Link(
      this.#options.tap?.(plain) ?? plain,
      this.#options.clock,
      (preface, link) => this.#sort(preface, link, place),
      (error) => this.#events.dropped?.(channel.remote, error),
    )
  }

  /**
   * Gives up every migration whose guest has not been handed over. Once READY is out that may be
   * done already, for all that is known here; a guest that is held since then is refused.
   *
   * @param sessionId - of the one that is meant, where not all are
   * @returns how many
   */
  cancel(sessionId?: string): number {
    const sessions = this.sessions.filter((session) => {
      const isMeant = sessionId === undefined || session.sessionId === sessionId
      return isMeant && !session.ownsGuest && !tooLate.has(session.state)
    })
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

  #sort(preface: Preface, link: Link, place?: Place): LinkHandler | undefined {
    const sessionId = toHex(preface.session)
    const session = this.#sessions.get(sessionId)
    const isControl = preface.role === ChannelRole.Control
    if (isControl && preface.epoch > 0 && session?.isReachable !== true) {
      return this.#inquiries.begin(sessionId, preface, link)
    }
    if (session === undefined) {
      if (isControl) return this.#begin(sessionId, preface, link, place)
      throw new ProtocolError('SESSION_UNKNOWN', 'A channel of no session that goes on here')
    }
    if (over.has(session.state)) {
      if (isControl) this.#checkIsNew(sessionId)
      throw new ProtocolError('SESSION_UNKNOWN', 'A channel of a session that is over here')
    }
    if (isControl) {
      const control = session.reconnect(preface, link)
      this.#seals?.took(preface, link.channel)
      place?.settle()
      return control
    }
    const lane = session.openLane(preface, link)
    place?.settle()
    // Whoever has greeted only may still make room for others.
    this.#places.get(session)?.settle()
    link.sendPreface(preface)
    return lane
  }

  /** A first connection that comes late must not write over what became of its session. */
  #checkIsNew(sessionId: string): void {
    if (this.#owners.find(sessionId, 'destination') === undefined) return
    throw new ProtocolError('PROTOCOL_STATE', 'This session was here before')
  }

  #begin(sessionId: string, preface: Preface, link: Link, place?: Place): LinkHandler {
    const { clock } = this.#options
    this.#checkIsNew(sessionId)
    makeRoom(this.sessions, link.channel.remote, this.#options)
    this.#seals?.took(preface, link.channel)
    link.sendPreface(preface)
    const migration = new IncomingMigration(link, sessionId, this.#options, this.#owners)
    const forget = clock.after(RESERVE_DEADLINE_MS, () => {
      if (isStranger(migration)) evict(migration, reserveLate())
    })
    this.#sessions.set(sessionId, migration)
    if (place !== undefined) this.#places.set(migration, place)
    this.#events.began?.(migration)
    void migration.done.then((report) => {
      forget()
      this.#stateRoom.release(migration)
      this.#sessions.delete(sessionId)
      this.#seals?.forget(sessionId)
      this.#events.ended?.(migration, report)
    })
    return migration.control
  }
}

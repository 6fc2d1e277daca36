/**
 * How many migrations a destination has at a time, and who makes room for whom.
 *
 * @module
 */
import type { GodwitError } from '@godwit/core'
import { LimitError, TransportError, addressOfRemote } from '@godwit/core'
import type { IncomingMigration } from './incoming-migration.ts'
import type { DestinationOptions } from './options.ts'

/** Migrations at once; each may hold a whole guest, which the host's own limit bounds. */
export const SESSIONS_MAX_DEFAULT = 16
/**
 * So many times as many may be held in all: those that wait for a source that was lost do not count
 * among those that go on, since they have only their guest and may wait for ever.
 */
const heldPerSession = 4
/** From the preface to RESERVE: the source has nothing to do in between but to answer. */
export const RESERVE_DEADLINE_MS = 10_000

/** Whether a session has said HELLO at most: it holds no memory, and is easily begun again. */
export function isStranger({ state }: IncomingMigration): boolean {
  return state === 'greeting' || state === 'welcomed'
}

/** Ends a session that is in the way. Its connection does not linger, whether it is read or not. */
export function evict(session: IncomingMigration, error: GodwitError): void {
  session.abort(error)
  session.control.link.channel.destroy()
}

/** What a session is ended with that has not said in time what it brings. */
export function reserveLate(): TransportError {
  return new TransportError('PEER_SILENT', 'The source did not say in time what it brings')
}

/**
 * Makes room for one session more: of those that were only greeted, the oldest leaves. It is one of
 * the same address where that has its share, or else one of the address with the most of them.
 *
 * @param sessions - in the order in which they came
 * @throws {LimitError} `LIMIT_EXCEEDED`: all of them hold memory
 */
export function makeRoom(
  sessions: readonly IncomingMigration[],
  remote: string,
  { sessionsMax = SESSIONS_MAX_DEFAULT }: Pick<DestinationOptions, 'sessionsMax'>,
): void {
  const address = addressOfRemote(remote)
  // Those whose end is still to be heard are bounded by their connections.
  const held = sessions.filter(({ state }) => state !== 'discarded')
  const going = held.filter(({ isSuspended }) => !isSuspended)
  const own = going.filter((one) => addressOf(one) === address)
  const perAddressMax = Math.max(1, Math.floor(sessionsMax / 2))
  const heldMax = sessionsMax * heldPerSession
  if (held.length >= heldMax) throw full('sessionsHeldMax', heldMax, 'are held here')
  if (own.length >= perAddressMax) {
    const text = `of ${address} are going on here`
    if (!evictOldest(own)) throw full('sessionsPerAddressMax', perAddressMax, text)
  } else if (going.length >= sessionsMax && !evictOldest(ofMost(going))) {
    throw full('sessionsMax', sessionsMax, 'are going on here')
  }
}

/**
 * A source that came to nothing after READY, and did not say so, tries again: what is held of its
 * guest is in the way. Refused, it is the source's for sure.
 *
 * @returns whether there was something
 */
export async function refuseHeld(
  sessions: readonly IncomingMigration[],
  migration: IncomingMigration,
): Promise<boolean> {
  const held = sessions.filter((one) => {
    return one.state === 'holding' && addressOf(one) === addressOf(migration)
  })
  for (const one of held) one.giveUp()
  await Promise.all(held.map(({ done }) => done))
  return held.length > 0
}

function ofMost(sessions: readonly IncomingMigration[]): readonly IncomingMigration[] {
  const strangers = Map.groupBy(sessions.filter(isStranger), addressOf)
  return [...strangers.values()].toSorted((a, b) => b.length - a.length)[0] ?? []
}

function evictOldest(sessions: readonly IncomingMigration[]): boolean {
  const oldest = sessions.find(isStranger)
  if (oldest === undefined) return false
  evict(oldest, full('sessionsMax', sessions.length, 'are going on here; this one made room'))
  return true
}

function addressOf({ control }: IncomingMigration): string {
  return addressOfRemote(control.link.channel.remote)
}

function full(limit: string, maximum: number, what: string): LimitError {
  const facts = { limit, value: maximum + 1, maximum }
  return new LimitError('LIMIT_EXCEEDED', `${maximum} migrations ${what}`, facts)
}

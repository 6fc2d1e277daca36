/**
 * A memcached guest that is started behind a relay.
 *
 * @module
 */
import { GodwitError } from '@godwit/core'
import type { MemcachedGuest, ParsedMemcached, Place } from '@godwit/memcached'
import { RelayedGuest } from '@godwit/memcached'
import { parseAddress } from '@godwit/transport'
import { RemoteRelay } from './remote-relay.ts'

type ParsedRelay = NonNullable<ParsedMemcached['relay']>

/** As long as it has a relay. */
class FollowedGuest extends RelayedGuest {
  readonly #end: () => Promise<void>

  constructor(guest: MemcachedGuest, relay: RemoteRelay, next: Place) {
    super(guest, relay, next)
    this.#end = () => relay.close()
  }

  override async stop(): Promise<void> {
    await this.#end()
    await super.stop()
  }
}

/**
 * Has the relay forward to a guest that runs, and follow it to `to`. The guest ends where that
 * fails.
 *
 * @param to - where it is sent, if that is known
 * @throws {GodwitError} as `RemoteRelay.follow`; `GUEST_OPTION` where nobody says what is next
 */
export async function startBehindRelay(
  guest: MemcachedGuest,
  { file, reach }: ParsedRelay,
  to: string | undefined,
  tell: (text: string) => void,
): Promise<RelayedGuest> {
  try {
    const next = reach === undefined ? nextPlace(guest, to) : parseAddress(reach)
    const relay = await RemoteRelay.follow(file, { owner: guest.place, next }, tell)
    return new FollowedGuest(guest, relay, next)
  } catch (error) {
    await guest.stop()
    throw error
  }
}

/** On the machine that the guest is sent to. */
function nextPlace({ identity, place }: MemcachedGuest, to: string | undefined): Place {
  if (to === undefined) {
    const text = 'A guest that runs before it is sent needs reach=HOST:PORT beside relay='
    throw new GodwitError('GUEST_OPTION', text)
  }
  return { host: parseAddress(to).host, port: Number(identity.options['next'] ?? place.port) }
}

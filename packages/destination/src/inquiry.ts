/**
 * A source that was lost after COMMIT asks for a guest whose session is over here, or was another
 * process's: it is answered from what was written.
 *
 * @module
 */
import type { Clock, OwnerRecord, OwnerStore } from '@godwit/core'
import {
  GodwitError,
  LimitError,
  PeerError,
  ProtocolError,
  TransportError,
  toGodwitError,
} from '@godwit/core'
import type { Link, LinkHandler } from '@godwit/link'
import { ControlLink } from '@godwit/link'
import { checkEpoch } from '@godwit/session'
import type { Message, OwnerAnswer, Preface } from '@godwit/wire'
import { errorCodeOf } from '@godwit/wire'

/** From the preface on; heartbeats do not make it longer. */
const deadlineMs = 10_000

/** One question, on a channel of its own. */
export class Inquiry {
  readonly control: ControlLink
  readonly #session: string
  readonly #owners: OwnerStore
  #wasAsked = false

  constructor(link: Link, clock: Clock, session: string, owners: OwnerStore) {
    this.#session = session
    this.#owners = owners
    const late = new TransportError('PEER_SILENT', 'The source did not end its question in time')
    const forget = clock.after(deadlineMs, () => this.control.refuse(late))
    void link.ended.then(forget)
    this.control = new ControlLink(link, clock, {
      message: (message) => {
        this.#hear(message).catch((thrown: unknown) => this.control.refuse(toGodwitError(thrown)))
      },
      closed: () => {},
    })
  }

  async #hear(message: Message): Promise<void> {
    const { name, body } = message
    switch (name) {
      case 'OwnerQuery': {
        if (this.#wasAsked) throw new ProtocolError('PROTOCOL_STATE', 'The source asks again')
        this.#wasAsked = true
        checkEpoch(body.epoch)
        const record = this.#owners.find(this.#session, 'destination')
        if (record === undefined) throw unknown()
        const owner = await this.#answer(record)
        this.control.send({ name: 'Owner', body: { epoch: body.epoch, owner } })
        break
      }
      case 'Resume':
        throw this.#nothingToResume()
      case 'Error':
        throw new PeerError(errorCodeOf(body.code), body.text)
      default:
        throw new ProtocolError(
          'PROTOCOL_STATE',
          `The source sent ${name} to a session that is over`,
        )
    }
  }

  /** Whoever hears that a guest is refused may start it: it is written before. */
  async #answer({ state }: OwnerRecord): Promise<OwnerAnswer> {
    switch (state) {
      case 'owner':
        return 'running'
      case 'lost':
      case 'ended':
      case 'refused':
        return state
      default:
        await this.#owners.refuse(this.#session)
        return 'refused'
    }
  }

  #nothingToResume(): GodwitError {
    const record = this.#owners.find(this.#session, 'destination')
    if (record?.state !== 'lost') return unknown()
    const text = 'The guest ran here, and died with the process that held it'
    return new GodwitError('LOST_WITH_HOST', text)
  }
}

function unknown(): ProtocolError {
  return new ProtocolError('SESSION_UNKNOWN', 'A channel of no session that goes on here')
}

/** Most questions at once. */
const inquiriesMax = 64

/** All of one agent. */
export class Inquiries {
  readonly #clock: Clock
  readonly #owners: OwnerStore
  readonly #open = new Set<Link>()

  constructor(clock: Clock, owners: OwnerStore) {
    this.#clock = clock
    this.#owners = owners
  }

  /**
   * A control channel of a later connection of a session that does not go on here.
   *
   * @throws {ProtocolError} `SESSION_UNKNOWN`: nothing is written of it
   */
  begin(session: string, preface: Preface, link: Link): LinkHandler {
    if (this.#owners.find(session, 'destination') === undefined) throw unknown()
    if (this.#open.size >= inquiriesMax) {
      const facts = { limit: 'inquiriesMax', value: inquiriesMax + 1, maximum: inquiriesMax }
      throw new LimitError('LIMIT_EXCEEDED', `${inquiriesMax} sources ask here already`, facts)
    }
    link.sendPreface(preface)
    this.#open.add(link)
    void link.ended.then(() => this.#open.delete(link))
    return new Inquiry(link, this.#clock, session, this.#owners).control
  }
}

/**
 * What the destination says to the source, and what it notes of what the source says. What follows
 * from it is the machine's business.
 *
 * @module
 */
import type { DemandPager, FinalState } from '@godwit/core'
import { PeerError, toHex } from '@godwit/core'
import type { DestinationState, DestinationTermsInForce } from '@godwit/session'
import { OWNER_EPOCH, checkStaticOffers, negotiate } from '@godwit/session'
import type {
  Final,
  Hello,
  ImageKey,
  Lacking,
  Message,
  MessageName,
  Reserve,
  Resumed,
  RoundBegin,
  Verify,
  Welcome,
} from '@godwit/wire'
import { errorCodeOf, lackingChecksum, pageCountOf } from '@godwit/wire'
import type { DestinationReport } from './destination-report.ts'
import type { DestinationOptions } from './options.ts'
import { termsOf } from './options.ts'
import type { Rounds } from './rounds.ts'

/** What it is about. */
export interface DialogueParts {
  readonly options: DestinationOptions
  readonly report: DestinationReport
  /** Once there are any. */
  readonly rounds: () => Rounds
  /** Of the guest, where it can wait for pages. */
  readonly pager: () => DemandPager | undefined
  /** Of the machine, at any time. */
  readonly state: () => DestinationState
}

/** Of one migration. */
export class Dialogue {
  hello: Hello | undefined
  welcome: Welcome | undefined
  reserve: Reserve | undefined
  package: Uint8Array = new Uint8Array(0)
  images: readonly ImageKey[] = []
  /** The round that is arriving, or the last one. */
  round: RoundBegin | undefined
  /** The last round that the source heard the end of. */
  acknowledgedRound = 0
  readonly #parts: DialogueParts
  #verify: Verify | undefined
  #final: Final | undefined
  #resumed: Resumed | undefined

  constructor(parts: DialogueParts) {
    this.#parts = parts
  }

  /** What was agreed by HELLO and WELCOME. */
  get terms(): Omit<DestinationTermsInForce, 'recovers'> {
    const { mode, verify } = this.hello!
    const { finalAfterMs, capabilities } = this.welcome!
    const asks = capabilities.includes('ownership')
    return { mode, verify: verify !== 'none', final: finalAfterMs !== undefined, asks }
  }

  /** How the guest ended. @param digest - of its memory */
  ended({ steps, registers }: FinalState, digest: Uint8Array): void {
    this.#final = { steps, registers, digest }
  }

  /** What RESUMED will say. */
  resumes(epoch: number, round: number, lacking: readonly Lacking[]): void {
    const pages = lacking.reduce((sum, { runs }) => sum + pageCountOf(runs), 0)
    const checksum = lacking.reduce((crc, one) => lackingChecksum(one, crc), 0)
    this.#resumed = { epoch, round, pages, checksum }
    this.acknowledgedRound = round - 1
  }

  compose(name: MessageName): Message {
    const { report, rounds, pager, state } = this.#parts
    switch (name) {
      case 'Welcome':
        return { name, body: this.welcome! }
      case 'Reserved':
        return { name, body: { reservedBytes: report.memoryBytes } }
      case 'RoundAck': {
        const { round } = this.round!
        this.acknowledgedRound = round
        return { name, body: { round } }
      }
      case 'SwitchOverAck':
        return { name, body: {} }
      case 'Ready':
        return { name, body: { epoch: OWNER_EPOCH } }
      case 'Running':
        return { name, body: { epoch: OWNER_EPOCH, resumeMs: report.resumeMs! } }
      case 'Owner': {
        const owner = state().name === 'prepared' ? 'prepared' : 'running'
        return { name, body: { epoch: OWNER_EPOCH, owner } }
      }
      case 'Resumed':
        return { name, body: this.#resumed! }
      case 'Verified':
        return { name, body: report.compared(this.#verify!, rounds()) }
      case 'Final':
        return { name, body: this.#final! }
      case 'EndAck':
        return { name, body: report.end(pager()) }
      default:
        throw new Error(`the destination does not send ${name}`)
    }
  }

  /** @throws {GodwitError} what the source tells is wrong, or is wrong with what it tells */
  apply(message: Message): void {
    const { report, rounds } = this.#parts
    switch (message.name) {
      case 'Error': {
        const { code, text, phase } = message.body
        throw new PeerError(errorCodeOf(code), text, phase === undefined ? {} : { phase })
      }
      case 'Hello':
        this.hello = message.body
        this.welcome = negotiate(message.body, termsOf(this.#parts.options))
        report.greeted(this.hello, this.welcome)
        break
      case 'Reserve': {
        const { staticNonce, pageBytes } = this.welcome!
        checkStaticOffers(message.body, staticNonce !== undefined, pageBytes)
        this.reserve = message.body
        break
      }
      case 'RoundBegin':
        this.round = message.body
        report.roundBegins(message.body)
        break
      case 'RoundEnd':
        rounds().lanes.addEnd(message.body)
        break
      case 'Discard':
        rounds().discard(message.body)
        break
      case 'State':
        this.package = message.body.package
        break
      case 'Commit':
        report.committed()
        break
      case 'Verify':
        this.#verify = message.body
        break
      case 'End':
        report.addSourceUsage(message.body.usage)
        this.images = distinct(message.body.images ?? [])
        break
      default:
        // Nothing to note: the machine has drawn its conclusions.
        break
    }
  }
}

/**
 * The first of each: a source says each once. The guest runs here by now, and is not worth less
 * where it does not; but a guest that offers an image twice is refused everywhere.
 */
function distinct(images: readonly ImageKey[]): readonly ImageKey[] {
  const ids = images.map(({ id }) => toHex(id))
  return images.filter((_, i) => ids.indexOf(ids[i]!) === i)
}

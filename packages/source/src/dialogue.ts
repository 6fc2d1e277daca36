/**
 * What the source says to the destination, and what it notes of the answers. What follows from them
 * is the machine's business.
 *
 * @module
 */
import { PeerError } from '@godwit/core'
import type { SourceState } from '@godwit/session'
import { OWNER_EPOCH, checkEpoch, checkWelcome } from '@godwit/session'
import type { Hello, Message, MessageName, Resumed, Welcome } from '@godwit/wire'
import { errorCodeOf } from '@godwit/wire'
import { agreedTerms, reserveOf, resumeOf, switchOverOf } from './agreement.ts'
import type { Audit } from './audit.ts'
import type { Connections } from './connection.ts'
import { LackingPages } from './lacking.ts'
import type { SourceOptions } from './options.ts'
import type { Rounds } from './rounds.ts'
import type { SourceReport } from './source-report.ts'

/** What it is about. */
export interface DialogueParts {
  readonly options: SourceOptions
  readonly hello: Hello
  readonly audit: Audit
  readonly rounds: Rounds
  readonly report: SourceReport
  readonly connections: Connections
  /** Of the machine, at any time. */
  readonly state: () => SourceState
}

/** Of one migration. */
export class Dialogue {
  /** Captured, and still to be sent. */
  package: Uint8Array = new Uint8Array(0)
  /** The shortest answer so far. */
  roundTripMs = 0
  readonly #parts: DialogueParts
  #roundEndMs = 0
  #lacking: LackingPages | undefined

  constructor(parts: DialogueParts) {
    this.#parts = parts
  }

  compose(name: MessageName): Message {
    const { options, hello, audit, rounds, report, state } = this.#parts
    switch (name) {
      case 'Hello':
        report.moments.helloMs = options.clock.nowMs()
        return { name, body: hello }
      case 'Reserve':
        report.reach('reservation')
        return {
          name,
          body: {
            ...reserveOf(options.guest, options.guestName),
            static: rounds.static.offers,
          },
        }
      case 'RoundEnd':
        this.#roundEndMs = options.clock.nowMs()
        return { name, body: rounds.totals }
      case 'SwitchOver':
        return { name, body: switchOverOf(state()) }
      case 'State':
        return { name, body: { package: this.package } }
      case 'Commit':
        return { name, body: { epoch: OWNER_EPOCH } }
      case 'OwnerQuery':
        return { name, body: { epoch: OWNER_EPOCH } }
      case 'Resume':
        this.#lacking = new LackingPages(options.guest.regions, options.pageBytes)
        return { name, body: resumeOf(state()) }
      case 'Verify':
        return { name, body: audit.memory! }
      case 'End': {
        const { pages: counts, rounds: all } = rounds.log
        const pages = Object.values(counts).reduce((sum, count) => sum + count, 0)
        const { images = [] } = options
        const brought = images.length === 0 ? {} : { images }
        return { name, body: { rounds: all.length, pages, usage: report.readUsage(), ...brought } }
      }
      default:
        throw new Error(`the source does not send ${name}`)
    }
  }

  /** @throws {GodwitError} what the destination tells is wrong, or is wrong with what it tells */
  apply(message: Message): void {
    const { options, audit, rounds, report } = this.#parts
    const { moments } = report
    const nowMs = options.clock.nowMs()
    switch (message.name) {
      case 'Error': {
        const { code, text, phase } = message.body
        throw new PeerError(errorCodeOf(code), text, phase === undefined ? {} : { phase })
      }
      case 'Welcome':
        this.#welcomed(message.body, nowMs)
        break
      case 'Reserved':
        moments.reservedMs = nowMs
        if (rounds.static.offers === undefined) break
        report.reach('static')
        rounds.static.settle()
        break
      case 'StaticHeld':
        rounds.static.heard(message.body)
        break
      case 'RoundAck':
        this.roundTripMs = Math.min(this.roundTripMs, nowMs - this.#roundEndMs)
        this.#acknowledged(nowMs)
        break
      case 'Ready':
        moments.readyMs = nowMs
        break
      case 'Running':
        checkEpoch(message.body.epoch)
        moments.runningMs = nowMs
        report.reach('activation')
        break
      case 'Lacking':
        this.#lacking!.add(message.body)
        break
      case 'Resumed':
        this.#resumed(message.body, nowMs)
        break
      case 'Verified':
        moments.verifiedMs = nowMs
        report.verified(audit.memory!.digest, message.body)
        break
      case 'Final':
        audit.final = message.body
        break
      case 'EndAck':
        report.addDestinationUsage(message.body.usage)
        report.addFaults(message.body.faults)
        break
      default:
        // Nothing to note: the machine has drawn its conclusions.
        break
    }
  }

  #welcomed(welcome: Welcome, nowMs: number): void {
    const { options, hello, rounds, report, connections } = this.#parts
    checkWelcome(hello, welcome)
    this.roundTripMs = nowMs - report.moments.helloMs!
    rounds.static.agree(hello, welcome)
    rounds.terms = agreedTerms(options, welcome, rounds.static.offers !== undefined)
    report.agreed(rounds.terms.settings)
    connections.current.peerHeartbeatMs = welcome.heartbeatMs
  }

  #acknowledged(nowMs: number): void {
    const { rounds, report, state } = this.#parts
    if (state().name === 'deciding') rounds.acknowledged()
    if (report.moments.runningMs === undefined) return
    report.moments.filledMs = nowMs
    report.reach('completion')
    rounds.acknowledged()
    rounds.filled()
  }

  /** The guest runs there, whether RUNNING came or not. */
  #resumed(resumed: Resumed, nowMs: number): void {
    const { rounds, report, connections } = this.#parts
    this.#lacking!.check(resumed)
    report.moments.runningMs ??= nowMs
    rounds.resume(connections.current.epoch, resumed.round, this.#lacking!.bitmaps)
  }
}

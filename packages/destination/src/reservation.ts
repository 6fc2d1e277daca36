/**
 * What is made ready for a guest before its pages come: room, lanes, and what need not travel.
 *
 * @module
 */
import { type ZeroMemory, mayPostCopy } from '@godwit/core'
import type { ControlLink } from '@godwit/link'
import type { Arrival } from './arrival.ts'
import type { DestinationReport } from './destination-report.ts'
import type { Dialogue } from './dialogue.ts'
import type { Lanes } from './lanes.ts'
import type { DestinationOptions } from './options.ts'
import type { Ownership } from './ownership.ts'
import type { Rounds } from './rounds.ts'
import { StaticAgreement } from './static-agreement.ts'
import { zeroInPieces } from './zero-memory.ts'

export interface ReservationParts {
  readonly sessionId: string
  readonly options: DestinationOptions
  readonly dialogue: Dialogue
  readonly report: DestinationReport
  readonly arrival: Arrival
  readonly ownership: Ownership
  readonly control: ControlLink
}

/** Of one migration; once. */
export class Reservation {
  readonly #parts: ReservationParts
  readonly #static: StaticAgreement | undefined

  /** The source has said what it brings. */
  constructor(parts: ReservationParts) {
    this.#parts = parts
    const { sessionId, options, control, report } = parts
    const { hello, welcome, reserve } = parts.dialogue
    report.reserving(reserve!)
    if (options.static === undefined || reserve!.static === undefined) return
    const { clock, primitives, static: finder } = options
    const known = {
      clock,
      primitives,
      finder,
      sessionId,
      send: (body, written) => control.send({ name: 'StaticHeld', body }, written),
    } satisfies ConstructorParameters<typeof StaticAgreement>[0]
    this.#static = new StaticAgreement(known, hello!, welcome!, reserve!)
    report.static = this.#static
  }

  /**
   * Resolves when pages may come. Rejects when there is no room, or a thread cannot be had.
   *
   * @param rounds - of this session
   */
  async make(rounds: Rounds): Promise<void> {
    const { options, dialogue, report, arrival, ownership, control } = this.#parts
    const { clock, zero = zeroInPieces(clock) } = options
    const { guest, regions } = dialogue.reserve!
    const { name, ...identity } = guest
    const { remote } = control.link.channel
    await ownership.open(identity.kind, report.memoryBytes, remote)
    const isPostCopy = mayPostCopy(dialogue.hello!.mode)
    const { pageBytes } = dialogue.welcome!
    const facts = { name, session: this.#parts.sessionId, from: remote }
    const offer = { identity, pageBytes, regions, isPostCopy, ...facts }
    // Also a host that has its memory made ready has agreed to the guest: others get no threads.
    const agreed = (): void => startLanes(rounds.lanes, control, options, report)
    const makeReady: ZeroMemory = async (memory, isFresh) => {
      agreed()
      this.#static?.begin()
      await zero(memory, isFresh)
    }
    const incoming = await arrival.reserve(offer, makeReady, agreed)
    try {
      await rounds.takeMemory(incoming)
    } catch (thrown) {
      // Whoever hears of it may try again at once, in another mode: the room is there again then.
      await arrival.discard()
      throw thrown
    }
    report.reserved(rounds.kernels)
    if (this.#static === undefined) return
    report.reach('static')
    const known = await this.#static.tell()
    if (known !== undefined) rounds.lanes.know(known)
  }

  /** Nothing will come. */
  cancel(): void {
    this.#static?.cancel()
  }
}

/** Data channels come as the control channel came. */
export function startLanes(
  lanes: Lanes,
  control: ControlLink,
  options: DestinationOptions,
  report: DestinationReport,
): void {
  const { detach, detachesBeside } = control.link.channel
  const canDetach = detach !== undefined || detachesBeside === true
  const threads = canDetach ? options.lanes : undefined
  if (threads === undefined) lanes.warmUp()
  else lanes.startThreads(threads, (lane) => report.channels.add(lane))
}

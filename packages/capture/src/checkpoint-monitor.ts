/**
 * The reverse channel of a capture: states of the guest that come back while its pages follow.
 * Their pages are checked and not kept.
 *
 * @module
 */
import type { PagePlacer } from '@godwit/core'
import { PageStates, ProtocolError } from '@godwit/core'
import type { BatchDecoder, DecodedTotals, InstalledPages } from '@godwit/codec'
import { emptyTotals } from '@godwit/codec'
import type { Message } from '@godwit/wire'
import { u64FromBytes } from '@godwit/wire'
import type { MemoryImage } from './memory-image.ts'

/** Takes pages, and forgets them. */
const nowhere: PagePlacer = { put: () => {}, clear: () => {} }

/** Of one session. */
export class CheckpointMonitor {
  /** Whole ones. */
  count = 0
  readonly #decoder: BatchDecoder
  readonly #pages: readonly InstalledPages[]
  #number = 0
  #totals: DecodedTotals | undefined
  #acknowledged = 0

  constructor(
    image: MemoryImage,
    createDecoder: (regions: readonly InstalledPages[]) => BatchDecoder,
  ) {
    this.#pages = image.installed.map(({ region, written }) => ({
      region,
      written: new Uint8Array(written.length),
      fingerprints: undefined,
      states: new PageStates(new Int32Array(written.length)),
      placer: nowhere,
    }))
    this.#decoder = createDecoder(this.#pages)
  }

  /** The connection is lost: the one that was arriving will not be whole. */
  drop(): void {
    this.#totals = undefined
  }

  /** @throws {GodwitError} as a source would */
  batch(body: Uint8Array): void {
    this.#decoder.decode(body, this.#number, this.#current, true)
  }

  /** @throws {ProtocolError} `PROTOCOL_STATE`, `PROTOCOL_TOTALS` */
  said(message: Message): void {
    switch (message.name) {
      case 'CheckpointBegin':
        this.#begin(message.body.number)
        break
      case 'CheckpointEnd': {
        const { batches, pages, digest } = this.#current
        const { body } = message
        const isSame = body.batches === batches && body.pages === pages
        if (body.number !== this.#number) throw outOfTurn(message.name, body.number)
        if (!isSame || u64FromBytes(body.digest) !== digest) {
          const text = `Checkpoint ${body.number} counts ${body.pages} pages; ${pages} came`
          throw new ProtocolError('PROTOCOL_TOTALS', `${text}, or others`)
        }
        this.#totals = undefined
        this.count++
        break
      }
      case 'CheckpointAck': {
        const { number } = message.body
        const isDue = this.#totals === undefined && number === this.#number
        if (!isDue || number === this.#acknowledged) throw outOfTurn(message.name, number)
        this.#acknowledged = number
        break
      }
      default:
        throw outOfTurn(message.name, this.#number)
    }
  }

  #begin(number: number): void {
    if (this.#totals !== undefined || number <= this.#number) {
      throw outOfTurn('CheckpointBegin', number)
    }
    this.#number = number
    this.#totals = emptyTotals()
    for (const { states, written } of this.#pages) states!.discard(0, written.length)
  }

  get #current(): DecodedTotals {
    if (this.#totals !== undefined) return this.#totals
    throw new ProtocolError('PROTOCOL_STATE', 'Pages of a checkpoint came, and none had begun')
  }
}

function outOfTurn(name: string, number: number): ProtocolError {
  return new ProtocolError('PROTOCOL_STATE', `${name} of checkpoint ${number} came out of turn`)
}

/**
 * The part of a migration in which the guest runs at the destination and its pages follow: which
 * pages those are, and who sends them.
 *
 * @module
 */
import type { GodwitError, PageBitmap, PageHasher } from '@godwit/core'
import type { Primitives, SentPages, Workspace } from '@godwit/codec'
import type { FetchName } from '@godwit/policy'
import type { Discard } from '@godwit/wire'
import { BATCH_ENTRIES_MAX, ChannelRole, encodePageRuns } from '@godwit/wire'
import type { Channels } from './channels.ts'
import { FaultBoard } from './fault-board.ts'
import type { SourceLanes } from './lanes.ts'
import type { Reverse } from './reverse.ts'
import type { LaneRound, PushWork, RoundWork } from './round-work.ts'
import { cutPieces, sumOf } from './round-work.ts'
import { Urgent } from './urgent.ts'

export interface PostCopyOptions {
  readonly pageBytes: number
  readonly primitives: Primitives
  readonly createHasher: (workspace: Workspace) => PageHasher
  readonly sent: readonly SentPages[]
  readonly fetch: FetchName
  readonly onLost: (error: GodwitError | undefined) => void
  /** Where the guest's state is to come back meanwhile. */
  readonly reverse: Reverse | undefined
}

/** Post-copy of one migration. */
export class PostCopy {
  readonly #options: PostCopyOptions
  readonly #board = new FaultBoard()
  #urgent: Urgent | undefined
  #push: PushWork | undefined
  #isReleased = false
  #round = 0

  constructor(options: PostCopyOptions) {
    this.#options = options
  }

  async open(channels: Channels): Promise<void> {
    await channels.dial(ChannelRole.Urgent, 0, (link) => {
      this.#urgent = new Urgent(link, this.#options)
      // The guest may be waiting for pages already.
      if (this.#isReleased) this.release()
      return this.#urgent
    })
    await this.#options.reverse?.open(channels)
  }

  /** A round of pre-copy begins: nothing of it goes on the urgent channel. */
  skip(round: number): void {
    this.#urgent?.skip(round)
  }

  /**
   * The guest is paused: these pages are to come.
   *
   * @param left - shared; taken over
   * @param send - sends one DISCARD
   */
  discard(round: number, left: readonly PageBitmap[], send: (body: Discard) => void): void {
    const { fetch, sent } = this.#options
    this.#round = round
    this.#push = { left, board: this.#board, fetch }
    for (const [index, bitmap] of left.entries()) {
      const region = sent[index]!.region.id
      for (const runs of runsOf(bitmap)) send({ region, runs })
    }
  }

  /** The guest is the destination's: it may ask for pages. */
  release(): void {
    this.#isReleased = true
    this.#options.reverse?.release()
    if (this.#push !== undefined) this.#urgent!.begin(this.#round, this.#round > 1, this.#push)
  }

  /**
   * The destination has been reached anew: these pages are to come, as `round`.
   *
   * @param left - shared; taken over
   */
  resume(round: number, left: readonly PageBitmap[]): void {
    this.#round = round
    this.#push = { left, board: this.#board, fetch: this.#options.fetch }
  }

  /** Sends all pages that were discarded; resolves when they were handed to the sockets. */
  async send(lanes: SourceLanes): Promise<LaneRound> {
    const round = this.#round
    const push = this.#push!
    const dirty = push.left
    const marks = { untouched: undefined, again: undefined }
    const work: RoundWork = { round, known: round > 1, dirty, ...marks, ...cutPieces([], 1), push }
    const done = await lanes.sendRound(work)
    return sumOf([done, await this.#urgent!.end()])
  }

  close(): void {
    this.#urgent?.close()
    this.#options.reverse?.close()
  }
}

/** The runs of a set, as many to a frame as it may have. */
function* runsOf(bitmap: PageBitmap): Generator<Uint8Array> {
  let runs: { firstPage: number; pageCount: number }[] = []
  for (let first = bitmap.nextSet(0); first < bitmap.pageCount; ) {
    const end = bitmap.nextClear(first)
    runs.push({ firstPage: first, pageCount: end - first })
    if (runs.length === BATCH_ENTRIES_MAX) {
      yield encodePageRuns(runs)
      runs = []
    }
    first = bitmap.nextSet(end)
  }
  if (runs.length > 0) yield encodePageRuns(runs)
}

/**
 * The part of a migration in which the guest runs at the destination and its pages follow: which
 * pages those are, and who sends them.
 *
 * @module
 */
import type { ChannelSink, GodwitError, HashName, PageHasher } from '@godwit/core'
import { PageBitmap } from '@godwit/core'
import type { Primitives, SentPages, Workspace } from '@godwit/codec'
import { Tally } from '@godwit/link'
import type { FetchName } from '@godwit/policy'
import type { Discard } from '@godwit/wire'
import { BATCH_ENTRIES_MAX, ChannelRole, encodePageRuns } from '@godwit/wire'
import type { Channels } from './channels.ts'
import { FaultBoard } from './fault-board.ts'
import type { SourceLanes } from './lanes.ts'
import type { UrgentThreads } from './remote-urgent.ts'
import { RemoteUrgent } from './remote-urgent.ts'
import type { Reverse } from './reverse.ts'
import type { LaneRound, PushWork, RoundWork } from './round-work.ts'
import { cutPieces, sumOf } from './round-work.ts'
import type { UrgentChannel } from './urgent.ts'
import { Urgent } from './urgent.ts'

export interface PostCopyOptions {
  readonly pageBytes: number
  readonly primitives: Primitives
  readonly createHasher: (workspace: Workspace) => PageHasher
  readonly sent: readonly SentPages[]
  readonly fetch: FetchName
  readonly onLost: (error: GodwitError | undefined) => void
  /** For a thread of its own; without it, the urgent channel is served on the calling thread. */
  readonly threads: UrgentThreads | undefined
  readonly hash: HashName
  readonly seed: Uint8Array
  /** Where the guest's state is to come back meanwhile. */
  readonly reverse: Reverse | undefined
}

/** Where bytes go that come before a channel is given to a thread: there are none. */
const nobody: ChannelSink = {
  space: () => new Uint8Array(1),
  received() {
    throw new Error('a destination does not speak first')
  },
  closed() {},
}

/** Post-copy of one migration. */
export class PostCopy {
  readonly #options: PostCopyOptions
  readonly #board = new FaultBoard()
  #urgent: UrgentChannel | undefined
  /** Of the connection, where it has a thread. */
  #remote: RemoteUrgent | undefined
  /** Of all connections. */
  readonly #threads = new Tally()
  #push: PushWork | undefined
  /** Told before the pause. */
  #announced: readonly PageBitmap[] = []
  #isReleased = false
  #round = 0
  /** What the destination holds of the pages that are to come is what was sent of them. */
  #isKnown = false

  constructor(options: PostCopyOptions) {
    this.#options = options
  }

  /** Starts the thread, which gets ready while the destination reserves memory. */
  prepare(memoryBytes: number): void {
    const { threads } = this.#options
    if (threads === undefined) return
    this.#remote = new RemoteUrgent(threads, { ...this.#options, memoryBytes })
    this.#threads.add(this.#remote)
  }

  async open(channels: Channels): Promise<void> {
    await this.#openUrgent(channels)
    await this.#options.reverse?.open(channels)
  }

  async #openUrgent(channels: Channels): Promise<void> {
    const channel = await channels.connect(ChannelRole.Urgent)
    const remote = this.#remote
    if (remote !== undefined) {
      channel.open(nobody)
      this.#urgent = remote
      const preface = channels.prefaceOf(ChannelRole.Urgent, 0)
      if (channel.detach !== undefined) {
        await remote.open(channel, preface, channels.secret)
        this.#mayRelease()
        return
      }
      remote.close()
    }
    await channels.introduce(channel, ChannelRole.Urgent, 0, (link) => {
      const urgent = new Urgent(link, this.#options)
      this.#urgent = urgent
      this.#mayRelease()
      return urgent
    })
  }

  /** After a loss, the guest may be waiting for pages already. */
  #mayRelease(): void {
    if (this.#isReleased) this.release()
  }

  /** A round of pre-copy begins: nothing of it goes on the urgent channel. */
  skip(round: number): void {
    this.#urgent?.skip(round)
  }

  /**
   * The guest is about to be paused: these pages are to come, whatever it still does.
   *
   * @param pending - borrowed for the call
   * @param send - sends one DISCARD
   */
  announce(pending: readonly PageBitmap[], send: (body: Discard) => void): void {
    this.#announced = pending.map(
      ({ pageCount, words }) => new PageBitmap(pageCount, words.slice()),
    )
    this.#tell(this.#announced, send)
  }

  /**
   * The guest is paused: these pages are to come, and no others.
   *
   * @param left - shared; taken over
   */
  discard(round: number, left: readonly PageBitmap[], send: (body: Discard) => void): void {
    this.#round = round
    this.#isKnown = round > 1
    this.#push = { left, board: this.#board, fetch: this.#options.fetch }
    const later = left.map(({ pageCount, words }, index) => {
      const bitmap = new PageBitmap(pageCount, words.slice())
      bitmap.removeAll(this.#announced[index]!)
      return bitmap
    })
    this.#tell(later, send)
  }

  #tell(bitmaps: readonly PageBitmap[], send: (body: Discard) => void): void {
    for (const [index, bitmap] of bitmaps.entries()) {
      const region = this.#options.sent[index]!.region.id
      for (const runs of runsOf(bitmap)) send({ region, runs })
    }
  }

  /** The guest is the destination's: it may ask for pages. */
  release(): void {
    this.#isReleased = true
    this.#options.reverse?.release()
    if (this.#push !== undefined) this.#urgent!.begin(this.#round, this.#isKnown, this.#push)
  }

  /**
   * The destination has been reached anew: these pages are to come, as `round`.
   *
   * @param left - shared; taken over
   */
  resume(round: number, left: readonly PageBitmap[]): void {
    this.#round = round
    // What was sent of these pages may have been lost with the connection.
    this.#isKnown = false
    this.#push = { left, board: this.#board, fetch: this.#options.fetch }
  }

  /** Sends all pages that were discarded; resolves when they were handed to the sockets. */
  async send(lanes: SourceLanes): Promise<LaneRound> {
    const round = this.#round
    const push = this.#push!
    const dirty = push.left
    const marks = { untouched: undefined, again: undefined, leavesAgain: false, left: undefined }
    const work: RoundWork = {
      round,
      known: this.#isKnown,
      mayLack: false,
      dirty,
      ...marks,
      ...cutPieces([], 1),
      push,
    }
    const done = await lanes.sendRound(work)
    const urgent = await new Promise<LaneRound>((resolve) => this.#urgent!.end(resolve))
    return sumOf([done, urgent])
  }

  /** Of a thread of its own; exact when {@link ended}. */
  get wireBytes(): number {
    return this.#threads.wireBytes
  }

  /** Of a thread of its own. */
  get cpuSeconds(): number {
    return this.#threads.cpuSeconds
  }

  close(): void {
    this.#urgent?.close()
    this.#remote?.close()
    this.#options.reverse?.close()
  }

  /** Resolves when the threads are gone, if there are any. */
  async ended(): Promise<void> {
    await this.#threads.ended()
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

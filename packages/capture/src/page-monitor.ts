/**
 * The data plane of a session in a capture: every page is decoded into an image of memory of its
 * own, every total and digest compared.
 *
 * @module
 */
import { GodwitError, ProtocolError, hasRounds, mayPostCopy } from '@godwit/core'
import type { BatchFeatures, InstalledPages, Primitives, StaticContents } from '@godwit/codec'
import {
  BatchDecoder,
  NO_FEATURES,
  Workspace,
  batchDecoderBytes,
  featuresOf,
  sumOfTotals,
  verifyHash,
} from '@godwit/codec'
import type {
  Hello,
  Message,
  Reserve,
  Resumed,
  RoundBegin,
  RoundEnd,
  Verified,
  Verify,
  Welcome,
} from '@godwit/wire'
import { ChannelRole, u64FromBytes } from '@godwit/wire'
import { CheckpointMonitor } from './checkpoint-monitor.ts'
import type { CapturedLine } from './conversation.ts'
import type { RoundInForce } from './lane-monitor.ts'
import { LaneMonitor } from './lane-monitor.ts'
import type { Side } from './layout.ts'
import type { MemoryBudget } from './memory-image.ts'
import { MemoryImage } from './memory-image.ts'
import { PostCopyMonitor } from './post-copy-monitor.ts'

/** What both sides agreed on. */
export interface Agreement {
  readonly hello: Hello
  readonly welcome: Welcome
  readonly reserve: Reserve
  /** What the destination said that it holds; undefined where it said nothing. */
  readonly staticPages: StaticContents | undefined
}

/** Where the control plane is. */
export interface Standing {
  /** Pages may come. */
  readonly mayInstall: boolean
  /** The guest runs, or is to run, before they do. */
  readonly isPostCopy: boolean
  /** It was handed over. */
  readonly isOwned: boolean
}

/** What was found right. */
export interface PageCounts {
  batches: number
  pages: number
  rounds: number
  naks: number
  repairs: number
  /** Pages whose content was named, and is not in the stream. */
  hidden: number
  checkpoints: number
  digests: number
}

/** Of one session. */
export class PageMonitor {
  readonly image: MemoryImage
  /** What it may come to hold: the guest, and stores of older versions. */
  readonly byteLength: number
  readonly counts: PageCounts
  #agreed: Agreement
  readonly #primitives: Primitives
  readonly #postCopy: PostCopyMonitor
  #checkpoints: CheckpointMonitor | undefined
  /** Of the connection there is: by the number of their channel in the file. */
  readonly #lanes = new Map<number, LaneMonitor>()
  /** Data channels by index, and `urgent`: each once in a connection. */
  readonly #taken = new Set<string>()
  #acknowledged = 0
  #begun: RoundBegin | undefined
  #ended: RoundEnd | undefined
  #verify: Verify | undefined

  /** @throws {LimitError} `NO_ROOM` */
  constructor(agreed: Agreement, primitives: Primitives, budget: MemoryBudget, counts: PageCounts) {
    const { hello, welcome, reserve } = agreed
    const { references } = featuresOf(welcome.capabilities)
    const storeBytes = references ? (welcome.storeBytes ?? 0) * welcome.dataChannels : 0
    const guestBytes = reserve.regions.reduce((sum, { byteLength }) => sum + byteLength, 0)
    const { sets = [] } = agreed.staticPages ?? {}
    const entries = sets.reduce((sum, { entryCount }) => sum + entryCount, 0)
    this.byteLength = guestBytes + storeBytes + entries
    budget.take(this.byteLength)
    this.#agreed = agreed
    this.#primitives = primitives
    this.counts = counts
    this.image = new MemoryImage(hello, reserve, welcome.pageBytes, primitives)
    this.#postCopy = new PostCopyMonitor(this.image)
  }

  /** A batch. @throws {GodwitError} as its receiver would */
  batch(line: CapturedLine, from: Side, body: Uint8Array, standing: Standing): void {
    this.counts.batches++
    if (roleOf(line) === ChannelRole.Reverse) {
      if (from === 'source') throw misplaced('Pages', from)
      this.#reverse(line, standing).batch(body)
      return
    }
    if (from === 'destination') throw misplaced('Pages', from)
    this.#laneOf(line).pages(body, this.#inForce(standing))
  }

  /** A message on a channel for pages. @throws {GodwitError} as its receiver would */
  message(line: CapturedLine, from: Side, message: Message, standing: Standing): void {
    const isFromSource = message.name === 'Barrier' || message.name === 'CheckpointAck'
    if (isFromSource !== (from === 'source')) throw misplaced(message.name, from)
    if (roleOf(line) === ChannelRole.Reverse) {
      const checkpoints = this.#reverse(line, standing)
      checkpoints.said(message)
      this.counts.checkpoints += message.name === 'CheckpointEnd' ? 1 : 0
      return
    }
    const lane = this.#laneOf(line)
    switch (message.name) {
      case 'Barrier':
        lane.barrier(message.body, this.#inForce(standing))
        break
      case 'Credit':
        lane.credit(message.body)
        break
      case 'Nak': {
        const { isPostCopy } = standing
        lane.nak(message.body, { round: this.#acknowledged + 1, isPostCopy })
        this.counts.naks++
        break
      }
      case 'PageRequest':
        if (!standing.isOwned || !standing.isPostCopy) throw misplaced(message.name, from)
        this.#postCopy.ask(message.body)
        break
      default:
        throw misplaced(message.name, from)
    }
  }

  /** A message on the control channel that came in its place. @throws {GodwitError} */
  control(message: Message): void {
    switch (message.name) {
      case 'RoundBegin':
        this.#begin(message.body)
        break
      case 'RoundEnd':
        this.#ended = message.body
        break
      case 'RoundAck':
        this.#acknowledge(message.body.round)
        break
      case 'Discard':
        this.#postCopy.discard(message.body)
        break
      case 'Lacking':
        this.#postCopy.addLacking(message.body)
        break
      case 'Resumed':
        this.#resume(message.body)
        break
      case 'Verify':
        this.#checkVerify(message.body)
        break
      case 'Verified':
        this.#checkVerified(message.body)
        break
      default:
        break
    }
  }

  #begin(begin: RoundBegin): void {
    this.#begun = begin
    if (begin.kind !== 'post-copy') return
    const { missingPages } = this.#postCopy
    // Pages may be sent from COMMIT on: fewer are missing then.
    if (begin.pages >= missingPages) return
    const text = `ROUND_BEGIN speaks of ${begin.pages} pages; ${missingPages} are to come`
    throw new ProtocolError('PROTOCOL_TOTALS', text)
  }

  #acknowledge(round: number): void {
    const { dataChannels } = this.#agreed.welcome
    const channels = dataChannels + (mayPostCopy(this.#agreed.hello.mode) ? 1 : 0)
    const lanes = [...this.#lanes.values()]
    const obstacle = lanes.length < channels ? 'a channel' : lanes.find((one) => one.obstacle)
    if (obstacle !== undefined || this.#ended === undefined) {
      const why = typeof obstacle === 'string' ? 'a channel was not there' : obstacle?.obstacle
      const text = `Round ${round} was acknowledged, although ${why ?? 'it had not ended'}`
      throw new ProtocolError('PROTOCOL_TOTALS', text)
    }
    const { batches, pages, digest } = sumOfTotals(lanes.map(({ passed }) => passed!))
    const isSame = this.#ended.batches === batches && this.#ended.pages === pages
    if (!isSame || u64FromBytes(this.#ended.digest) !== digest) {
      const text = `ROUND_END counts ${this.#ended.pages} pages in round ${round}; ${pages} came`
      throw new ProtocolError('PROTOCOL_TOTALS', `${text}, or others`)
    }
    this.#checkSet(this.#begun!, pages, this.#ended.held ?? 0)
    this.counts.rounds++
    this.counts.pages += pages
    this.#nextRound(round, lanes)
  }

  /** As many pages came as the round's set has, where all of it must come. */
  #checkSet(begin: RoundBegin, pages: number, held: number): void {
    const { mode } = this.#agreed.hello
    if (begin.kind === 'post-copy') this.#postCopy.finish()
    const isWhole = begin.kind === 'full' && mode === 'pre-copy'
    const isAll = isWhole || (begin.kind === 'final' && !hasRounds(mode))
    const least = isAll ? this.image.pageCount : 0
    const most = begin.open === true ? this.image.pageCount : begin.pages
    if (pages + held >= least && pages + held <= most) return
    const text = `Of the ${begin.pages} pages of round ${begin.round} ${pages} came`
    throw new ProtocolError('PROTOCOL_TOTALS', `${text}, and ${held} were held back`)
  }

  #nextRound(round: number, lanes: readonly LaneMonitor[]): void {
    this.#acknowledged = round
    this.#begun = undefined
    this.#ended = undefined
    this.image.forgetSeen()
    for (const lane of lanes) {
      this.counts.repairs += lane.repairs
      this.counts.hidden += lane.hidden
      lane.repairs = 0
      lane.hidden = 0
      lane.nextRound()
    }
  }

  /** The destination has another connection: it is about to tell what it lacks. */
  reconnected(): void {
    this.#lanes.clear()
    this.#taken.clear()
    this.#agreed = { ...this.#agreed, staticPages: undefined }
    this.#checkpoints?.drop()
    this.#postCopy.reconnected()
  }

  /** What is lacking comes in the round of RESUMED. */
  #resume(resumed: Resumed): void {
    this.#nextRound(resumed.round - 1, [])
    this.#postCopy.resume(resumed)
  }

  #checkVerify(verify: Verify): void {
    this.#verify = verify
    const own = this.image.digest()
    const asked = new Map(verify.regions.map(({ id, digest }) => [id, digest]))
    const known = own.regions.filter(({ id }) => this.image.isKnown(id))
    const isWhole = known.length === own.regions.length
    const differing = known.filter(({ id, digest }) => !sameBytes(digest, asked.get(id)))
    if (differing.length === 0 && (!isWhole || sameBytes(own.digest, verify.digest))) {
      this.counts.digests += isWhole ? 1 : 0
      return
    }
    const ids = differing.map(({ id }) => id).join(', ')
    const text = `The source's memory is not what was sent: regions ${ids || 'none'} differ`
    throw new GodwitError('VERIFY_FAILED', text)
  }

  #checkVerified({ equal, digest }: Verified): void {
    if (equal && sameBytes(digest, this.#verify?.digest)) return
    const text = "The destination's memory is not what it was sent"
    throw new GodwitError('VERIFY_FAILED', text)
  }

  #inForce({ mayInstall, isPostCopy }: Standing): RoundInForce {
    if (mayInstall) return { round: this.#acknowledged + 1, isPostCopy }
    throw new ProtocolError('PROTOCOL_STATE', 'Pages came out of turn')
  }

  #reverse(line: CapturedLine, { isOwned }: Standing): CheckpointMonitor {
    const isAgreed = this.#agreed.hello.checkpointMs !== undefined
    if (!isAgreed || !isOwned) {
      throw new ProtocolError('PROTOCOL_STATE', `A checkpoint came on ${line.name} out of turn`)
    }
    this.#checkpoints ??= new CheckpointMonitor(this.image, (regions) => {
      return this.#createDecoder(regions, NO_FEATURES, 0, false)
    })
    return this.#checkpoints
  }

  /** @throws {ProtocolError} `PROTOCOL_STATE`: such a channel was not agreed, or there is one */
  #laneOf(line: CapturedLine): LaneMonitor {
    const there = this.#lanes.get(line.number)
    if (there !== undefined) return there
    const { hello, welcome } = this.#agreed
    const { role, index } = line.prefaces.source!
    const isUrgent = role === ChannelRole.Urgent
    const isAgreed = isUrgent ? mayPostCopy(hello.mode) : index < welcome.dataChannels
    if (!isAgreed || this.#taken.has(`${role} ${index}`)) {
      throw new ProtocolError('PROTOCOL_STATE', `The channel ${line.name} is not expected`)
    }
    this.#taken.add(`${role} ${index}`)
    const features = isUrgent ? NO_FEATURES : featuresOf(welcome.capabilities)
    const storeBytes = isUrgent ? 0 : (welcome.storeBytes ?? 0)
    const { installed } = this.image
    const staticPages = isUrgent ? undefined : this.#agreed.staticPages
    const lane = new LaneMonitor({
      decoder: this.#createDecoder(installed, features, storeBytes, true, staticPages),
      image: this.image,
      postCopy: this.#postCopy,
      isUrgent,
      mayNak: !isUrgent && (features.references || features.delta || staticPages !== undefined),
      creditBytes: welcome.creditBytes,
    })
    this.#lanes.set(line.number, lane)
    return lane
  }

  #createDecoder(
    regions: readonly InstalledPages[],
    features: BatchFeatures,
    storeBytes: number,
    verifies: boolean,
    staticPages?: StaticContents,
  ): BatchDecoder {
    const { hash, fingerprintSeed, verify, verifySeed } = this.#agreed.hello
    const { pageBytes } = this.image
    const workspace = new Workspace(this.#primitives, batchDecoderBytes(pageBytes, regions.length))
    const hasher = workspace.createHasher(hash, fingerprintSeed)
    const verifyName = verifies ? verifyHash(verify, hash) : undefined
    const verifyHasher = verifyName && workspace.createHasher(verifyName, verifySeed)
    const { compressors } = this.#primitives
    const agreed = { pageBytes, regions, features, storeBytes, staticPages }
    return new BatchDecoder({ ...agreed, workspace, hasher, verifyHasher, compressors })
  }
}

function roleOf(line: CapturedLine): ChannelRole {
  return line.prefaces.source!.role
}

function misplaced(name: string, from: Side): ProtocolError {
  return new ProtocolError('PROTOCOL_STATE', `The ${from} said ${name}, which is not its to say`)
}

function sameBytes(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && a.length === b.length && a.every((byte, index) => byte === b[index])
}

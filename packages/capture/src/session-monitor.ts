/**
 * One session of a capture: both sides' conduct, and what their pages come to, over all
 * connections.
 *
 * A capture is seen from one side. What the other said may have been on its way when this side went
 * on, so that the two are looked at apart where they may be apart: while one of them has failed, or
 * has connected anew.
 *
 * @module
 */
import type { Region } from '@godwit/core'
import { GodwitError, PeerError, ProtocolError } from '@godwit/core'
import type { Primitives } from '@godwit/codec'
import {
  SESSION_VERSION,
  checkStaticOffers,
  checkWelcome,
  isInterruptible,
  isPostCopy,
  mayInstall,
  negotiate,
  ownsGuest,
} from '@godwit/session'
import type { Frame, Hello, Message, Reserve, Welcome } from '@godwit/wire'
import { ChannelRole, FrameType, decodeMessage, errorCodeOf } from '@godwit/wire'
import type { CapturedLine } from './conversation.ts'
import { HeldContents } from './held-contents.ts'
import { DestinationConduct } from './destination-conduct.ts'
import type { Side } from './layout.ts'
import type { MemoryBudget } from './memory-image.ts'
import type { PageCounts, Standing } from './page-monitor.ts'
import { PageMonitor } from './page-monitor.ts'
import { SourceConduct } from './source-conduct.ts'

/** What monitors share. */
export interface MonitorParts {
  readonly primitives: Primitives
  readonly budget: MemoryBudget
  /** Of all sessions. */
  readonly counts: PageCounts & { messages: number }
  /** Gets memory as it was sent, when a session has ended; borrowed for the call. */
  readonly onImage: ((session: string, regions: readonly Region[]) => void) | undefined
}

/** How a session ended, as far as it was captured. */
export interface SessionSummary {
  readonly session: string
  readonly mode: string
  readonly version: number | undefined
  /** States of both machines. */
  readonly source: string
  readonly destination: string
  readonly connections: number
}

/** With this a connection begins that is not the first. */
type Opening = Message & { readonly name: 'Resume' | 'OwnerQuery' }

/** Of one session. */
export class SessionMonitor {
  readonly id: string
  /** Once memory was reserved, and until nobody needs it. */
  pages: PageMonitor | undefined
  readonly #parts: MonitorParts
  readonly #source = new SourceConduct()
  readonly #destination = new DestinationConduct()
  /** Of the connections that each side takes for the current one. */
  readonly #epochs: Record<Side, number> = { source: 0, destination: 0 }
  /** Who said ERROR, by the channel's number in the file: nothing more comes of him there. */
  readonly #errors = new Map<number, Side>()
  /** Of the control channel of the connection: ERROR was said there. */
  #isOver = false
  /** What later connections began with, where the destination has not answered; by epoch. */
  readonly #openings = new Map<number, Opening>()
  #hello: Hello | undefined
  #welcome: Welcome | undefined
  #reserve: Reserve | undefined
  #static: HeldContents | undefined

  constructor(id: string, parts: MonitorParts) {
    this.id = id
    this.#parts = parts
  }

  get summary(): SessionSummary {
    return {
      session: this.id,
      mode: this.#hello?.mode ?? '?',
      version: this.#welcome?.version,
      source: this.#source.state.name,
      destination: this.#destination.state.name,
      connections: this.#epochs.source + 1,
    }
  }

  get isFinished(): boolean {
    return this.#source.isFinished && this.#destination.isFinished
  }

  /** @throws {GodwitError} the frame is not right, or not in its place */
  frame(line: CapturedLine, from: Side, frame: Frame): void {
    const { role, epoch } = line.prefaces.source!
    const said = this.#errors.get(line.number)
    if (said === from) {
      throw new ProtocolError('PROTOCOL_STATE', `The ${from} went on after its ERROR`)
    }
    const message =
      frame.type === FrameType.Pages ? undefined : decodeMessage(frame.type, frame.body)
    if (message !== undefined) this.#parts.counts.messages++
    if (message?.name === 'Error') this.#errors.set(line.number, from)
    if (said !== undefined) return
    if (role === ChannelRole.Control) {
      if (from === 'source') this.#fromSource(epoch, message!)
      else this.#fromDestination(epoch, message!)
      this.#release()
    } else if (message?.name !== 'Error') this.#page(line, from, frame, message)
  }

  /** A channel is closed. */
  closed(line: CapturedLine): void {
    const { role, epoch } = line.prefaces.source!
    if (role === ChannelRole.Control) this.#openings.delete(epoch)
    const isCurrent = role === ChannelRole.Control && epoch === this.#epochs.destination
    // Where post-copy goes on the guest needs what is here.
    if (isCurrent && !isInterruptible(this.#destination.state)) {
      if (this.#destination.state.name === 'paused') return
      this.#isOver = true
      if (!this.#destination.mayHold) this.#drop()
    }
  }

  #page(line: CapturedLine, from: Side, frame: Frame, message: Message | undefined): void {
    const { epoch } = line.prefaces.source!
    // What comes on a connection that was left, or is over, counts for nothing.
    if (this.#isOver || epoch < this.#epochs.destination) return
    if (epoch > this.#epochs.destination || this.pages === undefined) {
      throw new ProtocolError('PROTOCOL_STATE', `The channel ${line.name} came too early`)
    }
    if (message?.name === 'PageRequest') this.#destination.asksForPages()
    const standing = this.#standing
    if (message === undefined) this.pages.batch(line, from, frame.body, standing)
    else this.pages.message(line, from, message, standing)
  }

  get #standing(): Standing {
    const { state } = this.#destination
    return {
      mayInstall: mayInstall(state),
      isPostCopy: isPostCopy(state),
      isOwned: ownsGuest(state),
    }
  }

  #fromSource(epoch: number, message: Message): void {
    if (message.name === 'Heartbeat' || epoch < this.#epochs.source) return
    if (message.name === 'Error') {
      if (epoch === this.#epochs.source) this.#source.lost(ownError(message))
      if (epoch === this.#epochs.destination) this.#failDestination(peerError(message))
      return
    }
    if (epoch > this.#epochs.source) return this.#connect(epoch, message)
    this.#source.said(message)
    if (message.name === 'Hello') this.#greet(message.body)
    if (message.name === 'Reserve') this.#take(message.body)
    if (epoch !== this.#epochs.destination) return
    this.#destination.heard(message)
    this.pages?.control(message)
  }

  #fromDestination(epoch: number, message: Message): void {
    if (message.name === 'Heartbeat' || epoch < this.#epochs.destination) return
    if (message.name === 'Error') {
      if (epoch === this.#epochs.source) this.#source.lost(peerError(message))
      // A new connection that is refused leaves everything as it was.
      if (epoch === this.#epochs.destination) this.#failDestination(ownError(message))
      return
    }
    if (epoch > this.#epochs.destination) this.#answer(epoch, message)
    else this.#destination.said(message)
    if (message.name === 'Welcome') this.#agree(message.body)
    if (epoch === this.#epochs.source) this.#source.heard(message)
    if (message.name === 'StaticHeld') this.#static!.add(message.body)
    if (message.name === 'Reserved') this.#begin()
    this.pages?.control(message)
  }

  #failDestination(error: GodwitError): void {
    this.#isOver = true
    this.#destination.lost(error)
  }

  /** The source takes a new connection for the current one. */
  #connect(epoch: number, message: Message): void {
    if (message.name === 'OwnerQuery') this.#source.asked(message, epoch)
    else if (message.name === 'Resume' && message.body.epoch === epoch) {
      this.#source.resumed(message)
    } else {
      const text = `The source said ${message.name} on connection ${epoch}`
      throw new ProtocolError('PROTOCOL_STATE', text)
    }
    this.#epochs.source = epoch
    this.#openings.set(epoch, message)
  }

  /** The destination takes a new connection for the current one. */
  #answer(epoch: number, message: Message): void {
    const opening = this.#openings.get(epoch)
    if (opening === undefined) {
      const text = `The destination said ${message.name} on connection ${epoch}, unasked`
      throw new ProtocolError('PROTOCOL_STATE', text)
    }
    if (opening.name === 'Resume') {
      this.#destination.resumed(opening)
      this.#destination.said(message)
    } else this.#destination.answered(opening, epoch, message)
    this.#openings.delete(epoch)
    this.#epochs.destination = epoch
    this.#isOver = false
    this.pages?.reconnected()
  }

  #greet(hello: Hello): void {
    this.#hello = hello
    const terms = { mode: hello.mode, verify: hello.verify !== 'none' }
    this.#source.terms = { ...this.#source.terms, ...terms }
    this.#destination.terms = { ...this.#destination.terms, ...terms }
  }

  /** @throws {GodwitError} the terms do not follow from each other */
  #agree(welcome: Welcome): void {
    const hello = this.#hello!
    this.#welcome = welcome
    checkWelcome(hello, welcome)
    // What the destination was able to do is what it said that it would.
    const { version, capabilities, pageBytes, dataChannels, heartbeatMs, software } = welcome
    if (version > SESSION_VERSION) {
      const text = `The stream is of protocol ${version}; this release knows ${SESSION_VERSION}`
      throw new ProtocolError('PROTOCOL_VERSION', text)
    }
    const terms = { capabilities, pageBytes: [pageBytes], dataChannelsMax: dataChannels }
    const versions = { minimum: version, maximum: version }
    negotiate(hello, { ...terms, heartbeatMs, software }, versions)
    const agreed = {
      final: welcome.finalAfterMs !== undefined,
      asks: welcome.capabilities.includes('ownership'),
    }
    this.#source.terms = { ...this.#source.terms, ...agreed }
    this.#destination.terms = { ...this.#destination.terms, ...agreed }
  }

  /** @throws {GodwitError} what is offered may not be */
  #take(reserve: Reserve): void {
    const { staticNonce, pageBytes } = this.#welcome!
    checkStaticOffers(reserve, staticNonce !== undefined, pageBytes)
    this.#reserve = reserve
    this.#static = new HeldContents(reserve, pageBytes)
  }

  #begin(): void {
    const staticPages = this.#static!.contents
    const [hello, welcome, reserve] = [this.#hello!, this.#welcome!, this.#reserve!]
    const agreed = { hello, welcome, reserve, staticPages }
    const { primitives, budget, counts } = this.#parts
    this.pages = new PageMonitor(agreed, primitives, budget, counts)
  }

  #release(): void {
    if (this.isFinished) this.#drop()
  }

  /** Nothing more comes of it. */
  end(): void {
    this.#drop()
  }

  #drop(): void {
    if (this.pages === undefined) return
    this.#parts.onImage?.(this.id, this.pages.image.regions)
    this.#parts.budget.giveBack(this.pages.byteLength)
    this.pages = undefined
  }
}

/** As the side takes it that says it. */
function ownError({ body }: Message & { readonly name: 'Error' }): GodwitError {
  return new GodwitError(errorCodeOf(body.code), body.text)
}

/** As the other one takes it. */
function peerError({ body }: Message & { readonly name: 'Error' }): PeerError {
  return new PeerError(errorCodeOf(body.code), body.text)
}

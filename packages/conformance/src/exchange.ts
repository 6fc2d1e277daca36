/**
 * What comes on all channels of one session, in the order of its coming, and waiting for it.
 *
 * @module
 */
import type { ErrorCode } from '@godwit/core'
import type { Message, MessageBodies, MessageName } from '@godwit/wire'
import { errorCodeOf } from '@godwit/wire'
import { Failure, show } from './failure.ts'
import type { Heard, RawChannel } from './raw-channel.ts'
import type { Trace } from './trace.ts'

interface Event {
  readonly channel: RawChannel
  readonly heard: Heard
}

/** Of one session. */
export class Exchange {
  readonly trace: Trace
  readonly #timeoutMs: number
  #events: Event[] = []
  #wake: () => void = () => {}
  /** HEARTBEATs that came; they are told to nobody else. */
  heartbeats = 0

  constructor(trace: Trace, timeoutMs: number) {
    this.trace = trace
    this.#timeoutMs = timeoutMs
  }

  readonly tell = (channel: RawChannel, heard: Heard): void => {
    if (heard.kind === 'message' && heard.message.name === 'Heartbeat') this.heartbeats++
    else this.#events.push({ channel, heard })
    this.#wake()
  }

  /**
   * The first thing that `wanted` picks; others stay. Undefined when none came in time.
   *
   * @throws {Failure} what came does not follow the specification
   */
  async find(
    wanted: (event: Event) => boolean,
    timeoutMs: number = this.#timeoutMs,
  ): Promise<Event | undefined> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const index = this.#events.findIndex((one) => one.heard.kind === 'breach' || wanted(one))
      if (index >= 0) {
        const [event] = this.#events.splice(index, 1)
        if (isError(event!.heard)) this.#forgetBefore(index, event!.channel)
        if (event!.heard.kind === 'breach') throw event!.heard.failure
        return event
      }
      const leftMs = deadline - performance.now()
      if (leftMs <= 0) return undefined
      await this.change(leftMs)
    }
  }

  /** What came on the same channel before ERROR is of no use any more. */
  #forgetBefore(index: number, of: RawChannel): void {
    this.#events = this.#events.filter(({ channel }, at) => at >= index || channel !== of)
  }

  /** Resolves when something comes, or the time is over. */
  change(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** The next on `channel`. @throws {Failure} nothing came in time */
  async next(channel: RawChannel, clause: string, expected: string): Promise<Heard> {
    const event = await this.find((one) => one.channel === channel)
    if (event === undefined) throw new Failure(clause, expected, 'nothing')
    return event.heard
  }

  /** The next on `channel`, which is to be this message. */
  async expect<Name extends MessageName>(
    channel: RawChannel,
    name: Name,
    clause: string,
  ): Promise<MessageBodies[Name]> {
    const heard = await this.next(channel, clause, name)
    if (heard.kind === 'message' && heard.message.name === name) {
      return heard.message.body as MessageBodies[Name]
    }
    throw new Failure(clause, name, describe(heard))
  }

  /** The peer's answer to a preface. */
  async introduced(channel: RawChannel, clause: string): Promise<Heard & { kind: 'preface' }> {
    const heard = await this.next(channel, clause, 'a preface')
    if (heard.kind === 'preface') return heard
    throw new Failure(clause, 'a preface', describe(heard))
  }

  /**
   * The peer gives up, and says why: ERROR on one of `channels`, then the end of that channel.
   *
   * @param codes - any of them will do; empty: it may also just close
   */
  async refused(
    channels: readonly RawChannel[],
    codes: readonly ErrorCode[],
    clause: string,
  ): Promise<ErrorCode | undefined> {
    const expected = `ERROR ${codes.join(' or ')}`
    const event = await this.find(
      ({ channel, heard }) =>
        channels.includes(channel) && (isError(heard) || heard.kind === 'end'),
    )
    if (event === undefined) throw new Failure(clause, expected, this.#unread(channels))
    if (event.heard.kind === 'end') {
      // The channel that was wrong may close before another one tells why.
      const told = await this.find(
        ({ channel, heard }) => channels.includes(channel) && isError(heard),
        channels.length > 1 ? this.#timeoutMs : 0,
      )
      if (told === undefined) throw new Failure(clause, expected, 'the end of the stream')
      return this.#judge(told, codes, clause)
    }
    return this.#judge(event, codes, clause)
  }

  async #judge(event: Event, codes: readonly ErrorCode[], clause: string): Promise<ErrorCode> {
    const message = (event.heard as { message: Message & { name: 'Error' } }).message
    const code = errorCodeOf(message.body.code)
    if (!codes.includes(code)) {
      throw new Failure(clause, `ERROR ${codes.join(' or ')}`, `${code}: ${message.body.text}`)
    }
    await this.closed(event.channel, 'C8.1')
    return code
  }

  /** The peer ends `channel`, and says nothing more. */
  async closed(channel: RawChannel, clause: string): Promise<void> {
    const heard = await this.next(channel, clause, 'the end of the stream')
    if (heard.kind === 'end') return
    throw new Failure(clause, 'the end of the stream', describe(heard))
  }

  /** What came of these channels and was not looked at. */
  #unread(channels: readonly RawChannel[]): string {
    const unread = this.#events.filter(({ channel }) => channels.includes(channel))
    return unread.length === 0 ? 'nothing' : unread.map(({ heard }) => describe(heard)).join(', ')
  }

  /** Forgets what came of a channel and was not looked at. */
  drop(channel: RawChannel): void {
    this.#events = this.#events.filter((one) => one.channel !== channel)
  }
}

function isError(heard: Heard): boolean {
  return heard.kind === 'message' && heard.message.name === 'Error'
}

/** One line of what came. */
export function describe(heard: Heard): string {
  switch (heard.kind) {
    case 'message': {
      const { name, body } = heard.message
      if (name === 'Error') return `ERROR ${errorCodeOf(body.code)}: ${body.text}`
      return `${name} ${show(body)}`
    }
    case 'pages':
      return `Pages of ${heard.body.length} bytes`
    case 'preface':
      return 'a preface'
    case 'breach':
      return heard.failure.message
    case 'end':
      return 'the end of the stream'
  }
}

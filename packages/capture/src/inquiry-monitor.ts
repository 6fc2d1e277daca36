/**
 * A connection of a session that is not in the capture, because a process that died had it: whose
 * the guest is may be asked there, and nothing else.
 *
 * @module
 */
import { ProtocolError } from '@godwit/core'
import { checkEpoch } from '@godwit/session'
import type { Frame, Message } from '@godwit/wire'
import { FrameType, decodeMessage } from '@godwit/wire'
import type { Side } from './layout.ts'

/** What may come next, beside HEARTBEAT and ERROR; `refusal` is ERROR alone. */
type Next = 'question' | 'answer' | 'commit' | 'running' | 'refusal'

/** Of one control channel. */
export class InquiryMonitor {
  #next: Next = 'question'

  /** @throws {GodwitError} the frame is not right, or not in its place */
  frame(from: Side, frame: Frame): void {
    if (frame.type === FrameType.Pages) return
    const message = decodeMessage(frame.type, frame.body)
    if (message.name === 'Heartbeat') return
    if (message.name === 'Error') this.#next = 'refusal'
    else if (from === 'source') this.#fromSource(message)
    else this.#fromDestination(message)
  }

  #fromSource(message: Message): void {
    // Whatever else it may have said before it heard that it is refused.
    if (this.#next === 'refusal') return
    const isFirst = this.#next === 'question'
    if (isFirst && message.name === 'OwnerQuery') {
      checkEpoch(message.body.epoch)
      this.#next = 'answer'
    } else if (this.#next === 'commit' && message.name === 'Commit') {
      checkEpoch(message.body.epoch)
      this.#next = 'running'
    } else if (isFirst) this.#next = 'refusal'
    else throw new ProtocolError('PROTOCOL_STATE', `The source said ${message.name} after asking`)
  }

  #fromDestination(message: Message): void {
    if (this.#next === 'answer' && message.name === 'Owner') {
      checkEpoch(message.body.epoch)
      this.#next = message.body.owner === 'prepared' ? 'commit' : 'refusal'
    } else if (this.#next === 'running' && message.name === 'Running') {
      checkEpoch(message.body.epoch)
      this.#next = 'refusal'
    } else {
      throw new ProtocolError('SESSION_UNKNOWN', 'The destination accepted a channel of no session')
    }
  }
}

/**
 * Which pages were asked for, and which were the answers.
 *
 * @module
 */
import type { Channel } from '@godwit/core'
import {
  BATCH_HEADER_BYTES,
  FRAME_HEADER_BYTES,
  FrameType,
  decodeMessage,
  readBatchHeader,
} from '@godwit/wire'
import type { OnUnit } from './tap.ts'
import { TapChannel } from './tap.ts'

/** Of the urgent channel, in the order of dialling: behind control and one for data. */
export const urgentIndex = 2

/** `region/page` of PAGE_REQUEST, or of the first page in PAGES. */
function pageOf(name: 'PageRequest' | 'Pages', bytes: Uint8Array): string {
  const body = bytes.subarray(FRAME_HEADER_BYTES)
  if (name === 'Pages') {
    const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
    return `${readBatchHeader(view).region}/${view.getUint32(BATCH_HEADER_BYTES, true)}`
  }
  const message = decodeMessage(FrameType.PageRequest, body)
  if (message.name !== 'PageRequest') throw new Error('not a PAGE_REQUEST')
  return `${message.body.region}/${message.body.page}`
}

/** What passes on the urgent channel, in order. */
export class UrgentTrace {
  readonly asked: string[] = []
  readonly answered: string[] = []

  readonly onUnit: OnUnit = ({ name }, bytes) => {
    if (name === 'PageRequest') this.asked.push(pageOf(name, bytes))
    if (name === 'Pages') this.answered.push(pageOf(name, bytes))
    return undefined
  }

  /** Taps the urgent channel of the first connection. */
  readonly wrap = (channel: Channel, index: number): Channel => {
    return index === urgentIndex ? new TapChannel(channel, this.onUnit) : channel
  }
}

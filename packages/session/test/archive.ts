/**
 * Disks; the destination's record, and its agent's answers to whoever asks when no session is left.
 *
 * @module
 */
import type { DestinationOwnership } from '@godwit/core'
import { GodwitError } from '@godwit/core'
import { errorNumbers } from '@godwit/wire'
import { Connection } from './connection.ts'
import { compose } from './setting.ts'

type Written = 'prepared' | 'owner' | 'refused'

type Outcome =
  | { readonly type: 'recorded' }
  | { readonly type: 'unrecorded'; readonly error: GodwitError }

export class Disk {
  /** Writes that are to fail. */
  failures = 0
  /** The last write is durable. */
  holds = false

  /** Before something is sent that it promises. */
  mustHold(): true {
    if (!this.holds) throw new Error('handed over what is not written')
    return true
  }

  /** How a write ends that is begun now. */
  write(): Outcome {
    if (this.failures === 0) return { type: 'recorded' }
    this.failures -= 1
    return { type: 'unrecorded', error: new GodwitError('FILE_UNWRITABLE', 'disk full') }
  }
}

export class Archive {
  record: DestinationOwnership | undefined
  #writing: Written | undefined
  #connection: Connection | undefined

  get isRefused(): boolean {
    return this.record === 'refused'
  }

  write(state: Written): void {
    this.#writing = state
  }

  /** What was being written is durable. */
  written(): void {
    if (this.#writing === undefined) throw new Error('nothing was being written')
    if (this.isRefused) throw new Error(`${this.#writing} after it was refused`)
    this.record = this.#writing
    this.#writing = undefined
  }

  connect(epoch: number): Connection {
    this.#connection = new Connection(epoch)
    return this.#connection
  }

  get mayAnswer(): boolean {
    return (this.#connection?.toTarget.length ?? 0) > 0
  }

  /** The first message is the question, or something that nobody is left to hear. */
  answer(isAlive: boolean): void {
    const connection = this.#connection!
    const { name } = connection.toTarget.shift()!
    this.#connection = undefined
    if (connection.isCut) return
    if (name !== 'OwnerQuery' || this.record === undefined) {
      const code = errorNumbers.SESSION_UNKNOWN
      connection.toSource.push(compose('Error', 0, { code }))
    } else {
      // Whoever asks has it written.
      if (this.record === 'prepared') this.record = 'refused'
      const owner = this.record === 'owner' ? (isAlive ? 'running' : 'lost') : this.record
      connection.toSource.push(compose('Owner', 0, { owner }))
    }
    connection.isClosed = true
  }
}

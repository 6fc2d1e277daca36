/**
 * Room for state packages on their way in: the only long messages, and of any session.
 *
 * @module
 */
import { LimitError, MIB } from '@godwit/core'
import { TABLE_BODY_BYTES_MAX } from '@godwit/wire'

/** Of all sessions together: one of 64 MiB is as long as there can be. */
export const STATE_BYTES_MAX: number = 256 * MIB

/** Of one agent. */
export class StateRoom {
  readonly #bytesMax: number
  readonly #claims = new Map<object, number>()

  constructor(bytesMax: number = STATE_BYTES_MAX) {
    this.#bytesMax = bytesMax
  }

  /**
   * A message of so many bytes is on its way to `owner`, whose claim grows to that.
   *
   * @param hasGuest - memory was reserved: before, nothing long can come
   * @throws {LimitError} `LIMIT_EXCEEDED`
   */
  claim(owner: object, byteCount: number, hasGuest: boolean): void {
    if (!hasGuest) throw tooMuch('tableBytesMax', byteCount, TABLE_BODY_BYTES_MAX)
    const own = this.#claims.get(owner) ?? 0
    if (byteCount <= own) return
    const others = [...this.#claims.values()].reduce((sum, bytes) => sum + bytes, 0) - own
    if (others + byteCount > this.#bytesMax) {
      throw tooMuch('stateBytesMax', others + byteCount, this.#bytesMax)
    }
    this.#claims.set(owner, byteCount)
  }

  /** The owner is over. */
  release(owner: object): void {
    this.#claims.delete(owner)
  }
}

function tooMuch(limit: string, value: number, maximum: number): LimitError {
  const text = `A message makes ${value} bytes where ${maximum} are allowed (${limit})`
  return new LimitError('LIMIT_EXCEEDED', text, { limit, value, maximum })
}

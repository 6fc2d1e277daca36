/**
 * Room for one guest.
 *
 * @module
 */
import { LimitError } from '@godwit/core'

interface Room {
  touched(): void
  release(): void
}

/** What counts memory for a host: a second guest beside the first finds none. */
export function roomForOne(memoryBytes: number): (bytes: number) => Room {
  let isFree = true
  return (bytes) => {
    const facts = { limit: 'memoryBytesMax', value: bytes, maximum: memoryBytes }
    if (!isFree) throw new LimitError('NO_ROOM', 'there is room for one', facts)
    isFree = false
    return {
      touched() {},
      release() {
        isFree = true
      },
    }
  }
}

/**
 * Copies of some pages of a guest, each where it is in the guest.
 *
 * @module
 */
import { LimitError, type Region, formatBytes } from '@godwit/core'

/**
 * Memory shaped as `regions`, all zero, of which only pages that are stored to take room: at most
 * as much as the guest.
 *
 * @throws {LimitError} `NO_ROOM`
 */
export function shadowMemory(regions: readonly Region[]): Region[] {
  return regions.map((region) => {
    const { length } = region.bytes
    try {
      return { ...region, bytes: new Uint8Array(length) }
    } catch (cause) {
      const facts = { limit: 'shadowBytes', value: length, maximum: 0 }
      const text = `No ${formatBytes(length)} of address space are left for checkpoints`
      throw new LimitError('NO_ROOM', text, facts, { cause })
    }
  })
}

/**
 * What a peer offers of a VM that comes as a stream: blocks of memory, as regions.
 *
 * @module
 */
import { formatBytes, GodwitError, type GuestOffer, ProtocolError } from '@godwit/core'
import { type BlockRegions, joinRegions } from './block-regions.ts'
import type { MachineFacts } from './machine-facts.ts'
import { readQemuIdentity } from './qemu-spec.ts'
import { BLOCK_NAME_BYTES_MAX, STREAM_PAGE_BYTES } from './stream-format.ts'

/** What was offered, checked. */
export interface StreamOffer {
  readonly facts: MachineFacts
  /** In the order of all of their regions. */
  readonly blocks: readonly BlockRegions[]
}

/** Whether a VM is offered that comes as a stream. */
export function isStreamOffer({ identity }: Pick<GuestOffer, 'identity'>): boolean {
  return identity.options['attach'] === 'stream'
}

/**
 * Checks what a peer offers.
 *
 * @throws {GodwitError} `GUEST_UNKNOWN`; `GUEST_OPTION`, also where its regions are no blocks of a
 *   stream
 * @throws {ProtocolError} `PAGE_SIZE_MISMATCH`
 */
export function readStreamOffer({ identity, pageBytes, regions }: GuestOffer): StreamOffer {
  const { attach: _, ...options } = identity.options
  const facts = readQemuIdentity({ kind: identity.kind, options })
  const blocks = joinRegions(regions) ?? []
  const names = new Set(blocks.map(({ name }) => name))
  const areRight = blocks.every(({ name, byteLength }) => {
    const nameBytes = Buffer.byteLength(name)
    const isNamed = nameBytes > 0 && nameBytes <= BLOCK_NAME_BYTES_MAX
    return isNamed && byteLength % STREAM_PAGE_BYTES === 0
  })
  if (blocks.length === 0 || names.size < blocks.length || !areRight) {
    const text = 'The regions that are offered are not the blocks of memory of a VM'
    throw new GodwitError('GUEST_OPTION', text)
  }
  if (pageBytes !== STREAM_PAGE_BYTES) {
    const text = `The pages of a VM that comes as a stream have 4KiB, not ${formatBytes(pageBytes)}`
    throw new ProtocolError('PAGE_SIZE_MISMATCH', text)
  }
  return { facts, blocks }
}

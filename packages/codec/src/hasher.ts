/**
 * Which hash a session uses, by its name on the wire.
 *
 * @module
 */
import type { PageHasher } from '@godwit/core'
import type { Sha256 } from './sha256.ts'
import { Sha256Hasher, portableSha256 } from './sha256.ts'
import type { Xxh64 } from './xxh64.ts'
import { Xxh64Hasher, createXxh64 } from './xxh64.ts'

/** Hash functions of this runtime. */
export interface Hashes {
  readonly xxh64: Xxh64
  readonly sha256: Sha256
}

/** @param sha256 - the runtime's own, where it has one */
export async function createHashes(sha256: Sha256 = portableSha256): Promise<Hashes> {
  return { xxh64: await createXxh64(), sha256 }
}

/** A page hasher of `name`, seeded with 8 little-endian bytes. */
export function createHasher(
  hashes: Hashes,
  name: 'xxh64' | 'sha256',
  seed: Uint8Array,
): PageHasher {
  if (name === 'sha256') return new Sha256Hasher(hashes.sha256, seed)
  const view = new DataView(seed.buffer, seed.byteOffset, 8)
  return new Xxh64Hasher(hashes.xxh64, view.getBigUint64(0, true))
}

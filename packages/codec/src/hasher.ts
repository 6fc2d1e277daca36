/**
 * Which hash functions a runtime has, and which one a session uses.
 *
 * @module
 */
import type { HashName, VerifyMode } from '@godwit/core'
import type { KernelsOptions } from '@godwit/kernels'
import type { Sha256 } from './sha256.ts'
import { portableSha256 } from './sha256.ts'
import type { Xxh64 } from './xxh64.ts'
import { createXxh64 } from './xxh64.ts'

/** Hash functions of this runtime. */
export interface Hashes {
  readonly xxh64: Xxh64
  readonly sha256: Sha256
  /** The kernels' binary; without it they run as plain TypeScript. */
  readonly kernelsWasm: KernelsOptions['wasm']
}

/** What the runtime has of its own; everything has a portable stand-in. */
export interface HashesOptions {
  readonly sha256?: Sha256
  readonly kernelsWasm?: KernelsOptions['wasm']
}

export async function createHashes(options: HashesOptions = {}): Promise<Hashes> {
  const { sha256 = portableSha256, kernelsWasm } = options
  return { xxh64: await createXxh64(), sha256, kernelsWasm }
}

/**
 * The hash of verification: `fingerprints` takes the session's own, or XXH64 where that is SHA-256.
 */
export function verifyHash(verify: VerifyMode, hash: HashName): HashName | undefined {
  switch (verify) {
    case 'none':
      return undefined
    case 'sha256':
      return 'sha256'
    case 'fingerprints':
      return hash === 'sha256' ? 'xxh64' : hash
  }
}

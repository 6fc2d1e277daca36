/**
 * How two ends of a migration find out that both have the same set of contents, without saying
 * anything that helps those who do not: the set's secret never travels, and what is made of it is
 * of use in one session only.
 *
 * @module
 */
import { concatBytes } from '@godwit/core'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { STATIC_PROOF_BYTES } from '@godwit/wire'
import { areSame } from './keys.ts'

/** What makes one session another than all others; both ends have said some of it. */
export interface SessionMark {
  /** As prefaces have it: 16 bytes. */
  readonly session: Uint8Array
  /** As HELLO has them: 8 bytes each. */
  readonly fingerprintSeed: Uint8Array
  readonly verifySeed: Uint8Array
  /** As WELCOME has it. */
  readonly staticNonce: Uint8Array
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

/**
 * The key of a set in one session: 32 bytes.
 *
 * @param secret - the digest of a map, or the token of an image
 */
export function staticKey(secret: Uint8Array, mark: SessionMark): Uint8Array {
  const { session, fingerprintSeed, verifySeed, staticNonce } = mark
  const said = concatBytes(session, fingerprintSeed, verifySeed, staticNonce)
  return hmac(sha256, secret, concatBytes(text('godwit static 1'), said))
}

/** That the source has the set, or had the guest: {@link STATIC_PROOF_BYTES} bytes. */
export function staticProof(key: Uint8Array): Uint8Array {
  return hmac(sha256, key, text('source')).subarray(0, STATIC_PROOF_BYTES)
}

/** Whether a key is that of the proof; takes as long wherever they differ. */
export function isProved(key: Uint8Array, proof: Uint8Array): boolean {
  return areSame(staticProof(key), proof)
}

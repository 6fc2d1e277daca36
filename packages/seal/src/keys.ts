/**
 * From a secret and what both sides said to the keys of one channel: HKDF with SHA-256.
 *
 * @module
 */
import { concatBytes } from '@godwit/core'
import { expand, extract } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { ANSWER, HAIL, NONCE_BYTES, SECRET_BYTES } from './layout.ts'

/** What a channel's values are derived for. Each is bound to its role, of no use for another. */
const labels = {
  /** That the destination has the secret. */
  destinationProof: 'destination proof',
  sourceProof: 'source proof',
  /** That it is the destination that refuses. */
  refusal: 'refusal',
  /** Seals what the destination sends. */
  destinationKey: 'destination key',
  sourceKey: 'source key',
  /** The channel's own secret: other channels of the session prove that they have it. */
  session: 'session',
} as const

export type Derived = (label: keyof typeof labels) => Uint8Array

/**
 * The values of one channel, 32 bytes each.
 *
 * @param answer - its proof does not count
 */
export function deriveKeys(secret: Uint8Array, hail: Uint8Array, answer: Uint8Array): Derived {
  const said = answer.subarray(0, ANSWER.proof)
  const nonces = concatBytes(
    hail.subarray(HAIL.nonce, HAIL.nonce + NONCE_BYTES),
    said.subarray(ANSWER.nonce),
  )
  const context = sha256(concatBytes(hail, said))
  const pseudorandom = extract(sha256, secret, nonces)
  return (label) => {
    const info = concatBytes(new TextEncoder().encode(`godwit 1 ${labels[label]}`), context)
    return expand(sha256, pseudorandom, info, SECRET_BYTES)
  }
}

/**
 * The secret of a control channel that mends a session.
 *
 * @param secret - as of a first one: whoever has it is still who he was
 * @param root - of the session's first control channel: and goes on with that session
 */
export function mendingSecret(secret: Uint8Array, root: Uint8Array): Uint8Array {
  return extract(sha256, secret, root)
}

/** Takes as long wherever they differ. */
export function areSame(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false
  let difference = 0
  for (let i = 0; i < one.length; i++) difference |= one[i]! ^ other[i]!
  return difference === 0
}

/**
 * Every byte of a sealed channel, in front of and around what would go by a plain one. All integers
 * are little-endian. The specification for implementers is section 12 of `docs/PROTOCOL.md`.
 *
 * Hail, source to destination:
 *
 *   offset bytes name       meaning
 *        0    32 preface    with bit 15 of its version set
 *       32     1 method     1 pre-shared key, 2 TLS, 3 session
 *       33     7 reserved   zero
 *       40    32 nonce      random
 *
 * Answer, destination to source:
 *
 *        0     2 status     0, or the number of the error that the hail is refused with
 *        2     6 reserved   zero
 *        8    32 nonce      random
 *       40    32 proof      that it has the secret; of a refusal, see `keys.ts`
 *
 * Proof, source to destination: 32 bytes. Then records, both ways:
 *
 *        0     4 length     of what is sealed: 1 to 1,048,576; 0 ends the stream
 *        4     n sealed     AES-256-GCM; additional data: the length
 *      4+n    16 tag
 *
 * @module
 */
import { MIB } from '@godwit/core'
import { PREFACE_BYTES } from '@godwit/wire'

export const NONCE_BYTES = 32
export const PROOF_BYTES = 32
export const SECRET_BYTES = 32

export const HAIL = { preface: 0, method: 32, reserved: 33, nonce: 40 } as const
export const HAIL_BYTES: number = HAIL.nonce + NONCE_BYTES
/** What comes behind the preface. */
export const HAIL_REST_BYTES: number = HAIL_BYTES - PREFACE_BYTES

export const ANSWER = { status: 0, reserved: 2, nonce: 8, proof: 40 } as const
export const ANSWER_BYTES: number = ANSWER.proof + PROOF_BYTES

/** By what the two sides know each other. Numbers are wire facts. */
export const Method = { Invalid: 0, Psk: 1, Tls: 2, Session: 3 } as const
export type Method = (typeof Method)[keyof typeof Method]

export const RECORD_HEADER_BYTES = 4
export const TAG_BYTES = 16
/**
 * Room for a batch of the usual size as one record: nothing of either can be used before all of it
 * is there, and what a record costs by itself is paid once.
 */
export const RECORD_BYTES_MAX: number = MIB
export const RECORD_OVERHEAD_BYTES: number = RECORD_HEADER_BYTES + TAG_BYTES

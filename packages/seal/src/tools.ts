/**
 * What sealing takes from the runtime.
 *
 * @module
 */

/** AES-256-GCM with one key. */
export interface RecordCipher {
  /** Writes the sealed bytes of `plain` and their tag to the start of `into`. */
  seal(nonce: Uint8Array, header: Uint8Array, plain: Uint8Array, into: Uint8Array): void
  /**
   * @param sealed - and the tag
   * @returns what was sealed, in memory of its own; undefined when the tag is not right
   */
  open(nonce: Uint8Array, header: Uint8Array, sealed: Uint8Array): Uint8Array | undefined
}

export interface SealTools {
  readonly createCipher: (key: Uint8Array) => RecordCipher
  /** Cryptographically random bytes. */
  readonly randomBytes: (byteCount: number) => Uint8Array
}

/** By what an agent and its peers know each other. */
export interface Security extends SealTools {
  readonly method: 'psk' | 'tls'
  /** The pre-shared key; with TLS it is {@link Channel.secret} of the control channel's. */
  readonly key?: Uint8Array
}

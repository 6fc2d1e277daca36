/**
 * What sealed channels take from Node.
 *
 * @module
 */
import type { KeyObject } from 'node:crypto'
import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto'
import type { Channel, DetachedChannel } from '@godwit/core'
import { releaseChunk } from '@godwit/core'
import type { RecordCipher, SealTools } from '@godwit/seal'
import { SealedChannel, TAG_BYTES } from '@godwit/seal'
import { randomBytes } from './runtime.ts'

const options = { authTagLength: TAG_BYTES }

/** AES-256-GCM of OpenSSL: with instructions for it, a few GB/s. */
class NodeCipher implements RecordCipher {
  /** Made of plain bytes for each record, it would cost ten times as much. */
  readonly #key: KeyObject

  constructor(key: Uint8Array) {
    this.#key = createSecretKey(key)
  }

  seal(nonce: Uint8Array, header: Uint8Array, plain: Uint8Array, into: Uint8Array): void {
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce, options)
    cipher.setAAD(header)
    const sealed = cipher.update(plain)
    into.set(sealed)
    releaseChunk(sealed)
    cipher.final()
    into.set(cipher.getAuthTag(), plain.length)
  }

  open(nonce: Uint8Array, header: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
    const decipher = createDecipheriv('aes-256-gcm', this.#key, nonce, options)
    const end = sealed.length - TAG_BYTES
    decipher.setAAD(header)
    decipher.setAuthTag(sealed.subarray(end))
    const plain = decipher.update(sealed.subarray(0, end))
    try {
      decipher.final()
      return plain
    } catch {
      return undefined
    }
  }
}

export const nodeSealTools: SealTools = {
  createCipher: (key) => new NodeCipher(key),
  randomBytes,
}

/** A channel that was detached goes on here as it was: sealed, or not. */
export function resumeSeal(channel: Channel, { seal }: DetachedChannel): Channel {
  return seal === undefined ? channel : SealedChannel.resume(channel, seal, nodeSealTools)
}

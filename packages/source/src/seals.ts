/**
 * Seals the channels that a source dials.
 *
 * @module
 */
import type { Channel } from '@godwit/core'
import { GodwitError } from '@godwit/core'
import type { SealTools, Security, SourceSecret } from '@godwit/seal'
import { Method, SealedChannel, SourceGreeting, mendingSecret } from '@godwit/seal'
import { ChannelRole } from '@godwit/wire'

/** All channels of one migration, or those of a thread. */
export class Seals {
  readonly #tools: SealTools
  readonly #security: Security | undefined
  /** Of the first control channel: all others of the session come from it. */
  #root: Uint8Array | undefined
  #secret: Uint8Array | undefined

  /**
   * @param security - what control channels are sealed with
   * @param secret - on another thread, of the control channel that there is
   * @param root - of the first control channel, where that was another process's
   */
  constructor(
    tools: SealTools,
    security: Security | undefined,
    secret?: Uint8Array,
    root?: Uint8Array,
  ) {
    this.#tools = tools
    this.#security = security
    this.#secret = secret
    this.#root = root
  }

  /** By what later control channels are bound to the first one, once that is there. */
  get root(): Uint8Array | undefined {
    return this.#root
  }

  /** Of the newest control channel, for threads. */
  get secret(): Uint8Array | undefined {
    return this.#secret
  }

  /** @throws {GodwitError} `AUTH_FAILED`: there is nothing to prove anything with */
  seal(channel: Channel, role: ChannelRole): SealedChannel {
    const isControl = role === ChannelRole.Control
    const secret = isControl ? this.#controlSecret(channel) : this.#laterSecret()
    return new SealedChannel(
      channel,
      this.#tools,
      (send) => new SourceGreeting(channel.remote, secret, this.#tools, send),
      (agreed) => {
        if (isControl) this.#secret = agreed
        this.#root ??= agreed
      },
    )
  }

  #controlSecret(channel: Channel): SourceSecret {
    const { method, key = channel.secret } = this.#security!
    if (key === undefined) throw new GodwitError('AUTH_FAILED', 'The connection has no secret')
    const root = this.#root
    return {
      method: method === 'psk' ? Method.Psk : Method.Tls,
      secret: root === undefined ? key : mendingSecret(key, root),
      refusalSecret: key,
    }
  }

  #laterSecret(): SourceSecret {
    const secret = this.#secret
    if (secret === undefined) throw new GodwitError('AUTH_FAILED', 'No control channel is there')
    return { method: Method.Session, secret }
  }
}

/** On a thread: undefined where channels are plain. */
export function sealsOf(tools: SealTools, secret: Uint8Array | undefined): Seals | undefined {
  return secret === undefined ? undefined : new Seals(tools, undefined, secret)
}

/**
 * Seals the channels that a destination accepts, and knows the secrets of its sessions.
 *
 * @module
 */
import type { Channel, SessionBinding } from '@godwit/core'
import { fromHex, toHex } from '@godwit/core'
import type { Security, Verdict } from '@godwit/seal'
import { DestinationGreeting, Method, SealedChannel, mendingSecret } from '@godwit/seal'
import type { Preface } from '@godwit/wire'
import { ChannelRole } from '@godwit/wire'

/** Of a session that goes on. */
interface SessionSecrets {
  /** Of its first control channel. */
  readonly root: Uint8Array
  /** Whom the source's certificate named then. */
  readonly identity: string | undefined
  /** Of the control channel that there is. */
  current: { readonly epoch: number; readonly secret: Uint8Array }
}

/** Of one agent. */
export class Seals {
  readonly #security: Security
  readonly #find: (session: string) => SessionBinding | undefined
  readonly #sessions = new Map<string, SessionSecrets>()

  /** @param find - by what a session is bound that was another process's, or is over */
  constructor(
    security: Security,
    find: (session: string) => SessionBinding | undefined = () => undefined,
  ) {
    this.#security = security
    this.#find = find
  }

  /** By what later control channels of a session are bound to its first one. */
  bindingOf(sessionId: string): SessionBinding | undefined {
    const secrets = this.#sessions.get(sessionId)
    return secrets && { secret: toHex(secrets.root), identity: secrets.identity }
  }

  /** Nothing of it is handed on before the source has proved who it is. */
  seal(channel: Channel): SealedChannel {
    return new SealedChannel(channel, this.#security, (send) => {
      const judge = (preface: Preface, method: number): Verdict =>
        preface.role === ChannelRole.Control
          ? this.#judgeControl(preface, method, channel)
          : this.#judgeLater(preface, method)
      return new DestinationGreeting(channel.remote, judge, this.#security, send)
    })
  }

  /** This control channel was taken: others of its epoch belong to it. */
  took({ session, epoch }: Preface, channel: Channel): void {
    const id = toHex(session)
    const secrets = this.#sessions.get(id)
    const current = { epoch, secret: channel.secret! }
    if (secrets !== undefined) secrets.current = current
    else {
      const { identity } = channel
      this.#sessions.set(id, { root: current.secret, identity, current })
    }
  }

  /** The session is over: its secrets are of no use to anybody. */
  forget(sessionId: string): void {
    this.#sessions.delete(sessionId)
  }

  #judgeControl({ session, epoch }: Preface, method: number, channel: Channel): Verdict {
    const { method: own, key = channel.secret } = this.#security
    if (method !== (own === 'psk' ? Method.Psk : Method.Tls) || key === undefined) {
      const how = own === 'psk' ? 'a pre-shared key' : 'TLS'
      return { refusal: 'AUTH_REQUIRED', text: `A control channel must authenticate by ${how}` }
    }
    if (epoch === 0) return { secret: key }
    const binding = this.bindingOf(toHex(session)) ?? this.#find(toHex(session))
    if (binding === undefined) return unknown(key)
    if (channel.identity !== binding.identity) {
      const text = 'The session was begun by somebody else'
      return { refusal: 'PEER_IDENTITY', text, refusalSecret: key }
    }
    return { secret: mendingSecret(key, fromHex(binding.secret)) }
  }

  #judgeLater({ session, epoch }: Preface, method: number): Verdict {
    const current = this.#sessions.get(toHex(session))?.current
    if (current === undefined) return unknown()
    if (method !== Method.Session) {
      return {
        refusal: 'AUTH_REQUIRED',
        text: 'A channel does not prove that it is of its session',
      }
    }
    if (epoch === current.epoch) return { secret: current.secret }
    const text = `A channel of connection ${epoch}; there is ${current.epoch}`
    return { refusal: epoch < current.epoch ? 'EPOCH_STALE' : 'PROTOCOL_STATE', text }
  }
}

function unknown(refusalSecret?: Uint8Array): Verdict {
  const text = 'A channel of no session that goes on here'
  return { refusal: 'SESSION_UNKNOWN', text, refusalSecret }
}

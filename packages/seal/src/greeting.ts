/**
 * How the two ends of a channel prove to each other that they have a secret, before anything else
 * is said: hail, answer, proof. Blocks have fixed sizes: no stranger can make anybody hold more.
 *
 * @module
 */
import type { ErrorCode } from '@godwit/core'
import { PeerError, TransportError, WireError, concatBytes, toGodwitError } from '@godwit/core'
import type { Preface } from '@godwit/wire'
import {
  ChannelRole,
  FrameType,
  FrameWriter,
  MAGIC,
  PREFACE,
  PREFACE_BYTES,
  decodePreface,
  encodeMessage,
  encodePreface,
  errorCodeOf,
  errorNumbers,
} from '@godwit/wire'
import type { Derived } from './keys.ts'
import { areSame, deriveKeys } from './keys.ts'
import {
  ANSWER,
  ANSWER_BYTES,
  HAIL,
  HAIL_BYTES,
  HAIL_REST_BYTES,
  Method,
  NONCE_BYTES,
  PROOF_BYTES,
} from './layout.ts'
import type { SealTools } from './tools.ts'

/** Both ends have proved what they had to. */
export interface Agreed {
  readonly sendKey: Uint8Array
  readonly receiveKey: Uint8Array
  /** Of this channel: others of the session prove that they have it. */
  readonly secret: Uint8Array
  /** What was in the hail and is the beginning of the stream. */
  readonly opened: Uint8Array
}

/** One side of it. */
export interface Greeting {
  /** Of the block that comes next. */
  readonly blockBytes: number
  /** Whether there was a hail. */
  readonly isHailed: boolean
  /** Whether the peer was told that there will be no channel. */
  readonly hasRefused: boolean
  /**
   * Of whoever dialled: what goes in place of the first that is written.
   *
   * @param preface - that first
   */
  hail?(preface: Uint8Array): Uint8Array
  /**
   * Part of that block is there: it may be plain already that nothing will come of it.
   *
   * @throws {GodwitError} as {@link take}
   */
  look(part: Uint8Array): void
  /**
   * The block is there; borrowed.
   *
   * @returns undefined while something is still to come
   * @throws {GodwitError} `AUTH_FAILED`, `AUTH_REQUIRED` or another reason why there is no channel
   */
  take(block: Uint8Array): Agreed | undefined
}

/** Sends bytes as they are. */
type Send = (bytes: Uint8Array) => void

/** By what a source greets. */
export interface SourceSecret {
  readonly method: Method
  readonly secret: Uint8Array
  /** Proves who refuses. Without it a refusal is only heard, not believed. */
  readonly refusalSecret?: Uint8Array | undefined
}

/** Of whoever dialled. */
export class SourceGreeting implements Greeting {
  readonly blockBytes: number = ANSWER_BYTES
  isHailed = false
  readonly hasRefused = false
  readonly #remote: string
  readonly #own: SourceSecret
  readonly #tools: SealTools
  readonly #send: Send
  #hail: Uint8Array = new Uint8Array(0)

  constructor(remote: string, own: SourceSecret, tools: SealTools, send: Send) {
    this.#remote = remote
    this.#own = own
    this.#tools = tools
    this.#send = send
  }

  hail(preface: Uint8Array): Uint8Array {
    const hail = new Uint8Array(HAIL_BYTES)
    hail.set(encodePreface(decodePreface(preface)!, true))
    hail[HAIL.method] = this.#own.method
    hail.set(this.#tools.randomBytes(NONCE_BYTES), HAIL.nonce)
    this.isHailed = true
    this.#hail = hail
    return hail
  }

  look(part: Uint8Array): void {
    if (part.length < MAGIC.length || !areSame(part.subarray(0, MAGIC.length), MAGIC)) return
    const text = `${this.#remote} does not authenticate, and this side demands it`
    throw new TransportError('AUTH_REQUIRED', text)
  }

  take(answer: Uint8Array): Agreed {
    const { secret } = this.#own
    const status = new DataView(answer.buffer, answer.byteOffset).getUint16(ANSWER.status, true)
    if (status !== 0) throw this.#refused(status, answer)
    const derived = deriveKeys(secret, this.#hail, answer)
    if (!areSame(answer.subarray(ANSWER.proof), derived('destinationProof'))) {
      const text = `${this.#remote} does not prove that it has the key`
      throw new TransportError('AUTH_FAILED', text)
    }
    this.#send(derived('sourceProof'))
    return {
      sendKey: derived('sourceKey'),
      receiveKey: derived('destinationKey'),
      secret: derived('session'),
      opened: new Uint8Array(0),
    }
  }

  /** Anybody on the way can refuse: what decides anything must come from who it is said to be. */
  #refused(status: number, answer: Uint8Array): PeerError | TransportError {
    const code = errorCodeOf(status)
    const { refusalSecret } = this.#own
    const isProved =
      refusalSecret !== undefined &&
      areSame(
        answer.subarray(ANSWER.proof),
        deriveKeys(refusalSecret, this.#hail, answer)('refusal'),
      )
    if (isProved) return new PeerError(code, `${this.#remote} refuses the channel`)
    const text = `${this.#remote} refuses to authenticate: ${code}`
    return new TransportError(code === 'AUTH_REQUIRED' ? code : 'AUTH_FAILED', text)
  }
}

/** What a refusal in the plain protocol begins with. */
function plainPreface(block: Uint8Array): Preface {
  try {
    return decodePreface(block)!
  } catch {
    const session = block.slice(PREFACE.session)
    return { role: ChannelRole.Control, index: 0, epoch: 0, session }
  }
}

/** What a destination makes of a hail. */
export type Verdict =
  | { readonly secret: Uint8Array }
  | {
      readonly refusal: ErrorCode
      readonly text: string
      /** Proves who refuses, where there is something to prove it with. */
      readonly refusalSecret?: Uint8Array | undefined
    }

/** Tells by which secret the peer must prove itself, before it has. */
export type Judge = (preface: Preface, method: number) => Verdict

/** Of whoever listens. */
export class DestinationGreeting implements Greeting {
  blockBytes: number = PREFACE_BYTES
  hasRefused = false
  readonly #remote: string
  readonly #judge: Judge
  readonly #tools: SealTools
  readonly #send: Send
  #preface: Preface | undefined
  #hail: Uint8Array = new Uint8Array(0)
  #derived: Derived | undefined

  constructor(remote: string, judge: Judge, tools: SealTools, send: Send) {
    this.#remote = remote
    this.#judge = judge
    this.#tools = tools
    this.#send = send
  }

  get isHailed(): boolean {
    return this.#preface !== undefined
  }

  look(part: Uint8Array): void {
    if (this.#preface === undefined && part.length < PREFACE_BYTES) decodePreface(part, true)
  }

  take(block: Uint8Array): Agreed | undefined {
    if (this.#derived !== undefined) return this.#prove(block, this.#derived)
    if (this.#preface === undefined) {
      this.#preface = this.#readPreface(block)
      this.#hail = block.slice()
      this.blockBytes = HAIL_REST_BYTES
      return undefined
    }
    this.#hail = concatBytes(this.#hail, block)
    this.#answer(this.#preface)
    this.blockBytes = PROOF_BYTES
    return undefined
  }

  /** A peer that speaks the plain protocol is refused in it. */
  #readPreface(block: Uint8Array): Preface {
    try {
      return decodePreface(block, true)!
    } catch (thrown) {
      const error = toGodwitError(thrown)
      if (error.code !== 'WIRE_MAGIC') {
        this.hasRefused = true
        const body = { code: errorNumbers[error.code], text: error.message }
        this.#send(encodePreface(plainPreface(block)))
        this.#send(new FrameWriter().frame(FrameType.Error, encodeMessage({ name: 'Error', body })))
      }
      throw error
    }
  }

  #answer(preface: Preface): void {
    const method = this.#hail[HAIL.method]!
    const isZero = this.#hail.subarray(HAIL.reserved, HAIL.nonce).every((byte) => byte === 0)
    const verdict: Verdict = isZero
      ? this.#judge(preface, method)
      : { refusal: 'WIRE_PREFACE', text: 'Reserved bytes of a hail are set' }
    const answer = new Uint8Array(ANSWER_BYTES)
    answer.set(this.#tools.randomBytes(NONCE_BYTES), ANSWER.nonce)
    if ('refusal' in verdict) {
      const { refusal, text, refusalSecret } = verdict
      new DataView(answer.buffer).setUint16(ANSWER.status, errorNumbers[refusal], true)
      if (refusalSecret !== undefined) {
        answer.set(deriveKeys(refusalSecret, this.#hail, answer)('refusal'), ANSWER.proof)
      }
      this.hasRefused = true
      this.#send(answer)
      throw new WireError(refusal, `${this.#remote}: ${text}`)
    }
    const derived = deriveKeys(verdict.secret, this.#hail, answer)
    answer.set(derived('destinationProof'), ANSWER.proof)
    this.#derived = derived
    this.#send(answer)
  }

  #prove(proof: Uint8Array, derived: Derived): Agreed {
    if (!areSame(proof, derived('sourceProof'))) {
      throw new TransportError('AUTH_FAILED', `${this.#remote} does not prove that it has the key`)
    }
    return {
      sendKey: derived('destinationKey'),
      receiveKey: derived('sourceKey'),
      secret: derived('session'),
      opened: encodePreface(this.#preface!),
    }
  }
}

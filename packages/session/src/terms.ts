/**
 * Negotiation: what one side offers and the other accepts. Pure functions.
 *
 * @module
 */
import { GodwitError, ProtocolError, isPageBytes, mayPostCopy } from '@godwit/core'
import type { Hello, Welcome } from '@godwit/wire'
import type { VersionRange } from './versions.ts'
import { SESSION_VERSIONS, checkVersion, chooseVersion } from './versions.ts'

/**
 * Capabilities that need nothing of the runtime. Names of later ones are reserved in
 * `docs/PROTOCOL.md`. `final`: the destination may run the guest for a while, stop it and report
 * how it ended. `post-copy`: it may run a guest before all of its pages are there, where its host
 * can make that guest wait for pages. `reverse`: its state comes back to the source meanwhile.
 * `ownership`: a source that lost its destination after COMMIT asks whose the guest is.
 */
export const CAPABILITIES: readonly string[] = [
  'final',
  'references',
  'delta',
  'post-copy',
  'reverse',
  'ownership',
]

/**
 * The hand-over makes the destination owner in epoch 1. Of owners, not of connections: those are
 * counted by prefaces, and a recovery changes no owner.
 */
export const OWNER_EPOCH = 1

/** Of a source that takes the guest over from a destination that is dead. */
export const TAKEOVER_EPOCH = 2

/** @throws {ProtocolError} `PROTOCOL_STATE` for a READY, COMMIT or RUNNING of another epoch */
export function checkEpoch(epoch: number): void {
  if (epoch === OWNER_EPOCH) return
  throw new ProtocolError(
    'PROTOCOL_STATE',
    `The peer speaks of owner epoch ${epoch}; it is ${OWNER_EPOCH}`,
  )
}

/** What the destination is able and willing to do. */
export interface DestinationTerms {
  readonly software: string
  /** What it can do beside {@link CAPABILITIES}: compression, static pages. */
  readonly capabilities?: readonly string[]
  /** Page sizes it accepts; empty accepts every legal one. */
  readonly pageBytes: readonly number[]
  readonly dataChannelsMax: number
  readonly heartbeatMs: number
  /** Most bytes of page frames on their way, per data channel. */
  readonly creditBytes?: number | undefined
  /** The largest content store per data channel. */
  readonly storeBytes?: number | undefined
  readonly finalAfterMs?: number | undefined
  /** With capability `static`: random, of this session. */
  readonly staticNonce?: Uint8Array | undefined
}

/**
 * The terms for an offer.
 *
 * @param versions - that this side speaks
 * @throws {ProtocolError} `PROTOCOL_VERSION`, `PROTOCOL_CAPABILITY`
 * @throws {GodwitError} `PAGE_SIZE_MISMATCH`
 */
export function negotiate(
  hello: Hello,
  terms: DestinationTerms,
  versions: VersionRange = SESSION_VERSIONS,
): Welcome {
  const version = chooseVersion(versionsOf(hello), versions)
  const { mode } = hello
  if (mayPostCopy(mode) && !hello.required.includes('post-copy')) {
    throw new ProtocolError(
      'PROTOCOL_CAPABILITY',
      `The source asks for mode ${mode} and does not require post-copy`,
    )
  }
  const asksReverse = hello.required.includes('reverse')
  if (asksReverse !== (hello.checkpointMs !== undefined) || (asksReverse && !mayPostCopy(mode))) {
    throw new ProtocolError(
      'PROTOCOL_CAPABILITY',
      'Checkpoints take post-copy, the capability reverse, and how often they are to come',
    )
  }
  const capabilities = [...CAPABILITIES, ...(terms.capabilities ?? [])]
  const missing = hello.required.filter((name) => !capabilities.includes(name))
  if (missing.length > 0) {
    throw new ProtocolError(
      'PROTOCOL_CAPABILITY',
      `The destination cannot do what the source requires: ${missing.join(', ')}`,
    )
  }
  const wanted = [...hello.required, ...hello.optional]
  return {
    version,
    software: terms.software,
    capabilities: capabilities.filter((name) => wanted.includes(name)),
    pageBytes: choosePageBytes(hello.pageBytes, terms.pageBytes),
    dataChannels: Math.min(hello.dataChannels, terms.dataChannelsMax),
    heartbeatMs: terms.heartbeatMs,
    ...(terms.creditBytes === undefined ? {} : { creditBytes: terms.creditBytes }),
    ...(terms.storeBytes !== undefined && wanted.includes('references')
      ? { storeBytes: terms.storeBytes }
      : {}),
    ...(terms.finalAfterMs !== undefined && wanted.includes('final')
      ? { finalAfterMs: terms.finalAfterMs }
      : {}),
    ...(terms.staticNonce !== undefined && wanted.includes('static')
      ? { staticNonce: terms.staticNonce }
      : {}),
  }
}

function choosePageBytes(offered: readonly number[], accepted: readonly number[]): number {
  const chosen = offered.find(
    (size) => isPageBytes(size) && (accepted.length === 0 || accepted.includes(size)),
  )
  if (chosen !== undefined) return chosen
  const willing = accepted.length === 0 ? 'powers of two from 4096 to 65536' : accepted.join(', ')
  throw new GodwitError(
    'PAGE_SIZE_MISMATCH',
    `The source offers pages of ${offered.join(', ')} bytes; the destination accepts ${willing}`,
  )
}

/**
 * Checks that the destination's answer stays within what was offered.
 *
 * @throws {ProtocolError} `PROTOCOL_VERSION`, `PROTOCOL_CAPABILITY`
 * @throws {GodwitError} `PAGE_SIZE_MISMATCH`
 */
export function checkWelcome(hello: Hello, welcome: Welcome): void {
  checkVersion(welcome.version, versionsOf(hello))
  const lacking = hello.required.filter((name) => !welcome.capabilities.includes(name))
  const extra = welcome.capabilities.filter(
    (name) => !hello.required.includes(name) && !hello.optional.includes(name),
  )
  if (lacking.length > 0 || extra.length > 0) {
    throw new ProtocolError(
      'PROTOCOL_CAPABILITY',
      `The destination's capabilities are not those offered: ${[...lacking, ...extra].join(', ')}`,
    )
  }
  if (!hello.pageBytes.includes(welcome.pageBytes)) {
    throw new GodwitError(
      'PAGE_SIZE_MISMATCH',
      `The destination chose pages of ${welcome.pageBytes} bytes, which were not offered`,
    )
  }
  if (welcome.dataChannels < 1 || welcome.dataChannels > hello.dataChannels) {
    throw new ProtocolError('PROTOCOL_CAPABILITY', 'The destination chose other data channels')
  }
  if (welcome.finalAfterMs !== undefined && !welcome.capabilities.includes('final')) {
    throw new ProtocolError('PROTOCOL_CAPABILITY', 'FINAL was announced but not negotiated')
  }
  if ((welcome.staticNonce !== undefined) !== welcome.capabilities.includes('static')) {
    throw new ProtocolError('PROTOCOL_CAPABILITY', 'A nonce comes with static pages, and only then')
  }
}

function versionsOf({ versionMin, versionMax }: Hello): VersionRange {
  return { minimum: versionMin, maximum: versionMax }
}

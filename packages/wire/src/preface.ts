/**
 * The first 32 bytes of every channel, in both directions. Its layout never changes.
 *
 * @module
 */
import { WireError } from '@godwit/core'
import {
  ChannelRole,
  MAGIC,
  PREFACE,
  PREFACE_BYTES,
  SEALED_BIT,
  SESSION_ID_BYTES,
  WIRE_VERSION,
} from './layout.ts'
import { DATA_CHANNELS_MAX } from './limits.ts'

/** What a channel announces about itself. */
export interface Preface {
  readonly role: Exclude<ChannelRole, typeof ChannelRole.Invalid>
  /** The lane number for data; 0 for the others. */
  readonly index: number
  readonly epoch: number
  /** 16 bytes; owned by the value. */
  readonly session: Uint8Array
}

/**
 * Writes a preface into new memory of {@link PREFACE_BYTES}.
 *
 * @param isSealed - what follows is no frames, but the proof of who is there
 */
export function encodePreface(preface: Preface, isSealed = false): Uint8Array {
  const bytes = new Uint8Array(PREFACE_BYTES)
  const view = new DataView(bytes.buffer)
  bytes.set(MAGIC, PREFACE.magic)
  view.setUint16(PREFACE.version, isSealed ? WIRE_VERSION | SEALED_BIT : WIRE_VERSION, true)
  bytes[PREFACE.role] = preface.role
  bytes[PREFACE.index] = preface.index
  view.setUint32(PREFACE.epoch, preface.epoch, true)
  bytes.set(preface.session.subarray(0, SESSION_ID_BYTES), PREFACE.session)
  return bytes
}

/**
 * Reads a preface from the start of `bytes`.
 *
 * @returns undefined while fewer than {@link PREFACE_BYTES} are there and none of them is wrong
 * @param isSealed - as this side is configured: nothing is negotiated
 * @throws {WireError} `WIRE_MAGIC` at the first wrong byte; `AUTH_REQUIRED` where only one side is
 *   configured to authenticate; `WIRE_PREFACE` for the other fields
 */
export function decodePreface(bytes: Uint8Array, isSealed = false): Preface | undefined {
  const seen = Math.min(bytes.length, MAGIC.length)
  for (let i = 0; i < seen; i++) {
    if (bytes[i] !== MAGIC[i]) throw new WireError('WIRE_MAGIC', 'The peer does not speak Godwit')
  }
  if (bytes.length < PREFACE_BYTES) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, PREFACE_BYTES)
  const field = view.getUint16(PREFACE.version, true)
  const version = field & ~SEALED_BIT
  if (version === WIRE_VERSION && (field !== version) !== isSealed) throw oneSided(isSealed)
  if (version !== WIRE_VERSION) {
    throw new WireError(
      'WIRE_PREFACE',
      `The peer speaks wire version ${version}; this side speaks ${WIRE_VERSION}`,
    )
  }
  const role = bytes[PREFACE.role]!
  const index = bytes[PREFACE.index]!
  if (!isRole(role)) {
    throw new WireError('WIRE_PREFACE', `Channel role ${role} is not known`)
  }
  if (role === ChannelRole.Data ? index >= DATA_CHANNELS_MAX : index !== 0) {
    throw new WireError('WIRE_PREFACE', `Channel index ${index} is out of range`)
  }
  const session = bytes.slice(PREFACE.session, PREFACE.session + SESSION_ID_BYTES)
  return { role, index, epoch: view.getUint32(PREFACE.epoch, true), session }
}

function isRole(role: number): role is Preface['role'] {
  return role >= ChannelRole.Control && role <= ChannelRole.Reverse
}

function oneSided(isSealed: boolean): WireError {
  const text = isSealed
    ? 'The peer does not authenticate, and this side demands it'
    : 'The peer authenticates; this side was given neither a key nor certificates'
  return new WireError('AUTH_REQUIRED', text)
}

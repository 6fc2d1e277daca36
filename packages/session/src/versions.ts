/**
 * Which versions of the session protocol are spoken: that of the release, and the one before it. So
 * two releases of which one is a version ahead work together, and either side may be updated first.
 *
 * Within a version peers differ by capabilities, by keys of messages, and by frames that may be
 * skipped: nothing of that makes a new one. What would have an older peer do something else than
 * was meant, or refuse, does.
 *
 * @module
 */
import { ProtocolError } from '@godwit/core'

/** Versions that one side speaks: all from the first to the last. */
export interface VersionRange {
  readonly minimum: number
  readonly maximum: number
}

/** Version of the session protocol, order and meaning of frames, that this release is made for. */
export const SESSION_VERSION = 1

/** What a release speaks that is made for `version`. The first one is 1. */
export function spokenBy(version: number): VersionRange {
  return { minimum: Math.max(1, version - 1), maximum: version }
}

/** What this release speaks. */
export const SESSION_VERSIONS: VersionRange = spokenBy(SESSION_VERSION)

/**
 * The newest version that both speak; the destination chooses.
 *
 * @throws {ProtocolError} `PROTOCOL_VERSION`: there is none; the text tells who is to be updated
 */
export function chooseVersion(source: VersionRange, destination: VersionRange): number {
  if (source.minimum > source.maximum) {
    const text = `The source speaks no version: its range is ${source.minimum} to ${source.maximum}`
    throw new ProtocolError('PROTOCOL_VERSION', text)
  }
  const newest = Math.min(source.maximum, destination.maximum)
  if (newest >= Math.max(source.minimum, destination.minimum)) return newest
  const isSourceOlder = source.maximum < destination.minimum
  const [older, least] = isSourceOlder
    ? (['source', destination.minimum] as const)
    : (['destination', source.minimum] as const)
  throw new ProtocolError(
    'PROTOCOL_VERSION',
    `The source speaks protocol ${rangeText(source)}, the destination ${rangeText(destination)}. ` +
      `Update the ${older} to a release that speaks ${least}: ` +
      'each speaks its own and the one before',
  )
}

/**
 * Checks what the destination chose.
 *
 * @throws {ProtocolError} `PROTOCOL_VERSION`
 */
export function checkVersion(version: number, offered: VersionRange): void {
  if (version >= offered.minimum && version <= offered.maximum) return
  throw new ProtocolError(
    'PROTOCOL_VERSION',
    `The destination chose protocol ${version}; the source speaks ${rangeText(offered)}. ` +
      `Update the ${version > offered.maximum ? 'source' : 'destination'}`,
  )
}

function rangeText({ minimum, maximum }: VersionRange): string {
  return minimum === maximum ? `${minimum}` : `${minimum} to ${maximum}`
}

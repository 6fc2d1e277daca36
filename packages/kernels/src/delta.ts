/**
 * Why a delta is refused.
 *
 * @module
 */

/** What decoding returns for bytes that are no delta of the page; always negative. */
export const DeltaRefusal = {
  /** The delta ends within a length or a run. */
  Truncated: -1,
  /** A length has more bytes than it needs, or more than three. */
  BadLength: -2,
  /** A run of changed bytes is empty, or follows another with nothing between. */
  EmptyRun: -3,
  /** A run leaves the page. */
  PageExceeded: -4,
} as const

/** One of {@link DeltaRefusal}. */
export type DeltaRefusal = (typeof DeltaRefusal)[keyof typeof DeltaRefusal]

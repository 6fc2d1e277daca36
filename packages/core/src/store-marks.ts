/**
 * Marks of stores that somebody else keeps, and that cannot be cleared one by one: by the kernel
 * for another process, say. They leave few pages to be compared with what was sent.
 *
 * @module
 */
import type { PageBitmap } from './bitmap.ts'

/** Of one guest. Each call returns at once and does not fail; one thread calls. */
export interface StoreMarks {
  /** For reports: `soft-dirty`. */
  readonly name: string
  /** Why there are none, where there are none: one line for people. */
  readonly lacking: string | undefined
  /** Why they do not count any more since {@link begin}, where that is so: one line for people. */
  readonly lost: string | undefined
  /** Forgets all marks: stores from now on are marked, and stay so until the next call. */
  begin(): void
  /**
   * Pages that nobody has stored to since {@link begin}: one that is stored to while this looks is
   * among them, or not. Pages that were not stored to may be missing.
   *
   * @returns per region, the caller's; undefined where they do not count
   */
  findUnmarked(pageBytes: number): readonly PageBitmap[] | undefined
}

/** Where there are none. @param reason - one line for people */
export function noMarks(name: string, reason: string): StoreMarks {
  return { name, lacking: reason, lost: reason, begin: () => {}, findUnmarked: () => undefined }
}

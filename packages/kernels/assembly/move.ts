/**
 * Moves bytes within the memory.
 *
 * @module
 */

/** Copies `[from, from + byteCount)` to `to`; the two may overlap. */
export function move(to: usize, from: usize, byteCount: usize): void {
  memory.copy(to, from, byteCount)
}

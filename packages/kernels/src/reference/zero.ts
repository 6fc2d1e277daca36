/**
 * Is memory all zero?
 *
 * @module
 */

const stepBytes = 16

/** Whether `[at, at + byteCount)` of `view` holds zeros only. */
export function isZero(view: DataView, at: number, byteCount: number): boolean {
  const end = at + byteCount
  const stepsEnd = end - (byteCount % stepBytes)
  let i = at
  for (; i < stepsEnd; i += stepBytes) {
    const any =
      view.getInt32(i, true) |
      view.getInt32(i + 4, true) |
      view.getInt32(i + 8, true) |
      view.getInt32(i + 12, true)
    if (any !== 0) return false
  }
  for (; i < end; i++) if (view.getUint8(i) !== 0) return false
  return true
}

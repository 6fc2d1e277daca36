/**
 * Makes inputs that fail shorter and plainer.
 *
 * @module
 */

const triesMax = 3000
const secondsMax = 20

/** An input as short as it becomes of which `fails` still holds; the given one at worst. */
export function minimised(input: Uint8Array, fails: (input: Uint8Array) => boolean): Uint8Array {
  const start = performance.now()
  let best = input
  let tries = 0
  const isOver = (): boolean => tries >= triesMax || performance.now() - start > secondsMax * 1000
  const takes = (other: Uint8Array): boolean => {
    if (isOver()) return false
    tries++
    if (!fails(other)) return false
    best = other
    return true
  }
  for (let before = -1; before !== best.length && !isOver(); ) {
    before = best.length
    for (let size = best.length; size >= 1; size = Math.floor(size / 2)) {
      for (let at = Math.floor((best.length - 1) / size) * size; at >= 0; at -= size) {
        takes(without(best, at, size))
      }
    }
  }
  for (let at = 0; at < best.length && !isOver(); at++) {
    if (best[at] !== 0) takes(best.with(at, 0))
  }
  return best
}

function without(bytes: Uint8Array, at: number, byteCount: number): Uint8Array {
  const rest = new Uint8Array(bytes.length - Math.min(byteCount, bytes.length - at))
  rest.set(bytes.subarray(0, at))
  rest.set(bytes.subarray(at + byteCount), at)
  return rest
}

/**
 * How often bytes come back 8, 16, 32 and 64 bytes later in the same page.
 *
 * @module
 */

const lags = [8, 16, 32, 64]

/** Of `[at, end)`, how many bytes equal the one `lag` further on. */
function countEqual(bytes: Uint8Array, at: number, end: number, lag: number): number {
  const last = end - lag
  let equal = 0
  for (let i = at; i < last; i++) if (bytes[i] === bytes[i + lag]) equal++
  return equal
}

/** See `Kernels.classify`. */
export function classify(
  bytes: Uint8Array,
  at: number,
  byteCount: number,
  pageBytes: number,
  out: number,
): void {
  const end = at + byteCount
  let to = out
  for (let page = at; page < end; page += pageBytes) {
    const pageEnd = Math.min(page + pageBytes, end)
    for (const lag of lags) {
      const equal = countEqual(bytes, page, pageEnd, lag)
      bytes[to] = equal
      bytes[to + 1] = equal >> 8
      to += 2
    }
  }
}

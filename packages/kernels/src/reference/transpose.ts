/**
 * Records of `stride` bytes, turned into `stride` columns, and back.
 *
 * @module
 */

/** See `Kernels.transpose`. */
export function transpose(
  bytes: Uint8Array,
  at: number,
  byteCount: number,
  stride: number,
  out: number,
): void {
  const rows = Math.floor(byteCount / stride)
  let to = out
  for (let column = 0; column < stride; column++) {
    let from = at + column
    for (let row = 0; row < rows; row++, from += stride) bytes[to++] = bytes[from]!
  }
  bytes.copyWithin(to, at + rows * stride, at + byteCount)
}

/** See `Kernels.untranspose`. */
export function untranspose(
  bytes: Uint8Array,
  at: number,
  byteCount: number,
  stride: number,
  out: number,
): void {
  const rows = Math.floor(byteCount / stride)
  let from = at
  for (let column = 0; column < stride; column++) {
    let to = out + column
    for (let row = 0; row < rows; row++, to += stride) bytes[to] = bytes[from++]!
  }
  bytes.copyWithin(out + rows * stride, from, at + byteCount)
}

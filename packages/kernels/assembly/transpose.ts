/**
 * Records of `stride` bytes, turned into `stride` columns, and back.
 *
 * Blocks of 16 rows and 8 columns are turned by interleaving vectors: of a byte's place, one bit of
 * the vector's number becomes the lowest of the lane's, the others of which move up, the topmost
 * out to where the first came from. Bits of the row go in by one end as those of the column come
 * out at the other.
 *
 * @module
 */
import { copyRun } from './run.ts'

const COLUMNS: usize = 8
const ROWS: usize = 16
/** Rows of which the same columns are turned in one go: some cache lines in a row of each. */
const ROWS_AT_ONCE: usize = 256

/** Methods, because only these can be told to go inline in the syntax that formatters read. */
class Interleave {
  @inline static low(a: v128, b: v128): v128 {
    return v128.shuffle<i8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
  }

  @inline static high(a: v128, b: v128): v128 {
    return v128.shuffle<i8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
  }

  /** 8 bytes each of two rows. */
  @inline static rows(a: usize, b: usize): v128 {
    return Interleave.low(v128.load64_zero(a), v128.load64_zero(b))
  }

  /** Two rows of 8 bytes. */
  @inline static store(to: usize, stride: usize, rows: v128): void {
    v128.store64_lane(to, rows, 0)
    v128.store64_lane(to + stride, rows, 1)
  }
}

/** 16 rows of 8 bytes at `from`, `stride` apart, to 8 columns at `to`, `rows` apart. */
function turnBlock(from: usize, stride: usize, to: usize, rows: usize): void {
  const half = from + 8 * stride
  const a0 = Interleave.rows(from, half)
  const a1 = Interleave.rows(from + stride, half + stride)
  const a2 = Interleave.rows(from + 2 * stride, half + 2 * stride)
  const a3 = Interleave.rows(from + 3 * stride, half + 3 * stride)
  const a4 = Interleave.rows(from + 4 * stride, half + 4 * stride)
  const a5 = Interleave.rows(from + 5 * stride, half + 5 * stride)
  const a6 = Interleave.rows(from + 6 * stride, half + 6 * stride)
  const a7 = Interleave.rows(from + 7 * stride, half + 7 * stride)
  const b0 = Interleave.low(a0, a4)
  const b4 = Interleave.high(a0, a4)
  const b1 = Interleave.low(a1, a5)
  const b5 = Interleave.high(a1, a5)
  const b2 = Interleave.low(a2, a6)
  const b6 = Interleave.high(a2, a6)
  const b3 = Interleave.low(a3, a7)
  const b7 = Interleave.high(a3, a7)
  const c0 = Interleave.low(b0, b2)
  const c2 = Interleave.high(b0, b2)
  const c1 = Interleave.low(b1, b3)
  const c3 = Interleave.high(b1, b3)
  const c4 = Interleave.low(b4, b6)
  const c6 = Interleave.high(b4, b6)
  const c5 = Interleave.low(b5, b7)
  const c7 = Interleave.high(b5, b7)
  const d0 = Interleave.low(c0, c1)
  const d1 = Interleave.high(c0, c1)
  const d2 = Interleave.low(c2, c3)
  const d3 = Interleave.high(c2, c3)
  const d4 = Interleave.low(c4, c5)
  const d5 = Interleave.high(c4, c5)
  const d6 = Interleave.low(c6, c7)
  const d7 = Interleave.high(c6, c7)
  v128.store(to, d0)
  v128.store(to + rows, d1)
  v128.store(to + 2 * rows, d2)
  v128.store(to + 3 * rows, d3)
  v128.store(to + 4 * rows, d4)
  v128.store(to + 5 * rows, d5)
  v128.store(to + 6 * rows, d6)
  v128.store(to + 7 * rows, d7)
}

/** 8 columns of 16 bytes at `from`, `rows` apart, to 16 rows at `to`, `stride` apart. */
function turnBack(from: usize, rows: usize, to: usize, stride: usize): void {
  const a0 = v128.load(from)
  const a1 = v128.load(from + rows)
  const a2 = v128.load(from + 2 * rows)
  const a3 = v128.load(from + 3 * rows)
  const a4 = v128.load(from + 4 * rows)
  const a5 = v128.load(from + 5 * rows)
  const a6 = v128.load(from + 6 * rows)
  const a7 = v128.load(from + 7 * rows)
  const b0 = Interleave.low(a0, a4)
  const b4 = Interleave.high(a0, a4)
  const b1 = Interleave.low(a1, a5)
  const b5 = Interleave.high(a1, a5)
  const b2 = Interleave.low(a2, a6)
  const b6 = Interleave.high(a2, a6)
  const b3 = Interleave.low(a3, a7)
  const b7 = Interleave.high(a3, a7)
  const c0 = Interleave.low(b0, b2)
  const c2 = Interleave.high(b0, b2)
  const c1 = Interleave.low(b1, b3)
  const c3 = Interleave.high(b1, b3)
  const c4 = Interleave.low(b4, b6)
  const c6 = Interleave.high(b4, b6)
  const c5 = Interleave.low(b5, b7)
  const c7 = Interleave.high(b5, b7)
  const d0 = Interleave.low(c0, c1)
  const d1 = Interleave.high(c0, c1)
  const d2 = Interleave.low(c2, c3)
  const d3 = Interleave.high(c2, c3)
  const d4 = Interleave.low(c4, c5)
  const d5 = Interleave.high(c4, c5)
  const d6 = Interleave.low(c6, c7)
  const d7 = Interleave.high(c6, c7)
  Interleave.store(to, stride, d0)
  Interleave.store(to + 2 * stride, stride, d1)
  Interleave.store(to + 4 * stride, stride, d2)
  Interleave.store(to + 6 * stride, stride, d3)
  Interleave.store(to + 8 * stride, stride, d4)
  Interleave.store(to + 10 * stride, stride, d5)
  Interleave.store(to + 12 * stride, stride, d6)
  Interleave.store(to + 14 * stride, stride, d7)
}

/** `out[c * rows + r] = in[r * stride + c]`; what is left after the rows is copied. */
export function transpose(at: usize, byteCount: usize, stride: usize, out: usize): void {
  const rows = byteCount / stride
  const done = rows * stride
  copyRun(out + done, at + done, byteCount - done)
  if (rows < ROWS) {
    for (let c: usize = 0; c < stride; c++) {
      for (let r: usize = 0; r < rows; r++) store<u8>(out++, load<u8>(at + r * stride + c))
    }
    return
  }
  for (let r: usize = 0; r < rows; r += ROWS_AT_ONCE) {
    const stop = min(r + ROWS_AT_ONCE, rows)
    for (let c: usize = 0; c < stride; c += COLUMNS) {
      for (let i = r; i < stop; i += ROWS) {
        // The last block may overlap the one before.
        const row = min(i, rows - ROWS)
        turnBlock(at + row * stride + c, stride, out + c * rows + row, rows)
      }
    }
  }
}

/** `out[r * stride + c] = in[c * rows + r]`; what is left after the rows is copied. */
export function untranspose(at: usize, byteCount: usize, stride: usize, out: usize): void {
  const rows = byteCount / stride
  const done = rows * stride
  copyRun(out + done, at + done, byteCount - done)
  if (rows < ROWS) {
    for (let c: usize = 0; c < stride; c++) {
      for (let r: usize = 0; r < rows; r++) store<u8>(out + r * stride + c, load<u8>(at++))
    }
    return
  }
  for (let r: usize = 0; r < rows; r += ROWS_AT_ONCE) {
    const stop = min(r + ROWS_AT_ONCE, rows)
    for (let c: usize = 0; c < stride; c += COLUMNS) {
      for (let i = r; i < stop; i += ROWS) {
        const row = min(i, rows - ROWS)
        turnBack(at + c * rows + row, rows, out + row * stride + c, stride)
      }
    }
  }
}

/**
 * How often bytes come back 8, 16, 32 and 64 bytes later in the same page.
 *
 * @module
 */

const CHUNK: usize = 16
const STEP: usize = 64
/** Steps after which counts of 8 bits may be full: each adds up to 4, what is left of a page 3. */
const STEPS_MAX: usize = 63

/** Methods, because only these can be told to go inline in the syntax that formatters read. */
class Counts {
  /** Adds 1 to every lane in which both are the same. */
  @inline static add(counts: v128, a: v128, b: v128): v128 {
    return i8x16.sub(counts, i8x16.eq(a, b))
  }

  @inline static total(counts: v128): u32 {
    const pairs = i16x8.extadd_pairwise_i8x16_u(counts)
    const fours = i32x4.extadd_pairwise_i16x8_u(pairs)
    const eights = i32x4.add(fours, v128.shuffle<i32>(fours, fours, 2, 3, 0, 1))
    return i32x4.extract_lane(eights, 0) + i32x4.extract_lane(eights, 1)
  }
}

/** Counts for positions from `i` on, with less than a step before the page's end. */
function countRest(i: usize, end: usize, lag: usize): u32 {
  let equal: u32 = 0
  for (; i + lag + CHUNK <= end; i += CHUNK) {
    equal += popcnt<u32>(i8x16.bitmask(i8x16.eq(v128.load(i), v128.load(i + lag))))
  }
  for (; i + lag < end; i++) equal += <u32>(load<u8>(i) == load<u8>(i + lag))
  return equal
}

function classifyPage(at: usize, end: usize, out: usize): void {
  let total8: u32 = 0
  let total16: u32 = 0
  let total32: u32 = 0
  let total64: u32 = 0
  let i = at
  while (i + 2 * STEP <= end) {
    const zero = i8x16.splat(0)
    let counts8 = zero
    let counts16 = zero
    let counts32 = zero
    let counts64 = zero
    let a = v128.load(i)
    let b = v128.load(i, 16)
    let c = v128.load(i, 32)
    let d = v128.load(i, 48)
    const stop = i + min((end - i - STEP) / STEP, STEPS_MAX) * STEP
    for (; i < stop; i += STEP) {
      const e = v128.load(i, 64)
      const f = v128.load(i, 80)
      const g = v128.load(i, 96)
      const h = v128.load(i, 112)
      counts8 = Counts.add(counts8, a, v128.load(i, 8))
      counts16 = Counts.add(counts16, a, b)
      counts32 = Counts.add(counts32, a, c)
      counts64 = Counts.add(counts64, a, e)
      counts8 = Counts.add(counts8, b, v128.load(i, 24))
      counts16 = Counts.add(counts16, b, c)
      counts32 = Counts.add(counts32, b, d)
      counts64 = Counts.add(counts64, b, f)
      counts8 = Counts.add(counts8, c, v128.load(i, 40))
      counts16 = Counts.add(counts16, c, d)
      counts32 = Counts.add(counts32, c, e)
      counts64 = Counts.add(counts64, c, g)
      counts8 = Counts.add(counts8, d, v128.load(i, 56))
      counts16 = Counts.add(counts16, d, e)
      counts32 = Counts.add(counts32, d, f)
      counts64 = Counts.add(counts64, d, h)
      a = e
      b = f
      c = g
      d = h
    }
    total8 += Counts.total(counts8)
    total16 += Counts.total(counts16)
    total32 += Counts.total(counts32)
    total64 += Counts.total(counts64)
  }
  store<u16>(out, <u16>(total8 + countRest(i, end, 8)))
  store<u16>(out, <u16>(total16 + countRest(i, end, 16)), 2)
  store<u16>(out, <u16>(total32 + countRest(i, end, 32)), 4)
  store<u16>(out, <u16>(total64 + countRest(i, end, 64)), 6)
}

/** Four u16 per page of `[at, at + byteCount)`, the last of which may be short, from `out` on. */
export function classify(at: usize, byteCount: usize, pageBytes: usize, out: usize): void {
  const end = at + byteCount
  for (; at < end; at += pageBytes, out += 8) classifyPage(at, min(at + pageBytes, end), out)
}

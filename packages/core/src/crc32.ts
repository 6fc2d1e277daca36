/**
 * CRC-32 (IEEE 802.3, reflected, polynomial 0xEDB88320), eight bytes per step.
 *
 * @module
 */

/** Table 0 is the classic byte table; table k advances a byte by k further zero bytes. */
const tables: Uint32Array = buildTables()

function buildTables(): Uint32Array {
  const built = new Uint32Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
    built[byte] = crc
  }
  for (let byte = 0; byte < 256; byte++) {
    for (let k = 1; k < 8; k++) {
      const before = built[(k - 1) * 256 + byte]!
      built[k * 256 + byte] = (before >>> 8) ^ built[before & 0xff]!
    }
  }
  return built
}

/**
 * CRC of `bytes[start, end)`, continuing from `crc` (0 to begin), so that
 * `crc32(b, crc32(a))` is the CRC of `a` followed by `b`.
 */
export function crc32(bytes: Uint8Array, crc = 0, start = 0, end: number = bytes.length): number {
  const t = tables
  let c = ~crc >>> 0
  let i = start
  for (; i + 8 <= end; i += 8) {
    const low =
      c ^ (bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24))
    c =
      t[1792 + (low & 0xff)]! ^
      t[1536 + ((low >>> 8) & 0xff)]! ^
      t[1280 + ((low >>> 16) & 0xff)]! ^
      t[1024 + (low >>> 24)]! ^
      t[768 + bytes[i + 4]!]! ^
      t[512 + bytes[i + 5]!]! ^
      t[256 + bytes[i + 6]!]! ^
      t[bytes[i + 7]!]!
  }
  for (; i < end; i++) c = (c >>> 8) ^ t[(c ^ bytes[i]!) & 0xff]!
  return ~c >>> 0
}

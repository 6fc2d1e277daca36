/**
 * 64-bit values as 8 little-endian bytes, for control bodies.
 *
 * @module
 */

export function u64ToBytes(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true)
  return bytes
}

/** @param bytes - at least 8 bytes; the first 8 are read */
export function u64FromBytes(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true)
}

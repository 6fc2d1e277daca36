/**
 * The three hashes of section 5, for the suite's own digests.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import type { HashName } from '@godwit/core'
import { KIB } from '@godwit/core'
import { createKernels } from '@godwit/kernels'
import type { Hello } from '@godwit/wire'
import { u64FromBytes, u64ToBytes } from '@godwit/wire'

/** Fingerprints of pages, and digests of sequences of them. */
export interface Hashes {
  readonly name: HashName
  fingerprint(page: Uint8Array): Uint8Array
  digest(fingerprints: readonly Uint8Array[]): Uint8Array
}

const mask = (1n << 64n) - 1n
const P1 = 11400714785074694791n
const P2 = 14029467366897019727n
const P3 = 1609587929392839161n
const P4 = 9650029242287828579n
const P5 = 2870177450012600261n

const rotate = (x: bigint, bits: bigint): bigint => ((x << bits) | (x >> (64n - bits))) & mask
const times = (a: bigint, b: bigint): bigint => (a * b) & mask
const mix = (sum: bigint, lane: bigint): bigint => {
  return times(rotate((sum + times(lane, P2)) & mask, 31n), P1)
}

/** XXH64, as its specification has it. */
export function xxh64(bytes: Uint8Array, seed: bigint): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  let hash = (seed + P5) & mask
  if (bytes.length >= 32) {
    const sums = [seed + P1 + P2, seed + P2, seed, seed - P1].map((sum) => sum & mask)
    for (; at + 32 <= bytes.length; at += 32) {
      for (let i = 0; i < 4; i++) sums[i] = mix(sums[i]!, view.getBigUint64(at + 8 * i, true))
    }
    const turns = [1n, 7n, 12n, 18n]
    hash = sums.reduce((all, sum, i) => all + rotate(sum, turns[i]!), 0n) & mask
    for (const sum of sums) hash = (times(hash ^ mix(0n, sum), P1) + P4) & mask
  }
  hash = (hash + BigInt(bytes.length)) & mask
  for (; at + 8 <= bytes.length; at += 8) {
    const lane = mix(0n, view.getBigUint64(at, true))
    hash = (times(rotate(hash ^ lane, 27n), P1) + P4) & mask
  }
  if (at + 4 <= bytes.length) {
    const word = times(BigInt(view.getUint32(at, true)), P1)
    hash = (times(rotate(hash ^ word, 23n), P2) + P3) & mask
    at += 4
  }
  for (; at < bytes.length; at++) {
    hash = times(rotate(hash ^ times(BigInt(bytes[at]!), P5), 11n), P1)
  }
  hash = times(hash ^ (hash >> 33n), P2)
  hash = times(hash ^ (hash >> 29n), P3)
  return hash ^ (hash >> 32n)
}

/** One after the other. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

const sha256 = (...parts: readonly Uint8Array[]): Uint8Array => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return new Uint8Array(hash.digest())
}

const stagedBytes = 64 * KIB

/** Hashes what fits in 64 KiB. */
function xxh3Hashes(seed: bigint): Hashes {
  const kernels = createKernels({ memoryBytes: 2 * stagedBytes })
  const staged = kernels.allocate(stagedBytes, 64)
  const out = kernels.allocate(8)
  const [key, digestKey] = [kernels.createKey(seed), kernels.createKey(0n)]
  const hash = (bytes: Uint8Array, by: number): Uint8Array => {
    kernels.bytes.set(bytes, staged)
    kernels.hash(staged, bytes.length, by, out)
    return kernels.bytes.slice(out, out + 8)
  }
  return {
    name: 'xxh3',
    fingerprint: (page) => hash(page, key),
    digest: (fingerprints) => hash(joined(fingerprints), digestKey),
  }
}

/** What a session's memory is compared by; section 6, *Verification*. */
export function verifyHashes({ verify, hash, verifySeed }: Hello): Hashes {
  const plain = hash === 'sha256' ? 'xxh64' : hash
  return createHashes(verify === 'sha256' ? 'sha256' : plain, verifySeed)
}

/** @param seed - 8 bytes, of HELLO */
export function createHashes(name: HashName, seed: Uint8Array): Hashes {
  const value = u64FromBytes(seed)
  switch (name) {
    case 'xxh3':
      return xxh3Hashes(value)
    case 'xxh64':
      return {
        name,
        fingerprint: (page) => u64ToBytes(xxh64(page, value)),
        digest: (fingerprints) => u64ToBytes(xxh64(joined(fingerprints), 0n)),
      }
    case 'sha256':
      return {
        name,
        fingerprint: (page) => sha256(seed, page),
        digest: (fingerprints) => sha256(...fingerprints),
      }
  }
}

import { KeyedHasher, createPrimitives } from '@godwit/codec'
import { isProved, staticKey, staticProof } from '@godwit/seal'
import { describe, expect, it } from 'vitest'
import { hashesOf } from '../end-to-end/static-sibling.ts'
import { readVectors } from './vector-files.ts'

interface StaticVector {
  readonly name: string
  readonly secret: string
  readonly session: string
  readonly fingerprintSeed: string
  readonly verifySeed: string
  readonly staticNonce: string
  readonly key: string
  readonly proof: string
  /** Byte `i` is `first + i * step`. */
  readonly page: { readonly bytes: number; readonly first: number; readonly step: number }
  readonly contentHash: string
  readonly entryHash: string
}

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))
const hex = (from: Uint8Array): string => Buffer.from(from).toString('hex')
const vectors = readVectors<StaticVector>('static.json')
const { sha256 } = await createPrimitives()

function keyOf({ secret, session, fingerprintSeed, verifySeed, staticNonce }: StaticVector) {
  return staticKey(bytes(secret), {
    session: bytes(session),
    fingerprintSeed: bytes(fingerprintSeed),
    verifySeed: bytes(verifySeed),
    staticNonce: bytes(staticNonce),
  })
}

describe('static.json', () => {
  it.each(vectors)('a secret proves itself in one session: $name', (vector) => {
    const key = keyOf(vector)
    expect(hex(key)).toBe(vector.key)
    expect(hex(staticProof(key))).toBe(vector.proof)
    const others = vectors.filter(({ proof }) => proof !== vector.proof)
    expect(others.length).toBeGreaterThan(3)
    for (const { proof } of others) expect(isProved(key, bytes(proof))).toBe(false)
    expect(isProved(key, bytes(vector.proof))).toBe(true)
  })

  it.each(vectors)('a content is known by its hash, an entry by its keyed one: $name', (vector) => {
    const { first, step, bytes: byteCount } = vector.page
    const page = Uint8Array.from({ length: byteCount }, (_, i) => first + i * step)
    const content = hashesOf(page, byteCount)
    expect(hex(content)).toBe(vector.contentHash)
    const entry = new Uint8Array(16)
    new KeyedHasher(sha256, bytes(vector.key)).hash(content, entry)
    expect(hex(entry)).toBe(vector.entryHash)
  })
})

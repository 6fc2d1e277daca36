/**
 * What a destination says of an image that it has: in time, and no longer than somebody listens.
 */
import type { StaticSet } from '@godwit/core'
import { CONTENT_HASH_BYTES, NOT_HELD } from '@godwit/core'
import type { Primitives } from '@godwit/codec'
import { KeyedHasher, createPrimitives } from '@godwit/codec'
import { staticKey, staticProof } from '@godwit/seal'
import { FakeClock } from '@godwit/testkit'
import type { Hello, Reserve, StaticHeld, Welcome } from '@godwit/wire'
import { describe, expect, it } from 'vitest'
import {
  STATIC_ANSWER_MS_MAX,
  StaticAgreement,
} from '../../packages/destination/src/static-agreement.ts'

const pageBytes = 4096
/** Of one frame. */
const perFrame = 8192
const entryCount = 3 * perFrame + 100
const sessionId = '00112233445566778899aabbccddeeff'
const bytes = (count: number, value: number): Uint8Array => new Uint8Array(count).fill(value)
const terms = {
  hello: { fingerprintSeed: bytes(8, 1), verifySeed: bytes(8, 2) } as unknown as Hello,
  welcome: { staticNonce: bytes(16, 3), pageBytes } as unknown as Welcome,
}
const session = Uint8Array.from(Buffer.from(sessionId, 'hex'))
const secret = bytes(32, 4)
const { fingerprintSeed, verifySeed } = terms.hello
const staticNonce = terms.welcome.staticNonce!
const key = staticKey(secret, { session, fingerprintSeed, verifySeed, staticNonce })
const regions = [{ id: 0, name: 'ram', byteLength: entryCount * pageBytes }]
const offers = [{ kind: 'image', id: bytes(16, 5), proof: staticProof(key) }] as const
const reserve: Reserve = { guest: { kind: 'memory', options: {} }, regions, static: offers }

/** Every third entry is not here. */
const origin = Uint8Array.from({ length: entryCount }, (_, i) => (i % 3 === 0 ? NOT_HELD : 0))
const places = { origins: ['file'], origin, page: new Uint32Array(entryCount) }
const hashes = Uint8Array.from({ length: entryCount * CONTENT_HASH_BYTES }, (_, i) => i % 253)
const set: StaticSet = { pageBytes, hashes, positions: new Uint32Array(0) }
const heldBelow = (end: number): number => end - Math.ceil(end / 3)

const given = await createPrimitives({})

/** An agreement about that image, and what it did. */
class Place {
  readonly clock = new FakeClock()
  readonly frames: StaticHeld[] = []
  readonly agreement: StaticAgreement
  /** Hashes that were made. */
  hashed = 0
  /** Called with every frame, when it is written. */
  onFrame: () => void = () => {}

  constructor() {
    const sha256: Primitives['sha256'] = (input) => {
      this.hashed++
      return given.sha256(input)
    }
    const parts = {
      clock: this.clock,
      primitives: { ...given, sha256 },
      sessionId,
      finder: {
        find: async (asked: readonly { provesSecret: (one: Uint8Array) => boolean }[]) =>
          asked[0]!.provesSecret(secret) ? [{ index: 0, set, places }] : [],
      },
      send: (body: StaticHeld, written: () => void) => {
        this.frames.push(body)
        this.onFrame()
        written()
      },
    }
    this.agreement = new StaticAgreement(parts, terms.hello, terms.welcome, reserve)
  }

  /** Lets it work on until nothing more comes of it. */
  async settle(): Promise<void> {
    for (let before = -1; before < this.hashed; ) {
      before = this.hashed
      for (let turn = 0; turn < 5; turn++) {
        await new Promise<void>((resolve) => this.clock.soon(resolve))
      }
    }
  }

  /** What was told, one behind the other. */
  get told(): Uint8Array {
    return Uint8Array.from(this.frames.flatMap(({ hashes: some }) => [...some!]))
  }
}

describe('an image', () => {
  it('is told of by keyed hashes, in order', async () => {
    const place = new Place()
    const known = await place.agreement.tell()
    expect(known).toEqual({ sets: [{ entryCount, held: { hashes, places } }] })
    expect(place.frames.map(({ first }) => first)).toEqual([0, 1, 2, 3].map((i) => i * perFrame))
    const hasher = new KeyedHasher(given.sha256, key)
    const expected = new Uint8Array(entryCount * 16)
    for (let entry = 0; entry < entryCount; entry++) {
      const at = entry * CONTENT_HASH_BYTES
      if (entry % 3 !== 0) {
        hasher.hash(hashes.subarray(at, at + CONTENT_HASH_BYTES), expected, entry * 16)
      }
    }
    expect(Buffer.compare(place.told, expected)).toBe(0)
    const counts = { entries: entryCount, heldEntries: heldBelow(entryCount), pages: 7 }
    expect(place.agreement.report(7)).toMatchObject(counts)
    expect(place.clock.timerCount).toBe(0)
  })

  it('is hashed while room is made, and lets other work through', async () => {
    const place = new Place()
    const once = place.hashed
    place.agreement.begin()
    let turns = 0
    const other = (): void => {
      turns++
      if (place.hashed < heldBelow(entryCount)) place.clock.soon(other)
    }
    other()
    await place.settle()
    expect([place.hashed - once, place.frames.length]).toEqual([heldBelow(entryCount), 0])
    expect(turns).toBeGreaterThan(entryCount / 1024)
    await place.agreement.tell()
    expect([place.hashed - once, place.frames.length]).toEqual([heldBelow(entryCount), 4])
  })

  it('has as many entries as were told when time is up', async () => {
    const place = new Place()
    place.onFrame = () => {
      if (place.frames.length === 2) place.clock.advance(STATIC_ANSWER_MS_MAX)
    }
    const known = await place.agreement.tell()
    const entries = 2 * perFrame
    expect(known).toEqual({ sets: [{ entryCount: entries, held: { hashes, places } }] })
    expect(place.frames).toHaveLength(2)
    const reason = 'there was no time to tell of all of it'
    const counts = { entries, heldEntries: heldBelow(entries), reason }
    expect(place.agreement.report(0)).toMatchObject(counts)
    const before = place.hashed
    await place.settle()
    expect(place.hashed).toBe(before)
  })

  it('is not told of any further, nor hashed, when the migration is over', async () => {
    const place = new Place()
    place.onFrame = () => place.agreement.cancel()
    expect(await place.agreement.tell()).toBeUndefined()
    expect(place.frames).toHaveLength(1)
    expect(place.hashed).toBeLessThan(heldBelow(entryCount))
    const before = place.hashed
    await place.settle()
    expect([place.hashed, place.clock.timerCount]).toEqual([before, 0])
  })

  it('is not hashed any further when the migration ends while room is made', async () => {
    const place = new Place()
    place.agreement.begin()
    while (place.hashed === 0) await new Promise<void>((resolve) => place.clock.soon(resolve))
    place.agreement.cancel()
    const before = place.hashed
    await place.settle()
    expect(place.hashed).toBe(before)
    expect(before).toBeLessThan(heldBelow(entryCount))
  })
})

/**
 * Peers that want to know what memory holds, and say of static pages what may not be said.
 */
import type { Report } from '@godwit/core'
import { MIB } from '@godwit/core'
import { KeyedHasher } from '@godwit/codec'
import type { FoundSet, OfferedSet, StaticFinder } from '@godwit/destination'
import { staticKey, staticProof } from '@godwit/seal'
import type { StaticOffering } from '@godwit/source'
import { randomBytes as seeded } from '@godwit/testkit'
import { createMemoryNetwork } from '@godwit/transport'
import type { Hello, Message, StaticHeld, StaticOffer, Welcome } from '@godwit/wire'
import {
  MemoryHost,
  formatImageKeys,
  nodePrimitives,
  nodeSealTools,
  parseImageKeys,
  randomBytes,
} from 'godwit'
import { afterEach, describe, expect, it } from 'vitest'
import { Peer, hello } from './peer.ts'
import type { Rig } from './rig.ts'
import { createRig, createSource } from './rig.ts'
import { ShadowGuest } from './shadow.ts'
import type { KnownImage } from './static-sibling.ts'
import {
  SiblingFinder,
  imageOf,
  mapOffering,
  memoryOf,
  placesIn,
  siblingMemory,
} from './static-sibling.ts'

const map = mapOffering('content')
const image = imageOf(memoryOf([600, 601, 602, 603]))
const pageCount = MIB / 4096
const { sha256 } = await nodePrimitives()
const peers: Peer[] = []
const rigs: Rig[] = []

afterEach(async () => {
  for (const peer of peers.splice(0)) peer.channel.destroy()
  for (const rig of rigs.splice(0)) await rig.agent.abandon()
})

async function rigWith(finder: StaticFinder | undefined, security = {}): Promise<Rig> {
  const memory = [new Uint8Array(MIB)]
  const known = finder === undefined ? {} : { static: finder }
  const rig = await createRig(new MemoryHost({ memory }, MIB), { ...known, ...security })
  rigs.push(rig)
  return rig
}

/** What makes a session another one. */
interface Mark {
  readonly session: Uint8Array
  readonly fingerprintSeed: Uint8Array
  readonly verifySeed: Uint8Array
  readonly staticNonce: Uint8Array
}

const regions = [{ id: 0, name: 'ram', byteLength: MIB }]
const guest = { kind: 'memory', options: {} }

/** A source that is up to WELCOME. */
async function greeted(
  rig: Rig,
  session: Uint8Array = randomBytes(16),
  terms: Partial<Hello> = { optional: ['static'] },
): Promise<{ peer: Peer; mark: Mark; welcome: Welcome }> {
  const peer = new Peer(await rig.dial())
  peers.push(peer)
  const asked = { ...hello, ...terms }
  peer.preface(session).send('Hello', asked)
  const { body: welcome } = (await peer.until('Welcome')) as Message & { name: 'Welcome' }
  const { fingerprintSeed, verifySeed } = asked
  const mark = { session, fingerprintSeed, verifySeed, staticNonce: welcome.staticNonce! }
  return { peer, mark, welcome }
}

const proofOf = (secret: Uint8Array, mark: Mark): Uint8Array => staticProof(staticKey(secret, mark))

function mapOffer(proof: Uint8Array): StaticOffer & { kind: 'map' } {
  const { os, hypervisor, version, mode, set } = map
  const entries = set.hashes.length / 32
  const positions = set.positions.length
  return { kind: 'map', os, hypervisor, version, entries, positions, mode, proof }
}

const imageOffer = (proof: Uint8Array, { id }: KnownImage = image): StaticOffer => {
  return { kind: 'image', id, proof }
}

/** What the destination says to offers, and how long all that is. */
async function answerTo(
  peer: Peer,
  ...offers: readonly StaticOffer[]
): Promise<{ held: StaticHeld[]; byteCount: number }> {
  const before = peer.byteCount
  peer.send('Reserve', { guest, regions, static: offers })
  const held: StaticHeld[] = []
  for (;;) {
    const message = await peer.next()
    if (message?.name === 'Reserved') return { held, byteCount: peer.byteCount - before }
    expect(message?.name).toBe('StaticHeld')
    held.push((message as Message & { name: 'StaticHeld' }).body)
  }
}

/** One that does not care what was proved. */
class CarelessFinder extends SiblingFinder {
  override async find(offers: readonly OfferedSet[]): Promise<readonly FoundSet[]> {
    return offers.map(({ offer, provesSecret }, index) => {
      provesSecret(offer.kind === 'map' ? map.digest : image.token)
      const { set } = offer.kind === 'map' ? map : image
      return { index, set, places: placesIn(set, siblingMemory()) }
    })
  }
}

const knowing = (): SiblingFinder => new SiblingFinder(siblingMemory(), [map], [image])

describe('a source that has a map', () => {
  it('hears what is held of it, and of nothing else', async () => {
    const { peer, mark } = await greeted(await rigWith(knowing()))
    const { held } = await answerTo(peer, mapOffer(proofOf(map.digest, mark)))
    // 48 entries that the sibling has, and none of the ten behind.
    expect(held).toEqual([{ set: 0, first: 0, held: new Uint8Array(6).fill(0xff) }])
  })
})

describe('a source that has none', () => {
  it('hears as much as where nobody knows of any', async () => {
    const guesses = (mark: Mark): StaticOffer[] => [
      mapOffer(proofOf(seeded(32, 5), mark)),
      { ...mapOffer(seeded(16, 6)), version: 3 },
      imageOffer(proofOf(map.digest, mark)),
    ]
    const knows = await greeted(await rigWith(knowing()))
    const known = await answerTo(knows.peer, ...guesses(knows.mark))
    const ignorant = await greeted(await rigWith(new SiblingFinder(siblingMemory())))
    const unknown = await answerTo(ignorant.peer, ...guesses(ignorant.mark))
    expect(known).toEqual({ held: [], byteCount: unknown.byteCount })
  })

  it('hears nothing even from a finder that does not care for proofs', async () => {
    const { peer, mark } = await greeted(await rigWith(new CarelessFinder(siblingMemory())))
    const wrong = proofOf(seeded(32, 5), mark)
    const { held } = await answerTo(peer, mapOffer(wrong), imageOffer(seeded(16, 7)))
    expect(held).toEqual([])
  })

  it('hears nothing by a proof that it recorded, though it says all else again', async () => {
    const rig = await rigWith(knowing())
    const session = randomBytes(16)
    const first = await greeted(rig, session)
    const offers = [
      mapOffer(proofOf(map.digest, first.mark)),
      imageOffer(proofOf(image.token, first.mark)),
    ]
    expect((await answerTo(first.peer, ...offers)).held).toHaveLength(2)
    first.peer.send('Error', { code: 2, text: 'once more' })
    first.peer.channel.end()
    await rig.idle()
    const again = await greeted(rig, session)
    expect(again.mark.staticNonce).not.toEqual(first.mark.staticNonce)
    expect((await answerTo(again.peer, ...offers)).held).toEqual([])
  })
})

describe('the hashes of an image', () => {
  async function hashesFor(rig: Rig): Promise<{ hashes: Uint8Array; key: Uint8Array }> {
    const { peer, mark } = await greeted(rig)
    const { held } = await answerTo(peer, imageOffer(proofOf(image.token, mark)))
    expect(held).toMatchObject([{ set: 0, first: 0 }])
    peer.send('Error', { code: 2, text: 'that is all' })
    peer.channel.end()
    await rig.idle()
    return { hashes: held[0]!.hashes!, key: staticKey(image.token, mark) }
  }

  it('say nothing to whoever has no page, and other things in every session', async () => {
    const rig = await rigWith(knowing())
    const [one, other] = [await hashesFor(rig), await hashesFor(rig)]
    const text = ({ hashes }: { hashes: Uint8Array }): string => Buffer.from(hashes).toString('hex')
    expect(one.hashes).toHaveLength(4 * 16)
    for (let entry = 0; entry < 4; entry++) {
      const content = image.set.hashes.subarray(entry * 32, entry * 32 + 32)
      const hash = (bytes: Uint8Array): string => Buffer.from(bytes.subarray(0, 16)).toString('hex')
      const keyed = new Uint8Array(16)
      new KeyedHasher(sha256, one.key).hash(content, keyed)
      expect(text(one)).toContain(hash(keyed))
      expect(text(other)).not.toContain(hash(keyed))
      for (const plain of [content, content.subarray(4), sha256(content)]) {
        expect(text(one)).not.toContain(hash(plain))
      }
    }
  })
})

describe('a source that nobody has let in', () => {
  it('makes nobody look', async () => {
    const finder = knowing()
    const key = new Uint8Array(32).fill(3)
    const rig = await rigWith(finder, { security: { ...nodeSealTools, method: 'psk', key } })
    const peer = new Peer(await rig.dial())
    peers.push(peer)
    peer.preface(randomBytes(16)).send('Hello', { ...hello, optional: ['static'] })
    const offers = [mapOffer(seeded(16, 8))]
    peer.send('Reserve', { guest, regions, static: offers })
    expect(await peer.refusal()).toMatch(/^AUTH_REQUIRED: /)
    expect([finder.asked, rig.sessions]).toEqual([[], []])
  })

  it('makes nobody look for a guest that there is no room for', async () => {
    const finder = knowing()
    const { peer, mark } = await greeted(await rigWith(finder))
    const large = [{ id: 0, name: 'ram', byteLength: 2 * MIB }]
    const offers = [mapOffer(proofOf(map.digest, mark))]
    peer.send('Reserve', { guest, regions: large, static: offers })
    expect(await peer.refusal()).toMatch(/^(GUEST_OPTION|NO_ROOM): /)
    expect(finder.asked).toEqual([])
  })
})

describe('an offer is refused', () => {
  it.each<[string, string, (proof: Uint8Array) => readonly StaticOffer[]]>([
    [
      'nine',
      'WIRE_BODY',
      (proof) =>
        Array.from({ length: 9 }, (_, version) => {
          return { ...mapOffer(proof), version }
        }),
    ],
    ['of a set twice', 'WIRE_BODY', (proof) => [mapOffer(proof), mapOffer(seeded(16, 1))]],
    ['with a proof twice', 'WIRE_BODY', (proof) => [mapOffer(proof), imageOffer(proof)]],
    ['of no entries', 'WIRE_BODY', (proof) => [{ ...mapOffer(proof), entries: 0, positions: 0 }]],
    [
      'of more entries than the guest has use for',
      'LIMIT_EXCEEDED',
      (proof) => [{ ...mapOffer(proof), entries: 4 * pageCount + 1 }],
    ],
  ])('that is %s: %s', async (_what, code, offersOf) => {
    const finder = knowing()
    const { peer, mark } = await greeted(await rigWith(finder))
    const offers = offersOf(proofOf(map.digest, mark))
    peer.send('Reserve', { guest, regions, static: offers })
    expect(await peer.refusal()).toMatch(new RegExp(`^${code}: `))
    expect(finder.asked).toEqual([])
  })

  it.each([
    ['the destination looks nowhere', undefined, { optional: ['static'] }],
    ['the source did not ask', knowing(), {}],
  ] as const)('that was not agreed to: %s', async (_why, finder, terms) => {
    const { peer, welcome } = await greeted(await rigWith(finder), randomBytes(16), terms)
    expect([welcome.capabilities, welcome.staticNonce]).toEqual([[], undefined])
    peer.send('Reserve', { guest, regions, static: [mapOffer(seeded(16, 1))] })
    expect(await peer.refusal()).toMatch(/^PROTOCOL_CAPABILITY: /)
  })
})

/** Sends a guest to whoever plays the destination from WELCOME on; it goes on here. */
async function sendTo(
  play: (control: Peer) => void,
  offered: readonly StaticOffering[] = [map, image],
): Promise<Report> {
  const shadow = new ShadowGuest([new Uint8Array(MIB).fill(1)])
  const network = createMemoryNetwork()
  const played: Promise<void>[] = []
  await network.listen('pretender', (channel) => {
    const peer = new Peer(channel)
    peers.push(peer)
    played.push(pretend(peer, played.length === 0 ? play : undefined))
  })
  const dialler = network.createDialler('pretender')
  const settings = { static: offered }
  const migration = await createSource(shadow, (signal) => dialler.dial(signal), settings)
  const report = await migration.run()
  await Promise.allSettled(played)
  expect(report.outcome).toBe('failed')
  expect([shadow.isPaused, shadow.pauses]).toEqual([false, shadow.resumes])
  return report
}

async function pretend(peer: Peer, play?: (control: Peer) => void): Promise<void> {
  await peer.introduced()
  peer.raw(peer.prefaceHeard)
  if (play === undefined) return
  const { body } = (await peer.until('Hello')) as Message & { name: 'Hello' }
  const capabilities = body.optional.filter((name) => name === 'static')
  peer.send('Welcome', {
    version: 1,
    software: 'pretender',
    capabilities,
    pageBytes: 4096,
    dataChannels: 1,
    heartbeatMs: 60_000,
    ...(capabilities.length === 0 ? {} : { staticNonce: new Uint8Array(16) }),
  })
  await peer.until('Reserve')
  play(peer)
}

describe('a destination that says of static pages', () => {
  const bits = Uint8Array.of(1)
  const hash = new Uint8Array(16)

  it.each<[string, string, readonly StaticHeld[]]>([
    ['a set that was not offered', 'PROTOCOL_STATE', [{ set: 2, first: 0, held: bits }]],
    ['bits of an image', 'PROTOCOL_STATE', [{ set: 1, first: 0, held: bits }]],
    ['hashes of a map', 'PROTOCOL_STATE', [{ set: 0, first: 0, hashes: hash }]],
    [
      'an entry twice',
      'PROTOCOL_STATE',
      [
        { set: 0, first: 0, held: bits },
        { set: 0, first: 0, held: bits },
      ],
    ],
    ['hashes with a gap', 'PROTOCOL_STATE', [{ set: 1, first: 1, hashes: hash }]],
    [
      'an entry that there is not',
      'LIMIT_EXCEEDED',
      [{ set: 0, first: 56, held: Uint8Array.of(4) }],
    ],
    [
      'more hashes than there are pages',
      'LIMIT_EXCEEDED',
      [{ set: 1, first: 0, hashes: new Uint8Array((pageCount + 1) * 16) }],
    ],
    ['neither bits nor hashes', 'WIRE_BODY', [{ set: 0, first: 0 }]],
    ['both', 'WIRE_BODY', [{ set: 0, first: 0, held: bits, hashes: hash }]],
  ])('%s is given up: %s', async (_what, code, frames) => {
    const report = await sendTo((control) => {
      for (const frame of frames) control.send('StaticHeld', frame)
    })
    expect(report.error).toMatchObject({ code, phase: 'reservation' })
  })

  it('anything, though nothing was offered', async () => {
    const report = await sendTo((control) => {
      control.send('StaticHeld', { set: 0, first: 0, held: bits })
    }, [])
    expect(report.error).toMatchObject({ code: 'PROTOCOL_STATE' })
  })

  it('anything after RESERVED', async () => {
    const report = await sendTo((control) => {
      control.send('Reserved', { reservedBytes: MIB })
      control.send('StaticHeld', { set: 0, first: 0, held: bits })
    })
    expect(report.error).toMatchObject({ code: 'PROTOCOL_STATE' })
  })
})

describe('a set that a source cannot offer', () => {
  it.each([
    ['nine of them', Array.from({ length: 9 }, (_, i) => ({ ...map, version: i }))],
    ['one twice', [map, { ...map }]],
    ['a digest of another length', [{ ...map, digest: new Uint8Array(31) }]],
    ['a name that is too long', [{ ...map, os: 'x'.repeat(129) }]],
    ['a token of another length', [{ ...image, token: new Uint8Array(16) }]],
  ] as const)('begins nothing: %s', async (_what, offered) => {
    const shadow = new ShadowGuest([new Uint8Array(MIB)])
    const dial = () => Promise.reject(new Error('nobody is dialled'))
    const made = createSource(shadow, dial, { static: offered })
    await expect(made).rejects.toMatchObject({ code: 'USAGE' })
  })
})

describe('a source that names an image twice in END', () => {
  it('loses nobody a guest: the first of each is kept', async () => {
    const rig = await rigWith(undefined)
    const [one, other] = [imageOf(memoryOf([1]), 3), imageOf(memoryOf([2]), 4)]
    const keys = [one, { ...one, token: other.token }, other, one].map(({ id, token }) => {
      return { id, token }
    })
    const shadow = new ShadowGuest([new Uint8Array(MIB)])
    const migration = await rig.source(shadow, { images: keys })
    expect(await migration.run()).toMatchObject({ outcome: 'completed' })
    await rig.idle()
    const { images } = rig.sessions[0]!
    expect(images).toEqual([keys[0], keys[2]])
    expect(parseImageKeys(formatImageKeys(images))).toEqual(images)
    expect(rig.reports[0]!.error).toBeUndefined()
  })
})

/**
 * The destination's data plane seen from the control plane: lanes, rounds joined from them, and
 * what is known of the memory that was installed.
 *
 * @module
 */
import type { Clock, PageHasher, Region } from '@godwit/core'
import { MIB, ProtocolError, allocateShared, pagesCovering, yieldTo } from '@godwit/core'
import type { DecodedTotals, Primitives, InstalledPages, MemoryDigest } from '@godwit/codec'
import {
  BatchDecoder,
  digestFingerprints,
  digestMemory,
  verifyHash,
  warmUp,
  Workspace,
  zeroFingerprints,
} from '@godwit/codec'
import type { Link } from '@godwit/link'
import type { Hello, RoundEnd, Verified, Verify } from '@godwit/wire'
import { u64FromBytes } from '@godwit/wire'
import type { LaneOwner } from './lane.ts'
import { DestinationLane } from './lane.ts'

/** Receive buffer of a data channel: several batches. */
const RECEIVE_BYTES: number = 4 * MIB

/** All rounds of one migration, from the moment the memory is reserved. */
export class Rounds {
  readonly #pageBytes: number
  readonly #dataChannels: number
  readonly #workspace: Workspace
  readonly #hasher: PageHasher
  readonly #verifyHasher: PageHasher | undefined
  readonly #installed: readonly InstalledPages[]
  readonly #lanes: DestinationLane[] = []
  #barriers: DecodedTotals[] = []
  #end: RoundEnd | undefined

  constructor(
    regions: readonly Region[],
    hello: Hello,
    terms: { readonly pageBytes: number; readonly dataChannels: number },
    primitives: Primitives,
  ) {
    const { pageBytes } = terms
    this.#pageBytes = pageBytes
    this.#dataChannels = terms.dataChannels
    this.#workspace = new Workspace(primitives, terms.dataChannels * RECEIVE_BYTES)
    this.#hasher = this.#workspace.createHasher(hello.hash, hello.fingerprintSeed)
    const verifyName = verifyHash(hello.verify, hello.hash)
    const verifyHasher = verifyName && this.#workspace.createHasher(verifyName, hello.verifySeed)
    this.#verifyHasher = verifyHasher
    const memoryBytes = regions.reduce((sum, region) => sum + region.bytes.length, 0)
    warmUp(this.#workspace, memoryBytes, this.#hasher, verifyHasher)
    this.#installed = regions.map((region) => ({
      region,
      written: allocateShared(pagesCovering(region.bytes.length, pageBytes)),
      fingerprints: verifyHasher && zeroFingerprints(verifyHasher, region, pageBytes),
    }))
  }

  /**
   * Takes over a data channel.
   *
   * @throws {ProtocolError} `PROTOCOL_STATE`: its number is taken or was not agreed
   */
  open(index: number, link: Link, owner: LaneOwner): DestinationLane {
    if (index >= this.#dataChannels || this.#lanes[index] !== undefined) {
      throw new ProtocolError('PROTOCOL_STATE', `Data channel ${index} is not expected`)
    }
    const decoder = new BatchDecoder({
      pageBytes: this.#pageBytes,
      regions: this.#installed,
      hasher: this.#hasher,
      verifyHasher: this.#verifyHasher,
      copy: this.#workspace.copy,
    })
    const buffer = this.#workspace.allocate(RECEIVE_BYTES)
    const lane = new DestinationLane(link, decoder, owner, buffer)
    this.#lanes[index] = lane
    return lane
  }

  close(): void {
    for (const lane of this.#lanes) lane?.link.close()
  }

  get kernels(): 'simd' | 'typescript' {
    return this.#workspace.kernels
  }

  /** Pages installed of the round in progress. */
  get pages(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.pages, 0)
  }

  /** Bytes of page frames in all rounds. */
  get receivedBytes(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.receivedBytes, 0)
  }

  /** One lane has all of the round. */
  addBarrier(totals: DecodedTotals): void {
    this.#barriers.push(totals)
  }

  /** ROUND_END arrived. */
  addEnd(end: RoundEnd): void {
    this.#end = end
  }

  /**
   * Joins the round when every lane's barrier and ROUND_END are there.
   *
   * @returns pages by encoding, or undefined while something is missing
   * @throws {ProtocolError} `PROTOCOL_TOTALS`
   */
  join(): { raw: number; zero: number } | undefined {
    const end = this.#end
    if (end === undefined || this.#barriers.length < this.#dataChannels) return undefined
    let [batches, pages, digest, raw, zero] = [0, 0, 0n, 0, 0]
    for (const totals of this.#barriers) {
      batches += totals.batches
      pages += totals.pages
      raw += totals.rawPages
      zero += totals.zeroPages
      digest = BigInt.asUintN(64, digest + totals.digest)
    }
    this.#barriers = []
    this.#end = undefined
    if (end.batches !== batches || end.pages !== pages || u64FromBytes(end.digest) !== digest) {
      const text = `The source counts ${end.pages} pages in round ${end.round}; ${pages} arrived`
      throw new ProtocolError('PROTOCOL_TOTALS', text)
    }
    return { raw, zero }
  }

  /** Compares the source's digests with those of what was installed. */
  compare(verify: Verify): Verified {
    const regions = this.#installed.map(({ region, fingerprints }) => ({
      id: region.id,
      fingerprints: fingerprints!,
    }))
    const own = digestFingerprints(this.#verifyHasher!, regions)
    const asked = new Map(verify.regions.map(({ id, digest }) => [id, digest]))
    const differing = own.regions
      .filter(({ id, digest }) => !sameBytes(digest, asked.get(id)))
      .map(({ id }) => id)
    const equal = differing.length === 0 && sameBytes(own.digest, verify.digest)
    return { equal, digest: own.digest, differing }
  }

  /** The digest of memory as it is now, by the verification hash (or the session's). */
  digestNow(clock: Clock): Promise<MemoryDigest> {
    const hasher = this.#verifyHasher ?? this.#hasher
    const regions = this.#installed.map(({ region }) => region)
    return digestMemory(hasher, regions, this.#pageBytes, () => yieldTo(clock))
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && a.length === b.length && a.every((byte, index) => byte === b[index])
}

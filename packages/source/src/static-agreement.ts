/**
 * Which contents need not travel: what the source offers, and what the destination says to that.
 * The mirror image of the destination's file of the same name.
 *
 * @module
 */
import type { StaticReport } from '@godwit/core'
import {
  CONTENT_HASH_BYTES,
  PageBitmap,
  allocateShared,
  hasRounds,
  pagesOfRegions,
} from '@godwit/core'
import type { AgreedSet, ScannedPages, StaticLookup } from '@godwit/codec'
import {
  StaticScan,
  Workspace,
  indexAhead,
  scannedPages,
  staticLookup,
  staticScanBytes,
} from '@godwit/codec'
import { staticKey, staticProof } from '@godwit/seal'
import type { HeldEntries } from '@godwit/session'
import { StaticAnswers, mapEntriesMax } from '@godwit/session'
import type { Hello, StaticHeld, StaticOffer, Welcome } from '@godwit/wire'
import { STATIC_ENTRIES_SUM_MAX, STATIC_HASH_BYTES } from '@godwit/wire'
import { reserveOf } from './agreement.ts'
import type { SourceOptions } from './options.ts'
import type { StaticOffering } from './static-offering.ts'
import { checkOfferings } from './static-offering.ts'

/** What RESERVE says of an offering. */
interface Offered {
  readonly offering: StaticOffering
  /** Of this session. */
  readonly key: Uint8Array
  readonly offer: StaticOffer
}

/** Of one migration. */
export class StaticAgreement {
  readonly #options: SourceOptions
  readonly #session: Uint8Array
  #offered: readonly Offered[] = []
  #answers = new StaticAnswers([], 0)
  #report: StaticReport | undefined
  #scanned: ScannedPages | undefined
  /** Further looks are of no use. */
  #isOver = false
  /** For lanes, once it is settled. */
  lookup: StaticLookup | undefined

  /** @param session - its id @throws {GodwitError} `USAGE` */
  constructor(options: SourceOptions, session: Uint8Array) {
    checkOfferings(options)
    this.#options = options
    this.#session = session
  }

  /** The capability holds, or does not. */
  agree(hello: Hello, welcome: Welcome): void {
    const { static: all = [], guest, mode } = this.#options
    if (all.length === 0) return
    const { staticNonce } = welcome
    this.#report = { entries: 0, heldEntries: 0, pages: 0, ms: 0 }
    if (!hasRounds(mode)) {
      this.#report.reason = `mode ${mode} has no round in which pages are looked up`
      return
    }
    if (staticNonce === undefined) {
      this.#report.reason = 'the destination has nowhere to look'
      return
    }
    const { fingerprintSeed, verifySeed } = hello
    const mark = { session: this.#session, fingerprintSeed, verifySeed, staticNonce }
    const pageCount = pagesOfRegions(reserveOf(guest).regions, welcome.pageBytes)
    const fitting = this.#fitting(all, pageCount, welcome.pageBytes)
    this.#offered = fitting.map((offering) => {
      const key = staticKey(secretOf(offering), mark)
      return { offering, key, offer: offerOf(offering, staticProof(key)) }
    })
    this.#answers = new StaticAnswers(this.offers ?? [], pageCount)
  }

  /**
   * The destination makes room now: pages are looked up meanwhile, up to {@link settle}, in pieces
   * that let everything else through. In the first set only, and only if that is a map: what a
   * destination has of images is not known yet.
   *
   * @param untouched - per region: pages that nobody has touched
   * @param seed - of the session's fingerprints
   */
  lookAhead(untouched: readonly PageBitmap[], seed: Uint8Array): void {
    const offering = this.#offered[0]?.offering
    if (offering?.kind !== 'map') return
    const { pageBytes, primitives, hash, guest, clock } = this.#options
    const { set, mode: by } = offering
    const workspace = new Workspace(primitives, staticScanBytes(pageBytes))
    const hasher = workspace.createHasher(hash, seed)
    const index = indexAhead({ by, set })
    const { regions } = guest
    const pageCount = untouched.reduce((sum, bitmap) => sum + bitmap.pageCount, 0)
    const into = scannedPages(pageCount, hasher.entryBytes)
    const pages = { pageBytes, regions, untouched, into }
    const scan = new StaticScan({ index, workspace, hasher, ...pages })
    const step = (): void => {
      if (!this.#isOver && scan.step()) clock.soon(step)
    }
    this.#scanned = into
    clock.soon(step)
  }

  /** Those that a guest of that size has use for. */
  #fitting(
    all: readonly StaticOffering[],
    pageCount: number,
    pageBytes: number,
  ): readonly StaticOffering[] {
    const report = this.#report!
    return all.filter((offering) => {
      if (offering.kind === 'image') return true
      const { set, os, hypervisor, version: mapVersion, mode } = offering
      const entries = countOf(offering)
      const most = Math.min(mapEntriesMax(pageCount), STATIC_ENTRIES_SUM_MAX - report.entries)
      if (set.pageBytes !== pageBytes || entries === 0 || entries > most) {
        report.reason = `the map of ${os} on ${hypervisor} does not fit a guest of this size`
        return false
      }
      if (report.os === undefined) Object.assign(report, { mode, os, hypervisor, mapVersion })
      report.entries += entries
      return true
    })
  }

  /** For RESERVE; undefined where there are none. */
  get offers(): readonly StaticOffer[] | undefined {
    return this.#offered.length === 0 ? undefined : this.#offered.map(({ offer }) => offer)
  }

  /** @throws {ProtocolError} {@link LimitError} it is not what may be said to these offers */
  heard(body: StaticHeld): void {
    this.#answers.add(body)
  }

  /** RESERVED came: what is known of the destination is all that there will be. */
  settle(): void {
    const { clock } = this.#options
    const beginMs = clock.nowMs()
    this.#isOver = true
    const sets = this.#answers.held.map((held, index) => agreedSet(this.#offered[index]!, held))
    this.lookup = staticLookup(sets, this.#scanned)
    const report = this.#report!
    for (const { by, held } of sets) {
      report.heldEntries += held.size
      if (by === 'keyed') report.entries += held.pageCount
    }
    report.ms = clock.nowMs() - beginMs
  }

  /** The migration is over, however it went: nothing is looked up any more. */
  end(): void {
    this.#isOver = true
    this.lookup = undefined
  }

  /** @param pages - that were sent by their numbers */
  report(pages: number, repairedPages: number): StaticReport | undefined {
    return this.#report && { ...this.#report, pages, repairedPages }
  }
}

function countOf({ set }: StaticOffering & { readonly kind: 'map' }): number {
  return set.hashes.length / CONTENT_HASH_BYTES
}

/** What never travels, and makes the proof. */
function secretOf(offering: StaticOffering): Uint8Array {
  return offering.kind === 'map' ? offering.digest : offering.token
}

function offerOf(offering: StaticOffering, proof: Uint8Array): StaticOffer {
  if (offering.kind === 'image') return { kind: 'image', id: offering.id, proof }
  const { kind, os, hypervisor, version, mode, set } = offering
  const positions = set.positions.length
  return { kind, os, hypervisor, version, entries: countOf(offering), positions, mode, proof }
}

/** A set as lanes look pages up in it. */
function agreedSet({ offering, key }: Offered, entries: HeldEntries): AgreedSet {
  if (entries.kind === 'map') {
    const { set, mode: by } = offering as StaticOffering & { readonly kind: 'map' }
    return { by, set, held: entries.held }
  }
  const hashes = allocateShared(entries.hashes.length)
  hashes.set(entries.hashes)
  const held = new PageBitmap(hashes.length / STATIC_HASH_BYTES)
  held.addAll()
  return { by: 'keyed', key, hashes, held }
}

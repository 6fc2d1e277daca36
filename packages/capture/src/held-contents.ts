/**
 * What a destination said that it holds anyway. The contents are not in the stream: numbers can be
 * checked, and nothing that stands for them.
 *
 * @module
 */
import { NOT_HELD, pagesOfRegions } from '@godwit/core'
import type { HeldSet, StaticContents } from '@godwit/codec'
import type { HeldEntries } from '@godwit/session'
import { StaticAnswers } from '@godwit/session'
import type { Reserve, StaticHeld } from '@godwit/wire'
import { STATIC_HASH_BYTES } from '@godwit/wire'

/** Of one session. */
export class HeldContents {
  readonly #answers: StaticAnswers
  #isAny = false

  constructor({ static: offers = [], regions }: Reserve, pageBytes: number) {
    this.#answers = new StaticAnswers(offers, pagesOfRegions(regions, pageBytes))
  }

  /** @throws {ProtocolError} {@link LimitError} as a source would */
  add(body: StaticHeld): void {
    this.#answers.add(body)
    this.#isAny = true
  }

  /** For decoders, which find every number and no content; undefined where nothing was said. */
  get contents(): StaticContents | undefined {
    return this.#isAny ? { sets: this.#answers.held.map(setOf) } : undefined
  }
}

function setOf(entries: HeldEntries): HeldSet {
  const isImage = entries.kind === 'image'
  const entryCount = isImage ? entries.hashes.length / STATIC_HASH_BYTES : entries.held.pageCount
  const origin = new Uint8Array(entryCount).fill(NOT_HELD)
  for (let entry = 0; entry < entryCount; entry++) {
    if (isImage || entries.held.has(entry)) origin[entry] = 0
  }
  // A file that nobody can open: the name is empty.
  const places = { origins: [''], origin, page: new Uint32Array(0) }
  return { entryCount, held: { hashes: new Uint8Array(0), places } }
}

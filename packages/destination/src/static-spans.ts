/**
 * Contents that a destination holds anyway, taken apart for the way to another thread.
 *
 * @module
 */
import type { Span } from '@godwit/core'
import { bytesOf, spanOf } from '@godwit/core'
import type { HeldEntries, HeldSet, StaticContents } from '@godwit/codec'

/** Memory of siblings may be as large as a guest's. */
interface HeldSpans {
  readonly hashes: Uint8Array
  readonly places: Omit<HeldEntries['places'], 'origins'>
  readonly origins: readonly (Span | string)[]
}

export interface StaticSpans {
  readonly sets: readonly (Omit<HeldSet, 'held'> & { readonly held: HeldSpans | undefined })[]
}

export function spansOfStatic({ sets }: StaticContents): StaticSpans {
  return {
    sets: sets.map(({ entryCount, held }) => ({ entryCount, held: held && spansOfHeld(held) })),
  }
}

function spansOfHeld({ hashes, places: { origins: all, ...places } }: HeldEntries): HeldSpans {
  const origins = all.map((one) => (typeof one === 'string' ? one : spanOf(one)))
  return { hashes, places, origins }
}

/** The other end of {@link spansOfStatic}. */
export function staticOfSpans({ sets }: StaticSpans): StaticContents {
  return {
    sets: sets.map(({ entryCount, held }) => ({ entryCount, held: held && heldOfSpans(held) })),
  }
}

function heldOfSpans({ hashes, places, origins: all }: HeldSpans): HeldEntries {
  const origins = all.map((one) => (typeof one === 'string' ? one : bytesOf(one)))
  return { hashes, places: { ...places, origins } }
}

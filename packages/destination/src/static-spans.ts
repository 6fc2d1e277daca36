/**
 * Contents that a destination holds anyway, taken apart for the way to another thread.
 *
 * @module
 */
import type { Span } from '@godwit/core'
import { bytesOf, spanOf } from '@godwit/core'
import type { HeldSet, StaticContents } from '@godwit/codec'

/** A set whose memory of siblings may be as large as a guest's. */
type HeldSpans = Pick<HeldSet, 'hashes'> & {
  readonly places: Omit<HeldSet['places'], 'origins'> & {
    readonly origins: readonly (Span | string)[]
  }
}

export interface StaticSpans {
  readonly sets: readonly HeldSpans[]
}

export function spansOfStatic({ sets }: StaticContents): StaticSpans {
  return {
    sets: sets.map(({ hashes, places }) => {
      const origins = places.origins.map((one) => (typeof one === 'string' ? one : spanOf(one)))
      return { hashes, places: { ...places, origins } }
    }),
  }
}

/** The other end of {@link spansOfStatic}. */
export function staticOfSpans({ sets }: StaticSpans): StaticContents {
  return {
    sets: sets.map(({ hashes, places }) => {
      const origins = places.origins.map((one) => (typeof one === 'string' ? one : bytesOf(one)))
      return { hashes, places: { ...places, origins } }
    }),
  }
}

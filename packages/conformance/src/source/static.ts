/**
 * Cases for a source: answers about static pages that it must not take.
 *
 * @module
 */
import type { ErrorCode } from '@godwit/core'
import type { StaticHeld, StaticOffer } from '@godwit/wire'
import { check, Skip } from '../failure.ts'
import type { ScriptedDestination, SourceCase, SourceContext } from '../scripted-destination.ts'
import { agreed } from '../scripted-destination.ts'

const bits = Uint8Array.of(1)
const hash = new Uint8Array(16)

/** Up to RESERVE, with what it offers. @throws {Skip} it offers nothing */
async function offered(
  context: SourceContext,
): Promise<{ destination: ScriptedDestination; offers: readonly StaticOffer[] }> {
  const destination = await context.destination({ staticNonce: new Uint8Array(16) }, (hello) => {
    return { capabilities: agreed(hello, 'static') }
  })
  await destination.greet()
  const { static: offers = [] } = destination.reserve
  if (offers.length === 0) throw new Skip('the source offers no static pages')
  return { destination, offers }
}

/** Nothing was agreed: nothing may be offered, and nothing told. */
async function unasked(context: SourceContext): Promise<void> {
  const destination = await context.destination()
  await destination.greet()
  const { static: offers } = destination.reserve
  check('C13.6', offers === undefined, 'no offer without the capability', offers)
  destination.send('StaticHeld', { set: 0, first: 0, held: bits })
  await destination.refused('C13.13', 'PROTOCOL_STATE')
}

function told(
  clause: string,
  code: ErrorCode,
  frames: (offers: readonly StaticOffer[], pages: number) => readonly StaticHeld[],
): SourceCase['play'] {
  return async (context) => {
    const { destination, offers } = await offered(context)
    for (const frame of frames(offers, destination.pageCount)) destination.send('StaticHeld', frame)
    await destination.refused(clause, code)
  }
}

/** The first of a kind. @throws {Skip} there is none */
function first(offers: readonly StaticOffer[], kind: StaticOffer['kind']): number {
  const set = offers.findIndex((offer) => offer.kind === kind)
  if (set < 0) throw new Skip(`the source offers no ${kind}`)
  return set
}

/** Behind the last entry of the first map. */
function beyond(offers: readonly StaticOffer[]): StaticHeld {
  const set = first(offers, 'map')
  const { entries } = offers[set] as StaticOffer & { kind: 'map' }
  return { set, first: Math.ceil(entries / 8) * 8, held: bits }
}

async function late(context: SourceContext): Promise<void> {
  const { destination } = await offered(context)
  destination.send('Reserved', { reservedBytes: 0 })
  destination.send('StaticHeld', { set: 0, first: 0, held: bits })
  await destination.refused('C13.13', 'PROTOCOL_STATE')
}

const twice = (frame: StaticHeld): StaticHeld[] => [frame, frame]
const state = 'PROTOCOL_STATE'
const limit = 'LIMIT_EXCEEDED'

export const staticCases: readonly SourceCase[] = [
  { name: 'static/unasked', clauses: ['C13.6', 'C13.13'], play: unasked },
  {
    name: 'static/not-offered',
    clauses: ['C13.13'],
    play: told('C13.13', state, ({ length: set }) => [{ set, first: 0, held: bits }]),
  },
  {
    name: 'static/bits-of-an-image',
    clauses: ['C13.13'],
    play: told('C13.13', state, (offers) => [
      { set: first(offers, 'image'), first: 0, held: bits },
    ]),
  },
  {
    name: 'static/hashes-of-a-map',
    clauses: ['C13.13'],
    play: told('C13.13', state, (offers) => [
      { set: first(offers, 'map'), first: 0, hashes: hash },
    ]),
  },
  {
    name: 'static/order',
    clauses: ['C13.11', 'C13.13'],
    play: told('C13.13', state, (offers) => {
      return twice({ set: first(offers, 'map'), first: 0, held: bits })
    }),
  },
  {
    name: 'static/gap',
    clauses: ['C13.12', 'C13.13'],
    play: told('C13.13', state, (offers) => [
      { set: first(offers, 'image'), first: 1, hashes: hash },
    ]),
  },
  { name: 'static/late', clauses: ['C13.13'], play: late },
  {
    name: 'static/no-such-entry',
    clauses: ['C13.14'],
    play: told('C13.14', limit, (offers) => [beyond(offers)]),
  },
  {
    name: 'static/too-many-hashes',
    clauses: ['C13.14'],
    play: told('C13.14', limit, (offers, pages) => [
      { set: first(offers, 'image'), first: 0, hashes: new Uint8Array((pages + 1) * 16) },
    ]),
  },
]

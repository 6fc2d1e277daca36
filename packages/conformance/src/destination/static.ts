/**
 * Cases for a destination: contents that are offered by somebody who does not have them. What it
 * holds of a set is told only to those who do, which the suite does not.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import type { ErrorCode } from '@godwit/core'
import { PageEncoding } from '@godwit/wire'
import type { StaticOffer } from '@godwit/wire'
import type { Case } from '../case.ts'
import { check, Failure } from '../failure.ts'
import { FIRST_REGION } from '../guest-memory.ts'
import type { DestinationContext, ScriptedSource } from '../scripted-source.ts'
import { describe } from '../exchange.ts'

type C = Case<DestinationContext>

const optional = ['static']
const some = (byteCount: number): Uint8Array => Uint8Array.from(randomBytes(byteCount))

/** Of a map that somebody may well have, by somebody who has not. */
function guess(entries = 4): StaticOffer & { readonly kind: 'map' } {
  const pair = { os: 'debian/13', hypervisor: 'qemu/10' }
  const counts = { entries, positions: 0 }
  return { kind: 'map', ...pair, version: 1, ...counts, mode: 'content', proof: some(16) }
}

const guessedImage = (): StaticOffer => ({ kind: 'image', id: some(16), proof: some(16) })

function offer(
  source: ScriptedSource,
  context: DestinationContext,
  ...offers: StaticOffer[]
): void {
  const { table: regions } = source.memory
  source.control.send('Reserve', { guest: context.guest, regions, static: offers })
}

/** Up to WELCOME, the capability agreed. @throws {Skip} it is not offered */
async function agreed(context: DestinationContext): Promise<ScriptedSource> {
  const source = await context.source({ optional }).greet()
  source.need('static')
  return source
}

async function nonce(context: DestinationContext): Promise<void> {
  const [one, other] = [await agreed(context), await agreed(context)]
  const text = (source: ScriptedSource): string => String(source.welcome.staticNonce)
  check('C4.20', text(one) !== text(other), 'another nonce each time', text(one))
  const { welcome } = await context.source().greet()
  check('C4.69', !welcome.capabilities.includes('static'), 'no capability unasked', welcome)
}

/** Whatever is guessed, and whatever is here: RESERVED is all that is said. */
async function guessed(context: DestinationContext): Promise<void> {
  const source = await agreed(context)
  offer(source, context, guess(), guessedImage())
  const heard = await source.exchange.next(source.control, 'C13.8', 'RESERVED')
  if (heard.kind === 'message' && heard.message.name === 'Reserved') return
  throw new Failure('C13.9', 'RESERVED', describe(heard))
}

function refused(
  clause: string,
  code: ErrorCode,
  begin: (context: DestinationContext) => Promise<ScriptedSource>,
  offers: (source: ScriptedSource) => StaticOffer[],
): C['play'] {
  return async (context) => {
    const source = await begin(context)
    offer(source, context, ...offers(source))
    await source.refused(clause, code)
  }
}

/** Nothing is held, as far as was said: no number means anything. */
async function unsaid(context: DestinationContext): Promise<void> {
  const source = await agreed(context)
  offer(source, context, guess())
  await source.exchange.expect(source.control, 'Reserved', 'C13.8')
  await source.openChannels()
  source.begin(1, 'full')
  const page = source.memory.page(FIRST_REGION, 0)
  const run = { firstPage: 0, pageCount: 1, encoding: PageEncoding.Static }
  const named = { ...run, payload: new Uint8Array(4), pages: [page] }
  source.lane.batch({ round: 1, region: FIRST_REGION, runs: [named] })
  await source.refused('C13.19', 'CODEC_ENCODING')
}

export const staticCases: readonly C[] = [
  { name: 'static/nonce', clauses: ['C4.20', 'C4.69'], play: nonce },
  { name: 'static/guessed', clauses: ['C13.8', 'C13.9'], play: guessed },
  {
    name: 'static/not-agreed',
    clauses: ['C13.6'],
    play: refused(
      'C13.6',
      'PROTOCOL_CAPABILITY',
      (context) => context.source().greet(),
      () => [guess()],
    ),
  },
  {
    name: 'static/too-many',
    clauses: ['C13.7'],
    play: refused('C13.7', 'LIMIT_EXCEEDED', agreed, ({ memory }) => [guess(memory.pages * 4 + 1)]),
  },
  { name: 'static/unsaid', clauses: ['C13.8', 'C13.19'], play: unsaid },
]

/**
 * Cases for a source: credit, and pages that are asked for once more.
 *
 * @module
 */
import { encodePageRuns } from '@godwit/wire'
import type { Hello, Nak, Welcome } from '@godwit/wire'
import { check, checkEqual, Skip } from '../failure.ts'
import { agreed } from '../scripted-destination.ts'
import type { ScriptedDestination, SourceCase, SourceContext } from '../scripted-destination.ts'

/** The smallest window there is. */
const creditBytes = 8_388_608
const quietMs = 300

async function begun(
  context: SourceContext,
  terms: Partial<Welcome>,
  choose?: (hello: Hello) => Partial<Welcome>,
): Promise<ScriptedDestination> {
  const destination = await context.destination(terms, choose)
  await destination.open()
  await destination.expect('RoundBegin', 'C6.2')
  return destination
}

/** Reads what comes without credit: no more than the window. */
async function window(context: SourceContext): Promise<void> {
  const destination = await begun(context, { creditBytes })
  const lane = destination.lanes[0]!
  let credited = 0
  let isOver = false
  while (!isOver) {
    const event = await destination.exchange.find(
      ({ channel }) => channel === lane.channel,
      quietMs,
    )
    if (event === undefined) {
      const outstanding = lane.receivedBytes - credited
      check('C6.85', outstanding > 0, 'more pages after CREDIT', 'nothing')
      credited = lane.receivedBytes
      lane.channel.send('Credit', { bytes: credited })
      continue
    }
    const { heard } = event
    if (heard.kind !== 'pages') isOver = true
    else {
      lane.take(heard.body, 1)
      const outstanding = lane.receivedBytes - credited
      check('C6.85', outstanding <= creditBytes, `at most ${creditBytes} bytes`, outstanding)
    }
  }
  if (lane.receivedBytes <= creditBytes) throw new Skip('the guest is smaller than the window')
}

function badCredit(clause: string, terms: Partial<Welcome>, credits: readonly number[]) {
  return async (context: SourceContext): Promise<void> => {
    const destination = await begun(context, terms)
    const lane = destination.lanes[0]!
    await lane.one(1)
    for (const bytes of credits) lane.channel.send('Credit', { bytes })
    await destination.refused(clause, 'PROTOCOL_STATE')
  }
}

const withReferences = (hello: Hello): Partial<Welcome> => {
  return { capabilities: agreed(hello, 'references'), storeBytes: 0 }
}

const withoutNaks = ({ required }: Hello): Partial<Welcome> => {
  if (!required.some((name) => ['references', 'delta'].includes(name))) return {}
  throw new Skip('the source requires references or delta')
}

/** Asks for one page of the round once more. */
async function repaired(context: SourceContext): Promise<void> {
  const destination = await begun(context, {}, withReferences)
  const lane = destination.lanes[0]!
  await lane.collect(1)
  const one = lane.pages[0]
  if (one === undefined) throw new Skip('the round has no pages')
  const runs = encodePageRuns([{ firstPage: one.page, pageCount: 1 }])
  lane.channel.send('Nak', { round: 1, region: one.region, runs })
  await destination.expect('RoundEnd', 'C6.94')
  const before = lane.batches
  const count = lane.pages.length
  await lane.one(1)
  checkEqual('C6.93', lane.batches, before + 1)
  const repairs = lane.pages.slice(count).map(({ region, page }) => ({ region, page }))
  checkEqual('C6.93', repairs, [{ region: one.region, page: one.page }])
  const { encoding } = lane.pages[count]!
  check('C6.93', encoding === 1 || encoding === 2, 'raw or zero', encoding)
  destination.acknowledge()
  if (await destination.rounds()) throw new Skip('the source goes on by post-copy')
  await destination.finalRound()
  destination.acknowledge()
  await destination.commit()
  destination.running()
  await destination.conclude()
}

function badNak(clause: string, nak: Partial<Nak>, choose?: (hello: Hello) => Partial<Welcome>) {
  return async (context: SourceContext): Promise<void> => {
    const destination = await begun(context, {}, choose)
    const lane = destination.lanes[0]!
    await lane.collect(1)
    const region = lane.pages[0]?.region ?? 0
    const runs = encodePageRuns([{ firstPage: 0, pageCount: 1 }])
    lane.channel.send('Nak', { round: 1, region, runs, ...nak })
    await destination.refused(clause, 'PROTOCOL_STATE')
  }
}

const runOf = (firstPage: number, pageCount: number): Partial<Nak> => {
  return { runs: encodePageRuns([{ firstPage, pageCount }]) }
}

export const pageCases: readonly SourceCase[] = [
  { name: 'credit/window', clauses: ['C6.85', 'C6.89'], play: window },
  {
    name: 'credit/more',
    clauses: ['C6.87'],
    play: badCredit('C6.87', { creditBytes }, [2 ** 40]),
  },
  { name: 'credit/less', clauses: ['C6.87'], play: badCredit('C6.87', { creditBytes }, [10, 9]) },
  { name: 'credit/none', clauses: ['C6.88'], play: badCredit('C6.88', {}, [0]) },
  { name: 'naks/repaired', clauses: ['C6.93', 'C6.94', 'C6.92', 'C6.101'], play: repaired },
  { name: 'naks/not-agreed', clauses: ['C4.60'], play: badNak('C4.60', {}, withoutNaks) },
  {
    name: 'naks/another-round',
    clauses: ['C6.99'],
    play: badNak('C6.99', { round: 2 }, withReferences),
  },
  {
    name: 'naks/another-page',
    clauses: ['C6.99'],
    play: badNak('C6.99', runOf(0xfffffff0, 1), withReferences),
  },
  {
    name: 'naks/no-pages',
    clauses: ['C6.100'],
    play: badNak('C6.100', runOf(0, 0), withReferences),
  },
]

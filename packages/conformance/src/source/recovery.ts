/**
 * Cases for a source: post-copy that loses its network.
 *
 * @module
 */
import type { ErrorCode } from '@godwit/core'
import { encodePageRuns } from '@godwit/wire'
import { check, Skip } from '../failure.ts'
import type { ScriptedDestination, SourceCase, SourceContext } from '../scripted-destination.ts'

/** A source may wait before it dials again. */
const redialMs = 15_000
const quietMs = 500

/** RUNNING was sent; no page was taken. */
async function started(context: SourceContext): Promise<ScriptedDestination> {
  const destination = await context.destination()
  await destination.open()
  await destination.rounds()
  await destination.discards()
  await destination.commit()
  destination.running()
  await destination.expect('RoundBegin', 'C6.27')
  return destination
}

async function finish(destination: ScriptedDestination, round: number): Promise<void> {
  destination.tellLacking(round)
  await destination.openChannels()
  await destination.postCopyRound()
  destination.acknowledge()
  await destination.conclude()
}

async function played(context: SourceContext): Promise<void> {
  const destination = await started(context)
  destination.cut()
  await destination.resumed(redialMs)
  await finish(destination, 2)
}

async function twice(context: SourceContext): Promise<void> {
  const destination = await started(context)
  destination.cut()
  await destination.resumed(redialMs)
  destination.cut()
  await destination.resumed(redialMs)
  await finish(destination, 9)
}

/** What it is told is wrong: it gives the attempt up, and may make another one. */
function wrong(
  clause: string,
  code: ErrorCode,
  tell: (destination: ScriptedDestination) => void,
): SourceCase['play'] {
  return async (context) => {
    const destination = await started(context)
    destination.cut()
    await destination.resumed(redialMs)
    tell(destination)
    await destination.exchange.refused([destination.control], [code], clause)
  }
}

/** A session that is not there any more is not asked for again. */
async function over(context: SourceContext): Promise<void> {
  const destination = await started(context)
  destination.cut()
  await destination.resumed(redialMs)
  const { control, exchange } = destination
  destination.refuse('SESSION_UNKNOWN', 'It was given up')
  await exchange.find(({ channel, heard }) => channel === control && heard.kind === 'end')
  const again = await exchange.find(({ channel, heard }) => {
    return channel !== control && heard.kind === 'preface'
  }, quietMs)
  check('C6.57', again === undefined, 'no other attempt', 'one')
}

const lackingOf = (destination: ScriptedDestination, firstPage: number, pageCount: number) => {
  const region = [...destination.lacking].find(([, pages]) => pages.size > 0)?.[0]
  if (region === undefined) throw new Skip('nothing is to come')
  return { region, runs: encodePageRuns([{ firstPage, pageCount }]) }
}

const range = 'CODEC_PAGE_RANGE'

export const recoveryCases: readonly SourceCase[] = (
  [
    {
      name: 'recovery/played',
      clauses: ['C6.42', 'C6.43', 'C6.46', 'C6.49', 'C6.70', 'C6.71', 'C4.32', 'C4.18', 'C2.13'],
      play: played,
    },
    { name: 'recovery/twice', clauses: ['C6.43', 'C6.47', 'C6.72'], play: twice },
    {
      name: 'recovery/checksum',
      clauses: ['C6.68', 'C4.34'],
      play: wrong('C6.68', 'PROTOCOL_TOTALS', (one) => one.tellLacking(2, { checksum: 1 })),
    },
    {
      name: 'recovery/pages',
      clauses: ['C6.68'],
      play: wrong('C6.68', 'PROTOCOL_TOTALS', (one) => one.tellLacking(2, { pages: 0xffffff })),
    },
    {
      name: 'recovery/round',
      clauses: ['C6.67'],
      play: wrong('C6.67', 'PROTOCOL_STATE', (one) => one.tellLacking(1)),
    },
    {
      name: 'recovery/range',
      clauses: ['C6.66'],
      play: wrong('C6.66', range, (one) => one.send('Lacking', lackingOf(one, 0xfffffff0, 1))),
    },
    {
      name: 'recovery/no-pages',
      clauses: ['C6.66'],
      play: wrong('C6.66', range, (one) => one.send('Lacking', lackingOf(one, 0, 0))),
    },
    {
      name: 'recovery/page-twice',
      clauses: ['C6.67'],
      play: wrong('C6.67', 'PROTOCOL_STATE', (one) => {
        const [[, pages] = []] = [...one.lacking].filter(([, set]) => set.size > 0)
        const page = [...(pages ?? [])][0] ?? 0
        one.send('Lacking', lackingOf(one, page, 1))
        one.send('Lacking', lackingOf(one, page, 1))
        one.tellLacking(2)
      }),
    },
    { name: 'recovery/over', clauses: ['C6.57'], play: over },
  ] as const
).map((one) => ({ ...one, mode: 'post-copy' as const }))

/**
 * Cases for a source: whole migrations, and how it sends pages.
 *
 * @module
 */
import { ChannelRole } from '@godwit/wire'
import { check, checkEqual, Failure, Skip } from '../failure.ts'
import type { SourceCase, SourceContext, ScriptedDestination } from '../scripted-destination.ts'
import { agreed } from '../scripted-destination.ts'

const quietMs = 100

/** From RESERVED to the end, whatever the mode is. */
async function through(destination: ScriptedDestination): Promise<void> {
  await destination.open()
  if (await destination.rounds()) {
    await destination.discards()
    await destination.commit()
    destination.running()
    await destination.postCopyRound()
    destination.acknowledge()
  } else {
    await destination.finalRound()
    destination.acknowledge()
    await destination.commit()
    destination.running()
  }
  await destination.conclude()
}

async function plain(context: SourceContext): Promise<void> {
  await through(await context.destination())
}

/** With everything that the source offers to encode pages by. */
function encoded(...wanted: readonly string[]): SourceCase['play'] {
  return async (context) => {
    const destination = await context.destination({}, (hello) => {
      const capabilities = agreed(hello, ...wanted)
      const store = capabilities.includes('references') ? { storeBytes: 1_048_576 } : {}
      return { capabilities, ...store }
    })
    await through(destination)
  }
}

/** The next round does not begin before the acknowledgement of the last one. */
async function patient(context: SourceContext): Promise<void> {
  const destination = await context.destination()
  await destination.open()
  const begin = await destination.expect('RoundBegin', 'C6.2')
  await destination.collect(begin)
  const early = await destination.exchange.find(({ channel, heard }) => {
    return channel === destination.control && heard.kind === 'message'
  }, quietMs)
  check('C6.16', early === undefined, 'nothing before ROUND_ACK', early?.heard)
  destination.acknowledge()
  await destination.next('C6.16', 'RoundBegin', 'SwitchOver')
}

/** STATE does not wait for the acknowledgement; COMMIT waits for READY. */
async function stateFirst(context: SourceContext): Promise<void> {
  const destination = await context.destination()
  await destination.open()
  await destination.rounds()
  await destination.finalRound()
  destination.acknowledge()
  const early = await destination.exchange.find(({ channel, heard }) => {
    return channel === destination.control && heard.kind === 'message'
  }, quietMs)
  check('C7.2', early === undefined, 'COMMIT after READY', early?.heard)
  await destination.commit()
}

async function wholePostCopy(context: SourceContext): Promise<void> {
  const destination = await context.destination()
  await through(destination)
}

/** Asks for a page that is to come; the answer is on the urgent channel. */
async function demand(context: SourceContext): Promise<void> {
  const destination = await context.destination()
  await destination.open()
  await destination.rounds()
  await destination.discards()
  await destination.commit()
  const { lacking, urgent } = destination
  const region = [...lacking].findLast(([, pages]) => pages.size > 0)?.[0]
  if (region === undefined) throw new Skip('nothing is to come')
  const page = [...lacking.get(region)!].at(-1)!
  const body = { region, page }
  urgent!.channel.send('PageRequest', body)
  urgent!.channel.send('PageRequest', body)
  destination.running()
  await destination.postCopyRound()
  const came = urgent!.pages.map((one) => ({ region: one.region, page: one.page }))
  const pushed = destination.lanes.some((lane) => {
    return lane.pages.some((one) => one.region === region && one.page === page)
  })
  // It may have been on its way already.
  if (!pushed) checkEqual('C6.34', came, [body])
  const encodings = urgent!.pages.map(({ encoding }) => encoding)
  check(
    'C6.34',
    encodings.every((one) => one <= 2),
    'raw or zero',
    encodings,
  )
  destination.acknowledge()
  await destination.conclude()
}

async function opened(context: SourceContext): Promise<ScriptedDestination> {
  const destination = await context.destination()
  await destination.open()
  await destination.rounds()
  await destination.discards()
  return destination
}

async function badRequest(context: SourceContext): Promise<void> {
  const destination = await opened(context)
  await destination.commit()
  destination.urgent!.channel.send('PageRequest', { region: 0, page: 0xffffffff })
  await destination.refused('C6.36', 'CODEC_PAGE_RANGE')
}

async function earlyRequest(context: SourceContext): Promise<void> {
  const destination = await opened(context)
  destination.urgent!.channel.send('PageRequest', { region: 0, page: 0 })
  await destination.refused('C6.37', 'PROTOCOL_STATE')
}

async function channels(context: SourceContext): Promise<void> {
  const destination = await context.destination()
  await destination.open()
  const more = await destination.exchange.find(({ heard }) => heard.kind === 'preface', quietMs)
  if (more !== undefined) {
    throw new Failure('C2.14', 'no more channels', `role ${more.channel.role}`)
  }
  checkEqual('C2.14', destination.urgent?.channel.role, ChannelRole.Urgent)
}

const batches = ['C5.1', 'C5.2', 'C5.3', 'C5.13', 'C5.14', 'C5.29', 'C5.40', 'C5.41', 'C4.60']
const opening = ['C1.1', 'C2.2', 'C2.13', 'C3.1', 'C3.2', 'C4.11', 'C4.19', 'C4.23']
const rounds = ['C4.25', 'C4.26', 'C4.27', 'C6.1', 'C6.2', 'C6.3', 'C6.12', 'C6.13', 'C6.14']
const ending = ['C4.40', 'C4.43', 'C6.106', 'C6.107', 'C6.108', 'C6.113', 'C6.114']
const handOver = ['C4.35', 'C4.37', 'C4.38', 'C6.5', 'C6.8', 'C6.18']

export const wholeCases: readonly SourceCase[] = [
  {
    name: 'whole/pre-copy',
    clauses: [...opening, ...batches, ...rounds, ...handOver, ...ending],
    play: plain,
  },
  {
    name: 'whole/names',
    clauses: ['C5.15', 'C5.16', 'C5.18', 'C5.34', 'C5.35', 'C4.51'],
    play: encoded('references'),
  },
  {
    name: 'whole/deltas',
    clauses: ['C5.17', 'C5.19', 'C5.20', 'C5.21', 'C5.35', 'C4.52'],
    play: encoded('references', 'delta'),
  },
  { name: 'whole/zstd', clauses: ['C5.4', 'C5.8', 'C5.9', 'C4.53'], play: encoded('zstd') },
  { name: 'whole/lz4', clauses: ['C5.7', 'C5.8', 'C5.9', 'C4.54'], play: encoded('lz4') },
  { name: 'whole/patient', clauses: ['C6.16'], play: patient },
  { name: 'whole/state-first', clauses: ['C6.18', 'C7.2'], play: stateFirst },
  {
    name: 'whole/post-copy',
    mode: 'post-copy',
    clauses: [
      'C4.31',
      'C4.56',
      'C6.7',
      'C6.8',
      'C6.21',
      'C6.26',
      'C6.27',
      'C6.29',
      'C6.39',
      'C6.41',
    ],
    play: wholePostCopy,
  },
  { name: 'whole/demand', mode: 'post-copy', clauses: ['C6.34', 'C6.35', 'C6.38'], play: demand },
  { name: 'whole/bad-request', mode: 'post-copy', clauses: ['C6.36'], play: badRequest },
  { name: 'whole/early-request', mode: 'post-copy', clauses: ['C6.37'], play: earlyRequest },
  { name: 'whole/channels', mode: 'post-copy', clauses: ['C2.13', 'C2.14'], play: channels },
]

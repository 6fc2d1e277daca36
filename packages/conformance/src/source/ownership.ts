/**
 * Cases for a source: it loses its destination after COMMIT, and asks whose the guest is.
 *
 * @module
 */
import type { OwnerAnswer } from '@godwit/wire'
import { ChannelRole } from '@godwit/wire'
import { check, checkEqual, Failure } from '../failure.ts'
import type { ScriptedDestination, SourceCase, SourceContext } from '../scripted-destination.ts'
import { agreed } from '../scripted-destination.ts'

/** A source may wait before it dials again. */
const redialMs = 15_000

/** COMMIT came, and the network is gone. */
async function committed(context: SourceContext): Promise<ScriptedDestination> {
  const destination = await context.destination({}, (hello) => {
    return { capabilities: agreed(hello, 'ownership') }
  })
  await destination.open()
  if (await destination.rounds()) await destination.discards()
  else {
    await destination.finalRound()
    destination.acknowledge()
  }
  await destination.commit()
  destination.cut()
  return destination
}

/** The source is there again, and its question has come. */
async function asked(destination: ScriptedDestination): Promise<void> {
  const { exchange, epoch } = destination
  const event = await exchange.find(({ channel, heard }) => {
    return heard.kind === 'preface' && channel.role === ChannelRole.Control
  }, redialMs)
  if (event?.heard.kind !== 'preface') {
    throw new Failure('C7.14', 'a new control channel', 'nothing')
  }
  const { preface } = event.heard
  check('C7.14', preface.epoch > epoch, `an epoch above ${epoch}`, preface.epoch)
  destination.epoch = preface.epoch
  destination.control = event.channel
  destination.accept(event.channel)
  const query = await destination.expect('OwnerQuery', 'C7.14')
  checkEqual('C4.17', query.epoch, 1)
}

function answer(destination: ScriptedDestination, owner: OwnerAnswer): void {
  destination.send('Owner', { epoch: 1, owner })
}

async function committedAgain(destination: ScriptedDestination): Promise<void> {
  const { epoch } = await destination.expect('Commit', 'C7.18')
  checkEqual('C4.38', epoch, 1)
  destination.running()
}

async function prepared(context: SourceContext): Promise<void> {
  const destination = await committed(context)
  await asked(destination)
  answer(destination, 'prepared')
  await committedAgain(destination)
  await destination.conclude()
}

/** It asks as often as it takes, also where COMMIT was lost a second time. */
async function twice(context: SourceContext): Promise<void> {
  const destination = await committed(context)
  await asked(destination)
  destination.cut()
  await asked(destination)
  answer(destination, 'prepared')
  await destination.expect('Commit', 'C7.18')
  destination.cut()
  await asked(destination)
  answer(destination, 'prepared')
  await committedAgain(destination)
  await destination.conclude()
}

/** It closes, without another word. */
function closing(owner: OwnerAnswer, clause: string): SourceCase['play'] {
  return async (context) => {
    const destination = await committed(context)
    await asked(destination)
    answer(destination, owner)
    await destination.exchange.closed(destination.control, clause)
  }
}

async function ownerEpoch(context: SourceContext): Promise<void> {
  const destination = await committed(context)
  await asked(destination)
  destination.send('Owner', { epoch: 2, owner: 'prepared' })
  const { control, exchange } = destination
  await exchange.refused([control], ['PROTOCOL_STATE'], 'C4.17')
}

/** RESUME follows on the same channel, and all pages. */
async function resumed(destination: ScriptedDestination, clause: string): Promise<void> {
  const { epoch, round } = await destination.expect('Resume', clause)
  checkEqual('C4.18', epoch, destination.epoch)
  destination.tellLacking(round + 1)
  await destination.openChannels()
  await destination.postCopyRound()
  destination.acknowledge()
  await destination.conclude()
}

async function postCopyPrepared(context: SourceContext): Promise<void> {
  const destination = await committed(context)
  await asked(destination)
  answer(destination, 'prepared')
  await committedAgain(destination)
  await resumed(destination, 'C7.18')
}

async function postCopyRunning(context: SourceContext): Promise<void> {
  const destination = await committed(context)
  await asked(destination)
  answer(destination, 'running')
  await resumed(destination, 'C7.19')
}

export const ownershipCases: readonly SourceCase[] = [
  {
    name: 'ownership/prepared',
    clauses: ['C4.61', 'C4.63', 'C7.14', 'C7.18', 'C10.7'],
    play: prepared,
  },
  { name: 'ownership/twice', clauses: ['C7.14', 'C7.18'], play: twice },
  { name: 'ownership/running', clauses: ['C7.19'], play: closing('running', 'C7.19') },
  { name: 'ownership/refused', clauses: ['C7.20'], play: closing('refused', 'C7.20') },
  { name: 'ownership/ended', clauses: ['C7.22'], play: closing('ended', 'C7.22') },
  { name: 'ownership/owner-epoch', clauses: ['C4.17'], play: ownerEpoch },
  {
    name: 'ownership/post-copy-prepared',
    mode: 'post-copy',
    clauses: ['C7.18'],
    play: postCopyPrepared,
  },
  {
    name: 'ownership/post-copy-running',
    mode: 'post-copy',
    clauses: ['C7.19'],
    play: postCopyRunning,
  },
]

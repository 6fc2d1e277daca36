/**
 * Cases for a destination: every frame of the control channel in every state in which it is not
 * allowed, and frames of a destination in all of them.
 *
 * @module
 */
import type { Hello, MessageName } from '@godwit/wire'
import { FrameType, frameRule } from '@godwit/wire'
import { zero } from '../batch.ts'
import { bodySamples } from '../body-faults.ts'
import type { Case } from '../case.ts'
import { sample } from '../case.ts'
import { FIRST_REGION } from '../guest-memory.ts'
import type { DestinationContext, ScriptedSource } from '../scripted-source.ts'

type C = Case<DestinationContext>

/** A frame that is legal bytes; `what` where a body is not the usual one. */
export interface Frame {
  readonly name: MessageName
  readonly body: object
  readonly what?: string
}

interface State {
  readonly name: string
  readonly terms?: Partial<Hello>
  readonly reach: (source: ScriptedSource) => Promise<unknown>
  /** What goes on from here; everything else is refused. */
  readonly allowed: readonly MessageName[]
  /** Frames that are allowed with another body. */
  readonly also?: readonly Frame[]
}

const postCopy: Partial<Hello> = { mode: 'post-copy', required: ['post-copy'] }
const stopCopy: Partial<Hello> = { mode: 'stop-copy' }

/** Neither is ever out of place. */
const everywhere: readonly MessageName[] = ['Error', 'Heartbeat']

const roundBegin = (round: number, kind: string): Frame => {
  return { name: 'RoundBegin', body: { round, kind, pages: 0 }, what: `${kind} ${round}` }
}
const switchOver = (round: number, isPostCopy: boolean): Frame => {
  const what = `round ${round}${isPostCopy ? ' postCopy' : ''}`
  return { name: 'SwitchOver', body: { round, postCopy: isPostCopy }, what }
}
const roundEnd = (round: number): Frame => {
  const body = { round, batches: 0, pages: 0, digest: new Uint8Array(8) }
  return { name: 'RoundEnd', body, what: `of ${round}` }
}

/** All control frames of both sides. */
export const controlFrames: readonly Frame[] = (Object.keys(bodySamples) as MessageName[])
  .filter((name) => frameRule(FrameType[name])!.channels.includes(1))
  .filter((name) => !everywhere.includes(name))
  .map((name) => ({ name, body: bodySamples[name]!.body }))

async function greeted(source: ScriptedSource): Promise<void> {
  source.control = source.dial(1)
  await source.exchange.introduced(source.control, 'C2.3')
}

async function prepared(source: ScriptedSource): Promise<void> {
  await source.open()
  await source.lastRound(await source.firstRound())
  source.sendState()
  await source.ready()
}

/** STATE of post-copy: nothing is lacking. */
async function handedOver(source: ScriptedSource, isCommitted: boolean): Promise<void> {
  await source.open()
  await source.switchOver(0, true)
  source.sendState()
  await source.ready('C6.26')
  if (isCommitted) await source.commit()
}

/** `pages` in a region is lacking: the round cannot end by itself. */
async function filling(source: ScriptedSource): Promise<void> {
  await source.handOver([[FIRST_REGION, { firstPage: 0, pageCount: 1 }]])
}

async function filled(source: ScriptedSource): Promise<void> {
  await handedOver(source, true)
  source.begin(1, 'post-copy', 0)
  source.finish(1)
  await source.acknowledged(1)
}

const states: readonly State[] = [
  { name: 'greeting', reach: greeted, allowed: ['Hello'] },
  { name: 'welcomed', reach: (source) => source.greet(), allowed: ['Reserve'] },
  {
    name: 'reserved',
    reach: (source) => source.open(),
    allowed: ['RoundBegin'],
    also: [
      roundBegin(1, 'dirty'),
      roundBegin(1, 'final'),
      roundBegin(1, 'post-copy'),
      roundBegin(2, 'full'),
      switchOver(0, false),
      switchOver(1, false),
    ],
  },
  {
    name: 'receiving',
    reach: async (source) => {
      await source.open()
      source.begin(1, 'full')
    },
    allowed: ['RoundEnd'],
    also: [roundEnd(2)],
  },
  {
    name: 'receiving, ended',
    reach: async (source) => {
      await source.open()
      source.begin(1, 'full')
      source.roundEnd(1)
    },
    allowed: [],
  },
  {
    name: 'between rounds',
    reach: async (source) => (await source.open()).full(),
    allowed: [],
    also: [
      roundBegin(3, 'dirty'),
      roundBegin(2, 'full'),
      roundBegin(2, 'final'),
      switchOver(2, false),
      switchOver(1, true),
    ],
  },
  {
    name: 'stop-copy, reserved',
    terms: stopCopy,
    reach: (source) => source.open(),
    allowed: ['SwitchOver'],
    also: [roundBegin(1, 'final'), switchOver(0, true), switchOver(1, false)],
  },
  {
    name: 'switched over',
    terms: stopCopy,
    reach: async (source) => (await source.open()).switchOver(0),
    allowed: [],
    also: [roundBegin(1, 'dirty'), roundBegin(2, 'final'), roundBegin(1, 'post-copy')],
  },
  {
    name: 'final round',
    terms: stopCopy,
    reach: async (source) => {
      await (await source.open()).switchOver(0)
      source.begin(1, 'final')
    },
    allowed: ['RoundEnd'],
  },
  {
    name: 'final round, STATE here',
    terms: stopCopy,
    reach: async (source) => {
      await (await source.open()).switchOver(0)
      source.begin(1, 'final')
      source.roundEnd(1)
      source.sendState()
    },
    allowed: [],
  },
  {
    name: 'awaiting STATE',
    reach: async (source) => {
      await (await source.open()).full()
      await source.lastRound(1)
    },
    allowed: ['State'],
  },
  { name: 'prepared', reach: prepared, allowed: ['Commit'] },
  { name: 'running', terms: { verify: 'none' }, reach: (one) => one.arrive(), allowed: ['End'] },
  {
    name: 'running, to be verified',
    terms: { verify: 'fingerprints' },
    reach: (source) => source.arrive(),
    allowed: ['Verify'],
  },
  {
    name: 'post-copy, reserved',
    terms: postCopy,
    reach: (source) => source.open(),
    allowed: [],
    also: [roundBegin(1, 'post-copy'), roundBegin(1, 'final'), switchOver(0, false)],
  },
  {
    name: 'post-copy, switched over',
    terms: postCopy,
    reach: async (source) => (await source.open()).switchOver(0, true),
    allowed: ['Discard', 'State'],
    also: [roundBegin(1, 'post-copy')],
  },
  {
    name: 'post-copy, prepared',
    terms: postCopy,
    reach: (source) => handedOver(source, false),
    allowed: ['Commit'],
  },
  {
    name: 'filling',
    terms: postCopy,
    reach: filling,
    allowed: [],
    also: [roundBegin(2, 'post-copy'), roundBegin(1, 'final')],
  },
  {
    name: 'filling, begun',
    terms: postCopy,
    reach: async (source) => {
      await filling(source)
      source.begin(1, 'post-copy', 1)
    },
    allowed: ['RoundEnd'],
    also: [roundEnd(2)],
  },
  { name: 'filled', terms: postCopy, reach: filled, allowed: ['End'] },
]

/** COMMIT and END have an owner epoch that must be 1; the sample has it. */
function wrongFrames(state: State): readonly Frame[] {
  return [
    ...controlFrames.filter(({ name }) => !state.allowed.includes(name)),
    ...(state.also ?? []),
  ]
}

function stateCase(state: State, index: number): C {
  return {
    name: `states/${state.name.replaceAll(/,? /g, '-').toLowerCase()}`,
    clauses: state.name === 'reserved' ? ['C3.14', 'C6.9'] : ['C3.14'],
    async play(context) {
      for (const { name, body, what } of sample(wrongFrames(state), context.every, index)) {
        const source = context.source(state.terms)
        await state.reach(source)
        source.exchange.trace.sent(
          'case',
          `state: ${state.name}; out of place: ${name} ${what ?? ''}`,
        )
        source.control.send(name, body)
        await source.refused('C3.14', 'PROTOCOL_STATE')
        await source.end()
      }
    },
  }
}

/** Frames on a data channel, when no round can be going on and when one is. */
async function dataChannel(context: DestinationContext): Promise<void> {
  const wrong: readonly Frame[] = [
    { name: 'Credit', body: { bytes: 0 } },
    { name: 'Nak', body: { round: 1, region: 0, runs: new Uint8Array(8) } },
    { name: 'Barrier', body: { round: 2, batches: 0, pages: 0, digest: new Uint8Array(8) } },
  ]
  for (const { name, body } of wrong) {
    const source = await context.source().open()
    source.begin(1, 'full')
    source.lane.channel.send(name, body)
    await source.refused('C3.14', name === 'Barrier' ? 'PROTOCOL_TOTALS' : 'PROTOCOL_STATE')
    await source.end()
  }
}

/** Pages of a guest that is paused and not handed over, or that is whole. */
async function latePages(context: DestinationContext): Promise<void> {
  const reaches = [
    (source: ScriptedSource) => prepared(source),
    async (source: ScriptedSource) => {
      await (await source.open()).full()
      source.lane.barrier(2)
    },
  ]
  for (const reach of reaches) {
    const source = context.source()
    await reach(source)
    source.lane.batch({ round: 3, region: FIRST_REGION, runs: [zero(0, 1)] })
    await source.exchange.refused([source.lane.channel], ['PROTOCOL_STATE'], 'C3.13')
    await source.end()
  }
}

async function ownerEpoch(context: DestinationContext): Promise<void> {
  const source = context.source()
  await prepared(source)
  source.control.send('Commit', { epoch: 2 })
  await source.refused('C4.17', 'PROTOCOL_STATE')
}

async function secondSwitchOver(context: DestinationContext): Promise<void> {
  const source = await (await context.source(stopCopy).open()).switchOver(0)
  source.control.send('SwitchOver', { round: 0 })
  await source.refused('C6.9', 'PROTOCOL_STATE')
}

export const stateCases: readonly C[] = [
  ...states.map(stateCase),
  { name: 'states/data-channel', clauses: ['C3.14', 'C4.60'], play: dataChannel },
  { name: 'states/late-pages', clauses: ['C3.13', 'C6.16'], play: latePages },
  { name: 'states/owner-epoch', clauses: ['C4.17'], play: ownerEpoch },
  { name: 'states/second-switch-over', clauses: ['C6.9'], play: secondSwitchOver },
]

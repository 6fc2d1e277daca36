/**
 * Cases for a source: answers that it must not take.
 *
 * @module
 */
import type { ErrorCode } from '@godwit/core'
import type { MessageName, Welcome } from '@godwit/wire'
import { ChannelRole, FrameType, PREFACE, encodePreface, frameRule } from '@godwit/wire'
import { badKeys, badMaps, bodySamples } from '../body-faults.ts'
import { sample } from '../case.ts'
import { badFrames, sendBad } from '../frame-faults.ts'
import { Failure } from '../failure.ts'
import type { ScriptedDestination, SourceCase, SourceContext } from '../scripted-destination.ts'

const heartbeatMs = 100

/** WELCOME on terms that do not follow from HELLO. */
function badWelcome(
  clause: string,
  code: ErrorCode,
  wrong: (destination: ScriptedDestination) => Partial<Welcome>,
): SourceCase['play'] {
  return async (context) => {
    const destination = await context.destination()
    destination.send('Welcome', { ...destination.welcome, ...wrong(destination) })
    await destination.refused(clause, code)
  }
}

/** The answer is no preface, or another one. */
function badPreface(clause: string, change: (bytes: Uint8Array) => Uint8Array): SourceCase['play'] {
  return async (context) => {
    const { control, exchange } = await context.caller()
    const session = new Uint8Array(16)
    const bytes = encodePreface({ role: ChannelRole.Control, index: 0, epoch: 0, session })
    control.raw(change(bytes))
    const event = await exchange.find(({ channel, heard }) => {
      return channel === control && heard.kind === 'end'
    })
    if (event === undefined) throw new Failure(clause, 'the end of the stream', 'nothing')
  }
}

/** Every frame-level fault, each with a source of its own. */
async function frames(context: SourceContext): Promise<void> {
  for (const bad of sample(badFrames(ChannelRole.Control), context.every)) {
    const destination = await context.destination()
    sendBad(destination.control, bad)
    await destination.refused(bad.clause, bad.code)
  }
}

async function dataFrames(context: SourceContext): Promise<void> {
  for (const bad of sample(badFrames(ChannelRole.Data), context.every, 1)) {
    const destination = await context.destination()
    await destination.open()
    sendBad(destination.lanes[0]!.channel, bad)
    await destination.refused(bad.clause, bad.code)
  }
}

const fromDestination: readonly MessageName[] = [
  'Welcome',
  'Error',
  'StaticHeld',
  'Reserved',
  'RoundAck',
  'Lacking',
  'Resumed',
  'SwitchOverAck',
  'Ready',
  'Running',
  'Owner',
  'Verified',
  'Final',
  'EndAck',
]

async function bodies(context: SourceContext): Promise<void> {
  const all = fromDestination.flatMap(badKeys)
  for (const { what, clause, type, body } of sample(all, context.every)) {
    const destination = await context.destination()
    destination.control.frame(type, body, {}, what)
    await destination.refused(clause, 'WIRE_BODY')
  }
}

async function maps(context: SourceContext): Promise<void> {
  for (const [clause, what, body] of sample(badMaps, context.every)) {
    if (body.length > frameRule(FrameType.Heartbeat)!.bodyBytesMax) continue
    const destination = await context.destination()
    destination.control.frame(FrameType.Heartbeat, body, {}, `a body that is ${what}`)
    await destination.refused(clause, 'WIRE_BODY')
  }
}

interface State {
  readonly name: string
  readonly mode?: 'post-copy'
  readonly reach: (destination: ScriptedDestination) => Promise<unknown>
  readonly allowed: readonly MessageName[]
}

const paused = async (destination: ScriptedDestination): Promise<void> => {
  await destination.open()
  await destination.rounds()
  await destination.finalRound()
}

const states: readonly State[] = [
  {
    name: 'greeting',
    reach: async () => {},
    allowed: ['Welcome'],
  },
  { name: 'reserving', reach: (destination) => destination.greet(), allowed: ['Reserved'] },
  {
    name: 'acknowledging',
    reach: async (destination) => {
      await destination.open()
      await destination.collect(await destination.expect('RoundBegin', 'C6.2'))
    },
    allowed: ['RoundAck'],
  },
  {
    name: 'switching-over',
    reach: async (destination) => {
      await destination.open()
      await destination.rounds()
    },
    allowed: ['SwitchOverAck'],
  },
  { name: 'preparing', reach: paused, allowed: ['RoundAck'] },
  {
    name: 'prepared',
    reach: async (destination) => {
      await paused(destination)
      destination.acknowledge()
    },
    allowed: ['Ready'],
  },
  {
    name: 'released',
    reach: async (destination) => {
      await paused(destination)
      destination.acknowledge()
      await destination.commit()
    },
    allowed: ['Running'],
  },
  {
    name: 'post-copy-discarded',
    mode: 'post-copy',
    reach: async (destination) => {
      await destination.open()
      await destination.rounds()
      await destination.discards()
    },
    allowed: ['Ready'],
  },
]

function stateCase(state: State, index: number): SourceCase {
  const frames = (Object.keys(bodySamples) as MessageName[]).filter((name) => {
    const isControl = frameRule(FrameType[name])!.channels.includes(ChannelRole.Control)
    return isControl && !['Error', 'Heartbeat', ...state.allowed].includes(name)
  })
  return {
    name: `states/${state.name}`,
    clauses: ['C3.14'],
    ...(state.mode === undefined ? {} : { mode: state.mode }),
    async play(context) {
      for (const name of sample(frames, context.every, index)) {
        const destination = await context.destination()
        await state.reach(destination)
        destination.exchange.trace.sent('case', `state: ${state.name}; out of place: ${name}`)
        destination.send(name, bodySamples[name]!.body)
        await destination.refused('C3.14', 'PROTOCOL_STATE')
      }
    },
  }
}

async function wrongRound(context: SourceContext): Promise<void> {
  const destination = await context.destination()
  await destination.open()
  await destination.collect(await destination.expect('RoundBegin', 'C6.2'))
  destination.send('RoundAck', { round: 9 })
  await destination.refused('C6.16', 'PROTOCOL_STATE')
}

async function readyTooSoon(context: SourceContext): Promise<void> {
  const destination = await context.destination()
  await paused(destination)
  destination.send('Ready', { epoch: 1 })
  await destination.refused('C6.20', 'PROTOCOL_STATE')
}

async function acknowledgedTwice(context: SourceContext): Promise<void> {
  const destination = await context.destination()
  await paused(destination)
  destination.acknowledge()
  destination.send('RoundAck', { round: destination.round })
  await destination.refused('C6.20', 'PROTOCOL_STATE')
}

async function ownerEpoch(context: SourceContext): Promise<void> {
  const destination = await context.destination()
  await paused(destination)
  destination.acknowledge()
  destination.send('Ready', { epoch: 2 })
  await destination.refused('C4.17', 'PROTOCOL_STATE')
}

async function unknownError(context: SourceContext): Promise<void> {
  const destination = await context.destination()
  await destination.open()
  destination.send('Error', { code: 60_000, text: 'later' })
  destination.control.end()
  const { control, exchange } = destination
  const event = await exchange.find(({ channel, heard }) => {
    return channel === control && heard.kind === 'end'
  })
  if (event === undefined) throw new Failure('C8.2', 'the end of the stream', 'nothing')
}

async function beats(context: SourceContext): Promise<void> {
  const destination = await context.destination()
  const { exchange, hello } = destination
  const deadline = performance.now() + hello.heartbeatMs * 2 + context.timeoutMs
  destination.send('Welcome', destination.welcome)
  while (exchange.heartbeats === 0 && performance.now() < deadline) {
    await exchange.change(deadline - performance.now())
  }
  if (exchange.heartbeats === 0) {
    throw new Failure('C4.48', 'HEARTBEAT', `none in ${hello.heartbeatMs} ms`)
  }
}

async function silence(context: SourceContext): Promise<void> {
  const destination = await context.destination({ heartbeatMs })
  destination.send('Welcome', destination.welcome)
  await destination.expect('Reserve', 'C4.23')
  const { control, exchange, hello } = destination
  const limitMs = 5 * heartbeatMs + 2 * hello.heartbeatMs + context.timeoutMs
  const event = await exchange.find(({ channel, heard }) => {
    return channel === control && heard.kind !== 'message'
  }, limitMs)
  if (event === undefined) throw new Failure('C4.49', 'the end after 500 ms', 'nothing')
}

const inFrames = ['C3.3', 'C3.4', 'C3.5', 'C3.6', 'C3.7', 'C3.8', 'C3.10', 'C3.12', 'C9.2']
const rows = [...new Set(fromDestination.map((name) => bodySamples[name]!.clause))]
const wrongBytes = (offset: number, value: number) => (bytes: Uint8Array) => {
  bytes[offset] = value
  return bytes
}

export const refusalCases: readonly SourceCase[] = [
  {
    name: 'terms/version',
    clauses: ['C4.13', 'C4.20'],
    play: badWelcome('C4.13', 'PROTOCOL_VERSION', () => ({ version: 2 })),
  },
  {
    name: 'terms/capability',
    clauses: ['C4.15', 'C4.50'],
    play: badWelcome('C4.15', 'PROTOCOL_CAPABILITY', () => ({ capabilities: ['mirror'] })),
  },
  {
    name: 'terms/channels',
    clauses: ['C4.15'],
    play: badWelcome('C4.15', 'PROTOCOL_CAPABILITY', ({ hello }) => {
      return { dataChannels: Math.min(64, hello.dataChannels + 1) }
    }),
  },
  {
    name: 'terms/final',
    clauses: ['C4.15', 'C4.55'],
    play: badWelcome('C4.15', 'PROTOCOL_CAPABILITY', () => ({ finalAfterMs: 5 })),
  },
  {
    name: 'terms/static',
    clauses: ['C4.15'],
    play: badWelcome('C4.15', 'PROTOCOL_CAPABILITY', () => ({ staticNonce: new Uint8Array(16) })),
  },
  {
    name: 'terms/page-size',
    clauses: ['C4.16'],
    play: badWelcome('C4.16', 'PAGE_SIZE_MISMATCH', ({ hello }) => {
      return { pageBytes: hello.pageBytes.includes(8192) ? 4097 : 8192 }
    }),
  },
  {
    name: 'preface/not-godwit',
    clauses: ['C2.7'],
    play: badPreface('C2.7', () => new TextEncoder().encode('HTTP/1.1 400 Bad Request\r\n\r\n')),
  },
  {
    name: 'preface/version',
    clauses: ['C2.7'],
    play: badPreface('C2.7', wrongBytes(PREFACE.version, 2)),
  },
  { name: 'preface/session', clauses: ['C2.3'], play: badPreface('C2.3', (bytes) => bytes) },
  { name: 'frames/control', clauses: inFrames, play: frames },
  { name: 'frames/data', clauses: inFrames, play: dataFrames },
  {
    name: 'bodies/keys',
    clauses: ['C3.9', 'C4.10', 'C9.1', 'C9.5', 'C9.6', ...rows],
    play: bodies,
  },
  {
    name: 'bodies/maps',
    clauses: ['C4.1', 'C4.2', 'C4.3', 'C4.4', 'C4.6', 'C4.7'],
    play: maps,
  },
  ...states.map(stateCase),
  { name: 'states/wrong-round', clauses: ['C6.16'], play: wrongRound },
  { name: 'states/ready-too-soon', clauses: ['C6.20'], play: readyTooSoon },
  { name: 'states/acknowledged-twice', clauses: ['C6.20'], play: acknowledgedTwice },
  { name: 'states/owner-epoch', clauses: ['C4.17'], play: ownerEpoch },
  { name: 'states/unknown-error', clauses: ['C8.1', 'C8.2'], play: unknownError },
  { name: 'terms/heartbeats', clauses: ['C4.48'], play: beats },
  { name: 'terms/silence', clauses: ['C4.49'], play: silence },
]

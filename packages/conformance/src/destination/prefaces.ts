/**
 * Cases for a destination: prefaces, and channels that are not to be accepted.
 *
 * @module
 */
import type { Preface } from '@godwit/wire'
import { ChannelRole, PREFACE, PREFACE_BYTES, encodePreface } from '@godwit/wire'
import type { Case } from '../case.ts'
import { check, checkEqual, Failure } from '../failure.ts'
import type { RawChannel } from '../raw-channel.ts'
import type { DestinationContext, ScriptedSource } from '../scripted-source.ts'

type C = Case<DestinationContext>

/** Long enough for what comes at once; there is nothing else to wait for. */
const quietMs = 100
/** The specification's 5 s, and as many again for an agent that is busy. */
const introductionMs = 10_000

const own = (session: Uint8Array): Preface => ({ role: 1, index: 0, epoch: 0, session })

function changed(session: Uint8Array, offset: number, value: number): Uint8Array {
  const bytes = encodePreface(own(session))
  bytes[offset] = value
  return bytes
}

/** The answer to a preface that is refused: another one, ERROR, the end. */
async function refusedChannel(
  source: ScriptedSource,
  channel: RawChannel,
  preface: Preface,
  clause: string,
  ...codes: Parameters<ScriptedSource['exchange']['refused']>[1]
): Promise<void> {
  const answer = await source.exchange.introduced(channel, 'C2.4')
  checkEqual('C2.12', answer.preface, preface)
  await source.exchange.refused([channel], codes, clause)
}

async function answer(context: DestinationContext): Promise<void> {
  const source = context.source()
  const channel = source.connect()
  await source.exchange.change(quietMs)
  check('C2.2', channel.byteCount === 0, 'nothing before the preface', `${channel.byteCount} bytes`)
  channel.preface(own(source.id))
  const { preface } = await source.exchange.introduced(channel, 'C2.3')
  checkEqual('C2.3', preface, own(source.id))
  channel.send('Hello', source.hello)
  await source.exchange.expect(channel, 'Welcome', 'C2.8')
}

async function notGodwit(context: DestinationContext): Promise<void> {
  const { id } = context.source()
  const wrong = encodePreface(own(id)).subarray(0, 4)
  wrong[3] = 0x58
  const texts = [new TextEncoder().encode('SSH-2.0-OpenSSH_9.2p1\r\n'), wrong, changed(id, 7, 0)]
  for (const bytes of texts) {
    const source = context.source()
    const channel = source.connect().raw(bytes)
    await source.exchange.closed(channel, 'C2.7')
    check('C2.5', channel.byteCount === 0, 'no answer', `${channel.byteCount} bytes`)
  }
}

async function unreadable(context: DestinationContext): Promise<void> {
  const faults: readonly (readonly [number, number])[] = [
    [PREFACE.version, 2],
    [PREFACE.version, 0],
    [PREFACE.role, 0],
    [PREFACE.role, 5],
    [PREFACE.role, 255],
    [PREFACE.index, 1],
  ]
  for (const [offset, value] of faults) {
    const source = context.source()
    const channel = source.connect().raw(changed(source.id, offset, value))
    await refusedChannel(source, channel, own(source.id), 'C2.7', 'WIRE_PREFACE')
  }
  const source = context.source()
  const bytes = changed(source.id, PREFACE.role, ChannelRole.Data)
  bytes[PREFACE.index] = 64
  const channel = source.connect().raw(bytes)
  await refusedChannel(source, channel, own(source.id), 'C2.7', 'WIRE_PREFACE')
}

async function slow(context: DestinationContext): Promise<void> {
  const source = context.source()
  const bytes = encodePreface(own(source.id)).subarray(0, PREFACE_BYTES - 1)
  const channel = source.connect().raw(bytes)
  const event = await source.exchange.find(({ heard }) => heard.kind === 'end', introductionMs)
  if (event !== undefined) return
  throw new Failure('C2.6', `the end of ${channel.name} after 5 s`, 'nothing')
}

async function unknownSession(context: DestinationContext): Promise<void> {
  for (const [role, epoch] of [
    [2, 0],
    [3, 0],
    [4, 0],
    [1, 1],
    [2, 7],
  ] as const) {
    const source = context.source()
    const preface = { role, index: 0, epoch, session: source.id }
    const channel = source.connect(role).preface(preface)
    const clause = role === 1 ? 'C2.9' : 'C2.16'
    await refusedChannel(source, channel, preface, clause, 'SESSION_UNKNOWN')
  }
}

async function tooEarly(context: DestinationContext): Promise<void> {
  const source = await context.source().greet()
  const preface = { role: 2, index: 0, epoch: 0, session: source.id } as const
  const channel = source.connect(2).preface(preface)
  await refusedChannel(source, channel, preface, 'C2.16', 'SESSION_UNKNOWN', 'PROTOCOL_STATE')
}

/** Refused, one after the other, while the session itself goes on. */
async function misplaced(
  source: ScriptedSource,
  clause: string,
  wrong: readonly (readonly [2 | 3 | 4 | 1, number, number])[],
): Promise<void> {
  for (const [role, index, epoch] of wrong) {
    const preface = { role, index, epoch, session: source.id }
    const channel = source.connect(role, index).preface(preface)
    const isUnknown = clause === 'C2.17' || clause === 'C2.18'
    const codes = isUnknown ? (['SESSION_UNKNOWN', 'PROTOCOL_STATE'] as const) : []
    const code = codes.length === 0 ? (['PROTOCOL_STATE'] as const) : codes
    await refusedChannel(source, channel, preface, clause, ...code)
  }
}

async function dataNumbers(context: DestinationContext): Promise<void> {
  const source = await context.source({ dataChannels: 2 }).open()
  const count = source.welcome.dataChannels
  await misplaced(source, 'C2.17', [
    [2, 0, 0],
    [2, count, 0],
    [2, 63, 0],
  ])
  await source.full()
}

async function notAgreed(context: DestinationContext): Promise<void> {
  const source = await context.source().open()
  await misplaced(source, 'C2.18', [
    [3, 0, 0],
    [4, 0, 0],
  ])
  await source.full()
}

async function secondUrgent(context: DestinationContext): Promise<void> {
  const source = context.source({ mode: 'post-copy', required: ['post-copy'] })
  await source.open()
  await misplaced(source, 'C2.18', [
    [3, 0, 0],
    [4, 0, 0],
  ])
}

async function otherEpoch(context: DestinationContext): Promise<void> {
  const source = await context.source().open()
  await misplaced(source, 'C2.11', [
    [1, 0, 0],
    [2, 0, 3],
  ])
  await source.full()
}

async function twoSessions(context: DestinationContext): Promise<void> {
  const [one, other] = [await context.source().open(), await context.source().open()]
  await one.full()
  await other.full()
}

export const prefaceCases: readonly C[] = [
  { name: 'preface/answer', clauses: ['C1.1', 'C2.1', 'C2.2', 'C2.3', 'C2.8'], play: answer },
  { name: 'preface/not-godwit', clauses: ['C2.5', 'C2.7'], play: notGodwit },
  { name: 'preface/fields', clauses: ['C2.4', 'C2.7', 'C2.12', 'C11.1'], play: unreadable },
  { name: 'preface/slow', clauses: ['C2.6'], play: slow },
  { name: 'preface/unknown-session', clauses: ['C2.9', 'C2.16', 'C4.59'], play: unknownSession },
  { name: 'preface/too-early', clauses: ['C2.16'], play: tooEarly },
  { name: 'preface/data-number', clauses: ['C2.17'], play: dataNumbers },
  { name: 'preface/not-agreed', clauses: ['C2.18'], play: notAgreed },
  { name: 'preface/second-urgent', clauses: ['C2.18'], play: secondUrgent },
  { name: 'preface/epoch', clauses: ['C2.11'], play: otherEpoch },
  { name: 'preface/two-sessions', clauses: ['C2.8'], play: twoSessions },
]

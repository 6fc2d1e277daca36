/**
 * Cases for a destination: control bodies that break section 4, and odd ones that do not.
 *
 * @module
 */
import type { MessageName } from '@godwit/wire'
import { FrameType, encodeMessage } from '@godwit/wire'
import { badKeys, badMaps, bodySamples, goodMaps } from '../body-faults.ts'
import type { Case } from '../case.ts'
import { sample } from '../case.ts'
import type { DestinationContext } from '../scripted-source.ts'

type C = Case<DestinationContext>

/** What a source sends on the control channel. */
const fromSource: readonly MessageName[] = [
  'Hello',
  'Error',
  'Reserve',
  'RoundBegin',
  'RoundEnd',
  'Discard',
  'Resume',
  'SwitchOver',
  'State',
  'Commit',
  'OwnerQuery',
  'Verify',
  'End',
]

async function keys(context: DestinationContext): Promise<void> {
  const bodies = fromSource.flatMap(badKeys)
  for (const { what, clause, type, body } of sample(bodies, context.every)) {
    const source = context.source()
    const control = source.dial(1)
    control.frame(type, body, {}, what)
    await source.exchange.introduced(control, 'C2.3')
    await source.refused(clause, 'WIRE_BODY')
    await source.end()
  }
}

async function barrierKeys(context: DestinationContext): Promise<void> {
  for (const { what, clause, type, body } of sample(badKeys('Barrier'), context.every)) {
    const source = await context.source().open()
    source.begin(1, 'full')
    source.lane.channel.frame(type, body, {}, what)
    await source.refused(clause, 'WIRE_BODY')
    await source.end()
  }
}

async function maps(context: DestinationContext): Promise<void> {
  for (const [clause, what, body] of badMaps) {
    // HEARTBEAT has no keys; its body may not be as long as one of them is.
    const type = body.length > 16_384 ? FrameType.Hello : FrameType.Heartbeat
    const source = await context.source().greet()
    source.control.frame(type, body, {}, `a body that is ${what}`)
    await source.refused(clause, 'WIRE_BODY')
    await source.end()
  }
}

async function tolerated(context: DestinationContext): Promise<void> {
  const source = await context.source().greet()
  for (const [what, body] of goodMaps) {
    source.control.frame(FrameType.Heartbeat, body, {}, `a body with ${what}`)
  }
  const body = { guest: context.guest, regions: source.memory.table, later: [1, { a: null }] }
  source.control.send('Reserve', body)
  await source.exchange.expect(source.control, 'Reserved', 'C4.9')
}

/** Every integer of a HELLO as a float of 64 bits. */
async function floats(context: DestinationContext): Promise<void> {
  const source = context.source()
  source.control = source.dial(1)
  const bytes = encodeMessage({ name: 'Hello', body: source.hello })
  source.control.frame(FrameType.Hello, widened(bytes, 'dataChannels', 1), {}, 'HELLO with a float')
  await source.exchange.introduced(source.control, 'C2.3')
  await source.exchange.expect(source.control, 'Welcome', 'C4.8')
}

/** The one-byte integer behind a key as float 64. */
function widened(body: Uint8Array, name: string, value: number): Uint8Array {
  const at = Buffer.from(body).indexOf(name) + name.length
  const float = new Uint8Array(9)
  float[0] = 0xcb
  new DataView(float.buffer).setFloat64(1, value)
  return Buffer.concat([body.subarray(0, at), float, body.subarray(at + 1)])
}

/** 128 characters that take 384 bytes. */
async function characters(context: DestinationContext): Promise<void> {
  const source = context.source({ optional: ['\u20ac'.repeat(128)] })
  await source.greet()
}

const rows = [...new Set(fromSource.map((name) => bodySamples[name]!.clause))]

export const bodyCases: readonly C[] = [
  {
    name: 'bodies/keys',
    clauses: ['C3.9', 'C4.10', 'C9.1', 'C9.5', 'C13.4', 'C13.5', 'C13.24', ...rows],
    play: keys,
  },
  { name: 'bodies/barrier', clauses: ['C3.9', 'C4.10', 'C4.26'], play: barrierKeys },
  {
    name: 'bodies/maps',
    clauses: ['C4.1', 'C4.2', 'C4.3', 'C4.4', 'C4.5', 'C4.6', 'C4.7'],
    play: maps,
  },
  { name: 'bodies/tolerated', clauses: ['C4.9', 'C4.22', 'C11.1'], play: tolerated },
  { name: 'bodies/floats', clauses: ['C4.8'], play: floats },
  { name: 'bodies/characters', clauses: ['C4.12'], play: characters },
]

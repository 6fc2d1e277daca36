/**
 * Cases for a destination: frames that break section 3.
 *
 * @module
 */
import { ChannelRole, FRAME_HEADER_BYTES, FrameType, encodeMessage } from '@godwit/wire'
import { raw } from '../batch.ts'
import type { Case } from '../case.ts'
import { sample } from '../case.ts'
import { Failure } from '../failure.ts'
import { badFrames, sendBad } from '../frame-faults.ts'
import { FIRST_REGION } from '../guest-memory.ts'
import type { DestinationContext } from '../scripted-source.ts'
import { postCopySource } from './post-copy.ts'

type C = Case<DestinationContext>

async function onControl(context: DestinationContext): Promise<void> {
  for (const bad of sample(badFrames(ChannelRole.Control), context.every)) {
    const source = await context.source().greet()
    sendBad(source.control, bad)
    await source.refused(bad.clause, bad.code)
    await source.end()
  }
}

async function onData(context: DestinationContext): Promise<void> {
  for (const bad of sample(badFrames(ChannelRole.Data), context.every, 1)) {
    const source = await context.source().open()
    source.begin(1, 'full')
    sendBad(source.lane.channel, bad)
    await source.refused(bad.clause, bad.code)
    await source.end()
  }
}

async function onUrgent(context: DestinationContext): Promise<void> {
  for (const bad of sample(badFrames(ChannelRole.Urgent), context.every, 2)) {
    const source = await postCopySource(context)
    await source.open()
    sendBad(source.urgent!.channel, bad)
    await source.refused(bad.clause, bad.code)
    await source.end()
  }
}

/** Of a PAGES frame the checksum covers the table; pages have the digest. */
async function pagesChecksum(context: DestinationContext): Promise<void> {
  const source = await context.source().open()
  source.memory.fill()
  const page = source.memory.page(FIRST_REGION, 0).slice()
  source.begin(1, 'full')
  const { lane } = source
  page[100] = page[100]! ^ 1
  lane.batch({ round: 1, region: FIRST_REGION, runs: [raw(0, page)], digest: 1n })
  await source.refused('C3.2', 'CODEC_DIGEST')
}

async function skipped(context: DestinationContext): Promise<void> {
  const source = context.source()
  source.control = source.dial(1)
  const { control, exchange } = source
  await exchange.introduced(control, 'C2.3')
  control.frame(0x8005, new Uint8Array(1000), { checksum: 1 })
  control.frame(0xffff, new Uint8Array(65_536))
  control.frame(0x8044, new Uint8Array(0))
  control.send('Hello', source.hello)
  await exchange.expect(control, 'Welcome', 'C3.10')
}

/** A byte stream: its borders carry no meaning. */
async function byByte(context: DestinationContext): Promise<void> {
  const source = context.source()
  source.control = source.dial(1)
  const { control, exchange } = source
  const body = encodeMessage({ name: 'Hello', body: source.hello })
  const bytes = control.encode(FrameType.Hello, body)
  for (let at = 0; at < bytes.length; at += 3) control.raw(bytes.subarray(at, at + 3), '3 bytes')
  await exchange.introduced(control, 'C2.3')
  await exchange.expect(control, 'Welcome', 'C1.2')
}

async function truncated(context: DestinationContext): Promise<void> {
  for (const length of [1, FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + 5]) {
    const source = await context.source().greet()
    const { control, exchange } = source
    const body = encodeMessage({ name: 'State', body: { package: new Uint8Array(20) } })
    control.raw(control.encode(FrameType.State, body).subarray(0, length))
    control.end()
    const event = await exchange.find(({ channel }) => channel === control)
    const heard = event?.heard
    if (heard?.kind === 'end') continue
    if (heard?.kind === 'message' && heard.message.name === 'Error') {
      const { code } = heard.message.body
      if (code === 56) continue
    }
    throw new Failure('C3.11', 'ERROR WIRE_TRUNCATED or the end', heard?.kind ?? 'nothing')
  }
}

const inFrames = ['C3.3', 'C3.4', 'C3.5', 'C3.6', 'C3.7', 'C3.8', 'C3.10', 'C3.12', 'C9.2']

export const frameCases: readonly C[] = [
  { name: 'frames/control', clauses: [...inFrames, 'C11.1'], play: onControl },
  { name: 'frames/data', clauses: inFrames, play: onData },
  { name: 'frames/urgent', clauses: inFrames, play: onUrgent },
  { name: 'frames/pages-checksum', clauses: ['C3.2', 'C5.26'], play: pagesChecksum },
  { name: 'frames/optional', clauses: ['C3.10', 'C9.2'], play: skipped },
  { name: 'frames/split', clauses: ['C1.2', 'C3.1'], play: byByte },
  { name: 'frames/truncated', clauses: ['C3.11'], play: truncated },
]

/**
 * Cases for a destination: HELLO and RESERVE on terms that it cannot take, and heartbeats.
 *
 * @module
 */
import type { ErrorCode } from '@godwit/core'
import type { Hello, Reserve } from '@godwit/wire'
import type { Case } from '../case.ts'
import { check, Failure } from '../failure.ts'
import type { DestinationContext } from '../scripted-source.ts'

type C = Case<DestinationContext>

/** The least there is, so that a case takes half a second and not five minutes. */
const heartbeatMs = 100

function refusedHello(
  clause: string,
  code: ErrorCode,
  ...offers: readonly Partial<Hello>[]
): C['play'] {
  return async (context) => {
    for (const offer of offers) {
      const source = context.source()
      source.control = source.dial(1)
      source.control.send('Hello', { ...source.hello, ...offer })
      await source.exchange.introduced(source.control, 'C2.3')
      await source.refused(clause, code)
    }
  }
}

function refusedReserve(
  clause: string,
  codes: readonly ErrorCode[],
  change: (reserve: Reserve) => Reserve,
): C['play'] {
  return async (context) => {
    const source = await context.source().greet()
    const { guest } = context
    source.control.send('Reserve', change({ guest, regions: source.memory.table }))
    await source.refused(clause, ...codes)
  }
}

/** 1024 regions of 4 GiB: more than anybody has. */
const huge = ({ guest }: Reserve): Reserve => ({
  guest,
  regions: Array.from({ length: 1024 }, (_, id) => {
    return { id, name: `ram${id}`, byteLength: 4_294_967_296 }
  }),
})

async function capabilities(context: DestinationContext): Promise<void> {
  const optional = [
    'references',
    'delta',
    'zstd',
    'lz4',
    'final',
    'post-copy',
    'static',
    'mirror',
    'nonsense',
  ]
  for (const name of optional) await context.source({ optional: [name] }).greet()
  await context.source({ optional }).greet()
  await context.source({ dataChannels: 64 }).greet()
}

async function pageSizes(context: DestinationContext): Promise<void> {
  const source = await context.source({ pageBytes: [1, 5000, 4096 * 32, 65_536, 4096] }).greet()
  const { pageBytes } = source.welcome
  check('C4.19', [4096, 65_536].includes(pageBytes), 'a power of two in range', pageBytes)
}

async function beats(context: DestinationContext): Promise<void> {
  const source = await context.source().greet()
  const { exchange, welcome } = source
  const before = exchange.heartbeats
  const deadline = performance.now() + welcome.heartbeatMs * 2 + context.timeoutMs
  while (exchange.heartbeats === before && performance.now() < deadline) {
    await exchange.change(deadline - performance.now())
  }
  check('C4.48', exchange.heartbeats > before, 'HEARTBEAT', `none in ${welcome.heartbeatMs} ms`)
}

async function silence(context: DestinationContext): Promise<void> {
  const source = await context.source({ heartbeatMs }).greet()
  const began = performance.now()
  const { control, exchange } = source
  // It looks as often as it sends heartbeats itself.
  const limitMs = 5 * heartbeatMs + 2 * source.welcome.heartbeatMs + context.timeoutMs
  const event = await exchange.find(({ channel }) => channel === control, limitMs)
  if (event === undefined) throw new Failure('C4.49', 'the end after 500 ms', 'nothing')
  const tookMs = performance.now() - began
  check('C4.49', tookMs >= 4.5 * heartbeatMs, '500 ms of patience', `${Math.round(tookMs)} ms`)
}

/** A source that speaks on time is heard, for longer than silence would be. */
async function patience(context: DestinationContext): Promise<void> {
  const source = await context.source({ heartbeatMs }).greet()
  for (let beat = 0; beat < 12; beat++) {
    source.control.send('Heartbeat', {})
    await source.exchange.change(heartbeatMs / 2)
  }
  source.control.send('Reserve', { guest: context.guest, regions: source.memory.table })
  await source.exchange.expect(source.control, 'Reserved', 'C4.49')
}

const capability = 'PROTOCOL_CAPABILITY'
const sources = { required: ['post-copy', 'reverse'], checkpointMs: 100 }

export const termsCases: readonly C[] = [
  {
    name: 'terms/version',
    clauses: ['C4.13'],
    play: refusedHello(
      'C4.13',
      'PROTOCOL_VERSION',
      { versionMin: 2, versionMax: 9 },
      { versionMin: 0, versionMax: 0 },
      { versionMin: 2, versionMax: 1 },
    ),
  },
  {
    name: 'terms/post-copy-not-required',
    clauses: ['C4.14', 'C4.56'],
    play: refusedHello(
      'C4.14',
      capability,
      { mode: 'post-copy' },
      { mode: 'hybrid', optional: ['post-copy'] },
    ),
  },
  {
    name: 'terms/reverse',
    clauses: ['C4.57'],
    play: refusedHello(
      'C4.57',
      capability,
      { mode: 'post-copy', required: ['post-copy', 'reverse'] },
      { mode: 'post-copy', required: ['post-copy'], checkpointMs: 100 },
      { mode: 'pre-copy', ...sources },
    ),
  },
  {
    name: 'terms/unknown-capability',
    clauses: ['C4.50', 'C11.1'],
    play: refusedHello('C4.50', capability, { required: ['mirror'] }, { required: ['nonsense'] }),
  },
  {
    name: 'terms/page-size',
    clauses: ['C4.16'],
    play: refusedHello('C4.16', 'PAGE_SIZE_MISMATCH', { pageBytes: [1] }, { pageBytes: [131_072] }),
  },
  { name: 'terms/page-sizes', clauses: ['C4.16', 'C4.19'], play: pageSizes },
  { name: 'terms/capabilities', clauses: ['C4.20', 'C4.50'], play: capabilities },
  {
    name: 'terms/guest-unknown',
    clauses: ['C8.1', 'C7.12'],
    play: refusedReserve('C8.1', ['GUEST_UNKNOWN'], (reserve) => {
      return { ...reserve, guest: { kind: 'no such kind', options: {} } }
    }),
  },
  {
    name: 'terms/no-room',
    clauses: ['C9.7', 'C9.8', 'C10.2'],
    play: refusedReserve('C9.8', ['NO_ROOM', 'LIMIT_EXCEEDED'], huge),
  },
  { name: 'terms/heartbeats', clauses: ['C4.48'], play: beats },
  { name: 'terms/silence', clauses: ['C4.49'], play: silence },
  { name: 'terms/patience', clauses: ['C4.22', 'C4.49'], play: patience },
]

/**
 * The suite finds out what is wrong, and says which clause was broken.
 */
import type { CaseResult } from '@godwit/conformance'
import {
  conclude,
  destinationCases,
  formatConformance,
  sourceCases,
  testDestination,
  testSource,
} from '@godwit/conformance'
import { BATCH, FRAME, FRAME_HEADER_BYTES, FrameType, PREFACE, FrameWriter } from '@godwit/wire'
import type { OwnerAnswer } from '@godwit/wire'
import { encodeMessage } from '@godwit/wire'
import type { Receiver } from 'godwit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startDestination, startSource } from './agents.ts'
import type { Mutation } from './mutating-proxy.ts'
import { MutatingProxy, rewrite, seal } from './mutating-proxy.ts'

/** For answers that come. */
const timeoutMs = 15_000
/** For those that do not: some agents say nothing where they ought to refuse. */
const silenceMs = 2500

const forAgent =
  (change: (view: DataView, bytes: Uint8Array) => void): Mutation =>
  (unit) => {
    const { fromAgent, name, bytes } = unit
    if (fromAgent || name === 'Preface') return 'pass'
    change(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), bytes)
    return 'pass'
  }

/** Frames as the agent ought to have refused them are made right before it sees them. */
const blindToChecksums = forAgent((_view, bytes) => seal(bytes))
const blindToFlags = forAgent((view, bytes) => {
  if (view.getUint16(FRAME.flags, true) === 0) return
  view.setUint16(FRAME.flags, 0, true)
  seal(bytes)
})

/** Acknowledges rounds as soon as ROUND_END came. */
const hasty: Mutation = ({ fromAgent, name, answer }) => {
  if (name === 'RoundAck' && fromAgent) return 'lose'
  if (name !== 'RoundEnd' || fromAgent) return 'pass'
  const writer = new FrameWriter()
  // The frames before it were WELCOME, RESERVED and SWITCH_OVER_ACK.
  const body = encodeMessage({ name: 'RoundAck', body: { round: 1 } })
  for (let sequence = 0; sequence < 3; sequence++) writer.frame(FrameType.Heartbeat, body)
  answer(writer.frame(FrameType.RoundAck, body))
  return 'pass'
}

const otherSession: Mutation = ({ fromAgent, name, bytes }) => {
  if (fromAgent && name === 'Preface') bytes[PREFACE.session]! ^= 1
  return 'pass'
}

const outOfSequence: Mutation = ({ fromAgent, name, bytes }) => {
  if (!fromAgent || name === 'Preface') return 'pass'
  bytes[FRAME.sequence]! ^= 0x40
  seal(bytes)
  return 'pass'
}

const otherDigest: Mutation = ({ fromAgent, name, bytes }) => {
  if (!fromAgent || name !== 'Pages') return 'pass'
  bytes[FRAME_HEADER_BYTES + BATCH.digest]! ^= 1
  seal(bytes)
  return 'pass'
}

/** Takes the guest for another's than it is told. */
function mishears(owner: OwnerAnswer): Mutation {
  return (unit) => {
    if (unit.fromAgent || unit.name !== 'Owner') return 'pass'
    const body = encodeMessage({ name: 'Owner', body: { epoch: 1, owner } })
    unit.bytes = seal(Buffer.concat([unit.bytes.subarray(0, FRAME_HEADER_BYTES), body]))
    return 'pass'
  }
}

/** RESUME in the place of OWNER_QUERY. */
const unasking: Mutation = (unit) => {
  if (!unit.fromAgent || unit.name !== 'OwnerQuery') return 'pass'
  const body = encodeMessage({ name: 'Resume', body: { epoch: 1, round: 1 } })
  unit.bytes = Buffer.concat([unit.bytes.subarray(0, FRAME_HEADER_BYTES), body])
  unit.bytes[FRAME.type] = FrameType.Resume
  seal(unit.bytes)
  return 'pass'
}

let proxy: MutatingProxy | undefined
afterEach(async () => {
  await proxy?.close()
  proxy = undefined
})

/** Clauses that failed. */
function broken(role: 'destination' | 'source', results: readonly CaseResult[]): readonly string[] {
  const conformance = conclude(role, 'here', results)
  const failed = conformance.clauses.filter(({ outcome }) => outcome === 'fail')
  expect(formatConformance(conformance)).toMatch(/FAIL [\w-]+\/[^]*expected: [^]*what was said/)
  return failed.map(({ clause }) => clause)
}

describe('a destination', () => {
  let receiver: Receiver
  beforeEach(async () => {
    receiver = await startDestination('plain')
  })
  afterEach(() => receiver.close())

  async function judge(name: string, mutation: Mutation, waitMs = timeoutMs, keepsOpen = false) {
    proxy = await MutatingProxy.start(receiver.address, true, mutation, keepsOpen)
    const [host, port] = proxy.address.split(':') as [string, string]
    const cases = destinationCases.filter((one) => one.name === name)
    const guest = { kind: 'plain', options: {} }
    const results = await testDestination({
      host,
      port: Number(port),
      cases,
      guest,
      timeoutMs: waitMs,
    })
    return broken('destination', results)
  }

  it.each<[string, string, string, Mutation]>([
    [
      'has another code for bodies',
      'C4.1',
      'bodies/maps',
      rewrite('Error', (body) => ({ ...body, code: body.code === 55 ? 1 : body.code })),
    ],
    ['is too quick with ROUND_ACK', 'C6.15', 'rounds/acknowledgement', hasty],
    [
      'agrees to what was not offered',
      'C4.50',
      'terms/capabilities',
      rewrite('Welcome', (body) => ({ ...body, capabilities: [...body.capabilities, 'more'] })),
    ],
    ['answers for another session', 'C2.3', 'preface/answer', otherSession],
    [
      'takes any memory for equal',
      'C6.108',
      'rounds/differs',
      rewrite('Verified', (body) => ({ ...body, equal: true, differing: [] })),
    ],
    [
      'counts what it lacks in another way',
      'C4.34',
      'recovery/played',
      rewrite('Resumed', (body) => ({ ...body, checksum: 1 })),
    ],
    [
      'asks for other pages than it lacks',
      'C6.91',
      'naks/repaired',
      rewrite('Nak', (body) => ({ ...body, runs: body.runs.slice(8) })),
    ],
    [
      'gives credit for what was not sent',
      'C4.29',
      'rounds/credit',
      rewrite('Credit', () => ({ bytes: 2 ** 40 })),
    ],
    [
      'reserves less than it takes',
      'C4.24',
      'rounds/minimal',
      rewrite('Reserved', () => ({ reservedBytes: 1 })),
    ],
    ['numbers its frames wrongly', 'C3.7', 'rounds/minimal', outOfSequence],
    [
      'has lost a guest that it was to keep',
      'C7.15',
      'ownership/asked',
      rewrite('Owner', () => ({ epoch: 1, owner: 'lost' })),
    ],
    [
      'holds a guest for a source that has it',
      'C7.16',
      'ownership/kept',
      rewrite('Owner', () => ({ epoch: 1, owner: 'prepared' })),
    ],
    [
      'does not know what it runs',
      'C7.19',
      'ownership/post-copy-running',
      rewrite('Owner', () => ({ epoch: 1, owner: 'refused' })),
    ],
    [
      'begins a session again',
      'C7.27',
      'ownership/begun-again',
      rewrite('Error', (body) => ({ ...body, code: body.code === 82 ? 1 : body.code })),
    ],
    [
      'answers for guests that it never saw',
      'C7.25',
      'ownership/unknown',
      rewrite('Error', (body) => ({ ...body, code: body.code === 85 ? 1 : body.code })),
    ],
  ])('that %s breaks %s', async (_what, clause, name, mutation) => {
    expect(await judge(name, mutation)).toEqual([clause])
  })

  it.each<[string, string, Mutation]>([
    ['takes damaged frames', 'C3.8', blindToChecksums],
    ['does not look at flags', 'C3.6', blindToFlags],
  ])('that %s breaks %s', async (_what, clause, mutation) => {
    expect(await judge('frames/control', mutation, silenceMs)).toEqual([clause])
  })

  it('that stays after ERROR breaks C8.1', async () => {
    expect(await judge('terms/version', () => 'pass', silenceMs, true)).toEqual(['C8.1'])
  })

  it('that nobody changes breaks nothing', async () => {
    proxy = await MutatingProxy.start(receiver.address, true, () => 'pass')
    const [host, port] = proxy.address.split(':') as [string, string]
    const names = ['rounds/minimal', 'naks/repaired', 'recovery/played']
    const cases = destinationCases.filter((one) => names.includes(one.name))
    const guest = { kind: 'plain', options: {} }
    const results = await testDestination({ host, port: Number(port), cases, guest, timeoutMs })
    expect(results.map(({ outcome }) => outcome)).toEqual(['pass', 'pass', 'pass'])
  })
})

describe('a source', () => {
  async function judge(name: string, mutation: Mutation): Promise<readonly string[]> {
    const cases = sourceCases.filter((one) => one.name === name)
    const start = startSource('none')
    let proxies = Promise.resolve()
    const results = await testSource({
      host: '127.0.0.1',
      port: 0,
      cases,
      timeoutMs,
      start(address, mode) {
        const started = proxies.then(async () => {
          proxy = await MutatingProxy.start(address, false, mutation)
          return start(proxy.address, mode)
        })
        proxies = started.then(() => {})
        return {
          async stop() {
            await proxies
            const closing = proxy?.close()
            await (await started).stop()
            await closing
          },
        }
      },
    })
    return broken('source', results)
  }

  it.each<[string, string, string, Mutation]>([
    [
      'miscounts the pages of a channel',
      'C4.26',
      'whole/pre-copy',
      rewrite('Barrier', (body) => ({ ...body, pages: body.pages + 1 })),
    ],
    [
      'gives the guest away in another epoch',
      'C4.38',
      'whole/pre-copy',
      rewrite('Commit', () => ({ epoch: 2 })),
    ],
    ['sends other pages than it says', 'C5.41', 'whole/pre-copy', otherDigest],
    [
      'sums up its channels wrongly',
      'C6.14',
      'whole/pre-copy',
      rewrite('RoundEnd', (body) => ({ ...body, digest: new Uint8Array(8) })),
    ],
    [
      'tells another memory',
      'C6.106',
      'whole/pre-copy',
      rewrite('Verify', (body) => ({ ...body, digest: new Uint8Array(8) })),
    ],
    [
      'begins with another round',
      'C6.1',
      'whole/patient',
      rewrite('RoundBegin', (body) => ({ ...body, round: body.round + 1 })),
    ],
    [
      'resumes another connection',
      'C4.18',
      'recovery/played',
      rewrite('Resume', (body) => ({ ...body, epoch: body.epoch + 1 })),
    ],
    [
      'asks for another owner',
      'C4.17',
      'ownership/prepared',
      rewrite('OwnerQuery', () => ({ epoch: 2 })),
    ],
    ['does not ask', 'C7.14', 'ownership/prepared', unasking],
    ['hands over once only', 'C7.18', 'ownership/prepared', mishears('ended')],
    ['hands over what it was refused', 'C7.20', 'ownership/refused', mishears('prepared')],
    ['hands over what runs', 'C7.19', 'ownership/running', mishears('prepared')],
  ])('that %s breaks %s', async (_what, clause, name, mutation) => {
    expect(await judge(name, mutation)).toEqual([clause])
  })
})

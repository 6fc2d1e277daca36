/**
 * Migrations between agents with threads, over TCP, where both sides prove who they are.
 */
import { MIB } from '@godwit/core'
import type { Report } from '@godwit/core'
import type { IncomingMigration } from '@godwit/destination'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import type { ReceiveOptions, SecurityOptions, SendOptions } from 'godwit'
import { createMigration, randomBytes, receive } from 'godwit'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import type { Certificates } from './certificates.ts'
import { createCertificates } from './certificates.ts'
import { CountingProxy } from './counting-proxy.ts'
import { CuttingProxy } from './cutting-proxy.ts'
import { advances, expectContinuous } from './oracle.ts'
import { someOf } from './variants.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const certificates: Certificates = createCertificates()
afterAll(() => certificates.remove())

const psk = randomBytes(32)
const memoryBytes = 4 * MIB

/** What each side has. */
const securities: readonly (readonly [string, SecurityOptions, SecurityOptions])[] = [
  ['psk', { psk }, { psk }],
  [
    'tls',
    { tls: certificates.issue('source', 'DNS:source.example') },
    { tls: certificates.issue('destination', 'IP:127.0.0.1') },
  ],
]

interface Moved {
  readonly source: Report
  readonly destination: Report
}

/** Moves a guest; whole memory and the continued computation are as if it had stayed. */
async function move(
  send: Partial<SendOptions>,
  options: Partial<ReceiveOptions>,
  via: (address: string) => Promise<string> = async (address) => address,
): Promise<Moved> {
  const { identity } = parseGuest('writer,wss=1MiB,rate=5000,style=page', memoryBytes)
  const guest = await WorkloadGuest.start(identity, memoryBytes)
  cleanups.push(() => guest.stop())
  const sessions: IncomingMigration[] = []
  const receiver = await receive(
    new WorkloadHost(),
    { listen: '127.0.0.1:0', ...options },
    { began: (session) => sessions.push(session) },
  )
  cleanups.push(() => receiver.close())
  cleanups.push(() => Promise.all(sessions.map((session) => session.release())))
  await advances(guest, 50)
  const settings = { to: await via(receiver.address), stop: 'max-rounds=3', ...send }
  const source = await (await createMigration(guest, settings)).run()
  expect(source.error).toBeUndefined()
  expect(source).toMatchObject({ outcome: 'completed', memory: { equal: true } })
  const destination = await receiver.arrival()
  await expectContinuous(sessions[0]!.guest as IncomingWorkload, identity, guest.steps())
  return { source, destination }
}

const ways = [
  ['pre-copy', 1],
  ['post-copy', 1],
  ['pre-copy', 2],
  ['pre-copy', 0],
  ['hybrid,rounds=1', 1],
] as const

describe.each(securities)('with %s', (name, security, other) => {
  // What lanes do with a secret is the same wherever it comes from.
  it.each(name === 'psk' ? someOf(ways) : someOf(ways.slice(0, 2).toReversed()))(
    'a guest moves whole: %s, %i lanes',
    async (mode, lanes) => {
      const options = { security: other, lanes }
      const { source, destination } = await move({ mode, lanes, security }, options)
      expect([source.security, destination.security]).toEqual([name, name])
      expect(destination.wireBytes).toBe(source.wireBytes)
    },
  )

  it('goes on after its connections were cut', async () => {
    // The second time shows that the secrets still come from the first connection.
    const cuts = name === 'psk' ? [MIB, MIB] : [MIB]
    let proxy: CuttingProxy | undefined
    const via = (address: string): Promise<string> => {
      proxy = new CuttingProxy(address, [...cuts])
      cleanups.push(() => proxy!.close())
      return proxy.listen()
    }
    const { source } = await move(
      { mode: 'post-copy', fetch: 'push', security },
      { security: other },
      via,
    )
    expect(proxy!.cuts).toBe(cuts.length)
    expect(source.recoveries).toBeGreaterThanOrEqual(cuts.length)
  })
})

describe('authentication', () => {
  /** How often the source had waited for the destination when the second connection came. */
  async function roundTrips(own?: SecurityOptions, other?: SecurityOptions): Promise<number> {
    let proxy: CountingProxy | undefined
    const via = (address: string): Promise<string> => {
      proxy = new CountingProxy(address)
      cleanups.push(() => proxy!.close())
      return proxy.listen()
    }
    await move({ mode: 'stop-copy', lanes: 0, security: own }, { lanes: 0, security: other }, via)
    return proxy!.roundTrips
  }

  it.each<[string, number, SecurityOptions?, SecurityOptions?]>([
    ['none', 3],
    ['psk', 4, { psk }, { psk }],
    ['tls', 5, securities[1]![1], securities[1]![2]],
  ])('takes at most two round trips more', async (_name, trips, own, other) => {
    const first = await roundTrips(own, other)
    // On a busy machine an answer may come in two pieces, and counts twice.
    const fewest = first === trips ? first : Math.min(first, await roundTrips(own, other))
    expect(fewest).toBe(trips)
  })
})

it('a key works by WebSocket, too', async () => {
  const security = { psk }
  const { source } = await move({ mode: 'pre-copy', security }, { security }, async (address) => {
    return `ws://${address}`
  })
  expect(source.security).toBe('psk')
})

/**
 * Captures of agents that prove who they are: what was said is in them as if nobody had sealed it,
 * and nothing that it was sealed with.
 */
import { readFileSync } from 'node:fs'
import { KIB, MIB, toHex } from '@godwit/core'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import { SealedChannel } from '@godwit/seal'
import type { SecurityOptions } from 'godwit'
import { createMigration, randomBytes, receive } from 'godwit'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import type { Certificates } from '../end-to-end/certificates.ts'
import { createCertificates } from '../end-to-end/certificates.ts'
import { CuttingProxy } from '../end-to-end/cutting-proxy.ts'
import { freshPath } from '../end-to-end/process.ts'
import { verify } from './edit.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const certificates: Certificates = createCertificates()
afterAll(() => certificates.remove())

const psk = randomBytes(32)
const securities: readonly (readonly [string, SecurityOptions, SecurityOptions])[] = [
  ['psk', { psk }, { psk }],
  [
    'tls',
    { tls: certificates.issue('source', 'DNS:source.example') },
    { tls: certificates.issue('destination', 'IP:127.0.0.1') },
  ],
]

/** Moves a guest by way of a proxy that cuts after so many bytes, and captures it at both sides. */
async function move(
  mode: string,
  cuts: readonly number[],
  security: SecurityOptions,
  other: SecurityOptions,
): Promise<readonly string[]> {
  const { identity } = parseGuest('writer,wss=256KiB,rate=20000,style=page', MIB)
  const guest = await WorkloadGuest.start(identity, MIB)
  cleanups.push(() => guest.stop())
  const [here, there] = [freshPath('here.gwc'), freshPath('there.gwc')]
  const options = { listen: '127.0.0.1:0', security: other, capture: there }
  const receiver = await receive(new WorkloadHost(), options, {
    ended: (session) => cleanups.push(() => session.release()),
  })
  const proxy = new CuttingProxy(receiver.address, [...cuts])
  cleanups.push(() => proxy.close())
  const to = await proxy.listen()
  const how = mode === 'post-copy' ? ({ mode, fetch: 'push' } as const) : { mode }
  const settings = { to, ...how, security, capture: here, stop: 'max-rounds=2' }
  const report = await (await createMigration(guest, settings)).run()
  expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
  expect(proxy.cuts).toBe(cuts.length)
  await receiver.arrival()
  await receiver.close()
  return [here, there]
}

describe.each(securities)('what is sealed by %s', (_name, security, other) => {
  it.each([
    ['pre-copy', []],
    ['post-copy', [128 * KIB]],
  ] as const)('is captured in the clear, without a key: %s', async (mode, cuts) => {
    const secrets = vi.spyOn(SealedChannel.prototype, 'secret', 'get')
    const files = await move(mode, cuts, security, other)
    const found = secrets.mock.results.map(({ value }) => value as Uint8Array | undefined)
    const keys = [psk, ...found.filter((one) => one !== undefined)]
    expect(keys.length).toBeGreaterThan(1)
    for (const file of files) {
      const bytes = readFileSync(file)
      const { failure, end, sessions } = verify(Uint8Array.from(bytes))
      expect(failure).toBeUndefined()
      expect(end).toBe('ended')
      const ways = { source: 'completed', destination: 'completed', connections: cuts.length + 1 }
      expect(sessions).toMatchObject([ways])
      for (const key of keys) {
        expect([bytes.includes(Buffer.from(key)), bytes.includes(toHex(key))]).toEqual([
          false,
          false,
        ])
      }
    }
  })
})

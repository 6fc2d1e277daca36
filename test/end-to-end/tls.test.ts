/**
 * Certificates that are wrong in one way each, and ports that speak something else.
 */
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { GuestHost, IncomingGuest, Report } from '@godwit/core'
import { allocateRegion } from '@godwit/memory'
import { createDialler } from '@godwit/transport'
import type { SecurityOptions } from 'godwit'
import { createMigration, randomBytes, receive } from 'godwit'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import type { Issued } from './certificates.ts'
import { createCertificates } from './certificates.ts'
import { Peer, hello } from './peer.ts'
import { ShadowGuest } from './shadow.ts'

const [ours, others] = [createCertificates(), createCertificates()]
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})
afterAll(() => {
  ours.remove()
  others.remove()
})

const source = ours.issue('source', 'DNS:source.example')
const destination = ours.issue('destination', 'IP:127.0.0.1,DNS:destination.example')

const host: GuestHost = {
  async reserve({ regions }) {
    const guest: IncomingGuest = {
      regions: regions.map((shape) => allocateRegion(shape)),
      restoreState: () => {},
      run: () => {},
      discard: () => {},
    }
    return guest
  },
}

interface Listening {
  readonly address: string
  /** Sessions that began. */
  readonly began: string[]
  /** The code of the next connection that was dropped. */
  readonly dropped: () => Promise<string | undefined>
}

async function listen(security: SecurityOptions | undefined): Promise<Listening> {
  const began: string[] = []
  const codes: (string | undefined)[] = []
  let tell = (): void => {}
  const onDropped = (_remote: string, error: { code: string } | undefined): void => {
    codes.push(error?.code)
    tell()
  }
  const receiver = await receive(
    host,
    { listen: '127.0.0.1:0', lanes: 0, security, onDropped },
    { began: ({ sessionId }) => began.push(sessionId) },
  )
  cleanups.push(() => receiver.close())
  const dropped = async (): Promise<string | undefined> => {
    while (codes.length === 0) {
      await new Promise<void>((resolve) => {
        tell = resolve
      })
    }
    return codes.shift()
  }
  return { address: receiver.address, began, dropped }
}

/** Whatever comes by it, the other end hangs up. */
function gone(socket: Socket): Promise<void> {
  socket.on('error', () => {}).resume()
  return new Promise((resolve) => {
    socket.on('close', () => resolve())
  })
}

/** An attempt to move a guest, which goes on here where that fails. */
async function send(to: string, security: SecurityOptions | undefined): Promise<Report> {
  const guest = new ShadowGuest([new Uint8Array(8192).fill(1)])
  const migration = await createMigration(guest, { to, security, lanes: 0, tracker: 'scan' })
  const report = await migration.run()
  expect(guest.isPaused).toBe(report.outcome === 'completed')
  return report
}

describe('with certificates', () => {
  it('who is signed and named is let in', async () => {
    const there = await listen({ tls: { ...destination, peer: 'source.example' } })
    const report = await send(there.address, { tls: { ...source, peer: 'destination.example' } })
    expect(report).toMatchObject({ outcome: 'completed', security: 'tls' })
    expect(there.began).toHaveLength(1)
  })

  const wrong: readonly (readonly [string, Issued, Partial<Issued>, string, string])[] = [
    [
      'a destination that another authority signed',
      others.issue('destination', 'IP:127.0.0.1'),
      { ca: others.issue('any', 'DNS:any').ca },
      'AUTH_FAILED',
      'AUTH_FAILED',
    ],
    [
      'a destination of another name',
      ours.issue('elsewhere', 'IP:127.0.0.2,DNS:elsewhere.example'),
      {},
      'PEER_IDENTITY',
      'AUTH_FAILED',
    ],
    [
      'a certificate of yesterday',
      ours.issue('expired', 'IP:127.0.0.1', 0),
      {},
      'AUTH_FAILED',
      'AUTH_FAILED',
    ],
  ]
  it.each(wrong)('the source turns away from %s', async (_what, tls, more, code, there) => {
    const listening = await listen({ tls: { ...tls, ...more } })
    const report = await send(listening.address, { tls: source })
    expect(report).toMatchObject({ outcome: 'failed', error: { code } })
    expect([listening.began, await listening.dropped()]).toEqual([[], there])
  })

  it('the destination turns away a source that another authority signed', async () => {
    const there = await listen({ tls: destination })
    const stranger = { ...others.issue('stranger', 'DNS:source.example'), ca: source.ca }
    const report = await send(there.address, { tls: stranger })
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'AUTH_FAILED' } })
    expect([there.began, await there.dropped()]).toEqual([[], 'AUTH_FAILED'])
  })

  it('the destination turns away a source of another name', async () => {
    const there = await listen({ tls: { ...destination, peer: 'source.example' } })
    const report = await send(there.address, { tls: ours.issue('other', 'DNS:other.example') })
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'AUTH_FAILED' } })
    expect([there.began, await there.dropped()]).toEqual([[], 'PEER_IDENTITY'])
  })

  it('nobody comes without a certificate, nor by TLS 1.2', async () => {
    const there = await listen({ tls: destination })
    const [address, port] = there.address.split(':') as [string, string]
    for (const options of [{}, { cert: source.cert, key: source.key, maxVersion: 'TLSv1.2' }]) {
      const socket = connectTls({
        ...(options as object),
        host: address,
        port: Number(port),
        ca: String(source.ca),
      })
      await gone(socket)
      expect(await there.dropped()).toBe('AUTH_FAILED')
    }
    expect(there.began).toEqual([])
  })
})

describe('a port and what comes to it', () => {
  const psk = { psk: randomBytes(32) }
  const tls = { tls: destination }
  const cases: readonly (readonly [string, SecurityOptions | undefined, object, string])[] = [
    ['plain, to TLS', tls, {}, 'AUTH_REQUIRED'],
    ['plain, to a key', psk, {}, 'AUTH_REQUIRED'],
    ['a key, to TLS', tls, { security: psk }, 'AUTH_REQUIRED'],
    ['a key, to plain', undefined, { security: psk }, 'AUTH_REQUIRED'],
    ['TLS, to plain', undefined, { security: { tls: source } }, 'AUTH_FAILED'],
    ['TLS, to a key', psk, { security: { tls: source } }, 'AUTH_FAILED'],
  ]
  it.each(cases)('do not agree on less: %s', async (_what, security, options, code) => {
    const there = await listen(security)
    const report = await send(there.address, (options as { security?: SecurityOptions }).security)
    expect(report).toMatchObject({ outcome: 'failed', error: { code } })
    expect(there.began).toEqual([])
  })

  it('drops who begins with neither', async () => {
    const there = await listen(tls)
    const socket = connect(Number(there.address.split(':')[1]), '127.0.0.1')
    socket.write('GARBAGE')
    await gone(socket)
    expect(there.began).toEqual([])
  })

  it('a later channel in the clear is refused beside TLS', async () => {
    const there = await listen(tls)
    const peer = new Peer(await createDialler(there.address).dial())
    peer.preface(randomBytes(16), { role: 2 })
    expect(await peer.refusal()).toMatch(/^AUTH_REQUIRED: /)
    peer.channel.destroy()
    const control = new Peer(await createDialler(there.address).dial())
    control.preface(randomBytes(16)).send('Hello', hello)
    expect(await control.refusal()).toMatch(/^AUTH_REQUIRED: /)
    control.channel.destroy()
  })
})

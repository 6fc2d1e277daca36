import { afterEach, describe, expect, it } from 'vitest'
import { ControlConnection } from '../../packages/cli/src/control-connection.ts'
import { freePort } from './free-port.ts'
import { closeClients, TextClient } from './memcached-client.ts'
import { endRelayed, startRelayed } from './memcached-hops.ts'
import type { GodwitProcess } from './process.ts'
import {
  endProcesses,
  freshPath,
  readReport,
  runGodwit,
  startDestination,
  startGodwit,
  statusWhen,
} from './process.ts'

afterEach(async () => {
  closeClients()
  await endProcesses()
  await endRelayed()
})

const listens = /^memcached listens on 127\.0\.0\.1:(\d+)/

async function startRelay(
  ...args: string[]
): Promise<{ process: GodwitProcess; port: number; control: string }> {
  const control = freshPath('relay.sock')
  const process = startGodwit('relay', '--listen', '127.0.0.1:0', '--control', control, ...args)
  const [, port] = await process.line(/^listening 127\.0\.0\.1:(\d+)$/)
  return { process, port: Number(port), control }
}

describe('godwit send memcached', () => {
  it('moves a service from process to process', async () => {
    const json = freshPath('memcached.json')
    const destination = startGodwit('receive', '--listen', '127.0.0.1:0')
    const [, to] = await destination.line(/^listening (.+)$/)
    const rest = ['--memory', '8MiB', '--warmup', '2s', '--json', json]
    const source = startGodwit('send', 'memcached,port=0,next=0', '--to', to!, ...rest)
    const [, port] = await source.line(listens)
    const client = new TextClient(Number(port))
    const keys = Array.from({ length: 20 }, (_, i) => `key${i}`)
    const values = keys.map((key) => `value of ${key}`)
    for (const [i, key] of keys.entries()) await client.set(key, values[i]!)
    expect(await source.ended).toMatchObject({ code: 0 })
    const report = readReport(json)
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(report).not.toHaveProperty('guestProof')
    const [, next] = await destination.line(listens)
    const after = new TextClient(Number(next))
    expect(await after.get(keys)).toEqual(values)
    expect(await after.set('more', 'x')).toBe('STORED\r\n')
  })
})

describe('godwit relay', () => {
  it.each([
    { where: 'on one machine', receives: [], asks: { next: true } },
    {
      where: 'at another address',
      receives: ['--guest', 'memcached,listen=127.0.0.2'],
      asks: { next: false },
    },
  ])('follows a guest $where, its clients with it', async ({ receives, asks }) => {
    const relay = await startRelay()
    // It comes before the service does, and waits.
    const client = new TextClient(relay.port)
    client.say('incr n 1\r\nset n 0 0 1\r\n0\r\n')
    const { address } = await startDestination(...receives)
    const json = freshPath('relayed.json')
    const port = await freePort()
    const ports = asks.next ? `port=0,next=${port}` : `port=${port}`
    const reach = asks.next ? '' : `,reach=127.0.0.2:${port}`
    const guest = `memcached,${ports},relay=${relay.control}${reach}`
    const rest = ['--memory', '8MiB', '--warmup', '10ms', '--json', json]
    const source = startGodwit('send', guest, '--to', address, ...rest)
    expect(await client.reply('STORED\r\n')).toBe('NOT_FOUND\r\nSTORED\r\n')
    let isMoving = true
    let counted = 0
    const counting = (async () => {
      while (isMoving) expect(await client.ask('incr n 1\r\n')).toBe(`${++counted}\r\n`)
    })()
    expect(await source.ended).toMatchObject({ code: 0 })
    isMoving = false
    await counting
    const report = readReport(json)
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    // What is local does not travel.
    const options = asks.next ? { port: 0, next: port } : { port }
    expect(report.guest).toEqual({ kind: 'memcached', options })
    const host = asks.next ? '127.0.0.1' : '127.0.0.2'
    const owner = `${host}:${port}`
    expect(await statusWhen(relay.control, () => true)).toMatchObject({ owner, clients: 1 })
    expect(await new TextClient(port, host).get(['n'])).toEqual([String(counted)])
  })

  it('goes to who has the service when the agent dies that held it', async () => {
    const relay = await startRelay()
    const { guest } = await startRelayed(8 * 2 ** 20)
    const gone = await startRelayed(8 * 2 ** 20)
    const [owner, next] = [gone.guest, guest].map(({ place }) => `${place.host}:${place.port}`)
    const agent = await ControlConnection.open(relay.control)
    await agent.ask('follow', { owner: owner!, next: next! })
    const client = new TextClient(relay.port)
    await client.set('a', 'x')
    await agent.ask('hold')
    client.say('get a\r\n')
    await gone.guest.stop()
    agent.close()
    expect(await client.reply('END\r\n')).toBe('END\r\n')
    await relay.process.line(/has it: forwarding there/)
    expect(await statusWhen(relay.control, () => true)).toMatchObject({ owner: next })
  })

  it('is gone on without when it dies itself', async () => {
    const relay = await startRelay()
    const { address } = await startDestination()
    const guest = `memcached,port=0,next=${await freePort()},relay=${relay.control}`
    const rest = ['--memory', '8MiB', '--warmup', '500ms']
    const source = startGodwit('send', guest, '--to', address, ...rest)
    await source.line(listens)
    await statusWhen(relay.control, (status) => status['state'] === 'forwarding')
    relay.process.signal('SIGKILL')
    const { code, stderr } = await source.ended
    expect(stderr).toContain('is gone: the guest goes on without it')
    expect(code).toBe(0)
  })

  it('says what it lacks', async () => {
    const there = freshPath('none.sock')
    const refused = await Promise.all([
      runGodwit('relay', '--listen', '127.0.0.1:0'),
      runGodwit('relay', '--listen', '0.0.0.0:0', '--to', '127.0.0.1:1'),
      runGodwit('send', `memcached,port=0,relay=${there}`, '--to', '127.0.0.1:1'),
      runGodwit('send', `memcached,port=0,next=1,relay=${there}`, '--to', '127.0.0.1:1'),
    ])
    const codes = ['USAGE', 'INSECURE_ADDRESS', 'GUEST_OPTION', 'CONNECTION_REFUSED']
    expect(refused.map(({ stderr }) => /godwit: ([A-Z_]+):/.exec(stderr)?.[1])).toEqual(codes)
  })
})

import { afterEach, describe, expect, it } from 'vitest'
import { closeClients, TextClient } from './memcached-client.ts'
import { endProcesses, freshPath, readReport, startGodwit } from './process.ts'

afterEach(async () => {
  closeClients()
  await endProcesses()
})

const listens = /^memcached listens on 127\.0\.0\.1:(\d+)/

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

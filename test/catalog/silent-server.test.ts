/**
 * A server that accepts connections, and then says nothing: how often it is asked, and that nobody
 * waits for it at the end.
 */
import type { AddressInfo, Socket } from 'node:net'
import { createServer } from 'node:net'
import { Catalog } from '@godwit/catalog'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { beginRegistration } from '../../packages/cli/src/agent-registration.ts'
import { findersOf } from '../../packages/cli/src/siblings.ts'
import { failure, until } from './fixtures.ts'
import { runHere } from './run-here.ts'

const open = new Set<Socket>()
let dialled = 0
const server = createServer((socket) => {
  dialled++
  open.add(socket)
  socket.on('error', () => {}).on('close', () => open.delete(socket))
  socket.resume()
})
let url = ''

beforeEach(async () => {
  dialled = 0
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `postgres://u@127.0.0.1:${(server.address() as AddressInfo).port}/x`
})
afterEach(async () => {
  vi.restoreAllMocks()
  for (const socket of open) socket.destroy()
  await new Promise((resolve) => server.close(resolve))
})

/** What is written to stderr from here on. */
function listen(): { text: string } {
  const heard = { text: '' }
  vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    heard.text += String(chunk)
    return true
  })
  return heard
}

const isDialled = async (): Promise<boolean> => dialled > 0
const isLeft = async (): Promise<boolean> => open.size === 0

describe('a PostgreSQL that is silent', () => {
  it('is dialled once by a command', async () => {
    const { code, stderr } = await runHere('catalog', 'ls', '--catalog', url)
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^godwit: CATALOG_UNAVAILABLE: /)])
    expect(dialled).toBe(1)
  })

  it('is left at once when it is given up', async () => {
    const giving = new AbortController()
    const opening = Catalog.open(url, { signal: giving.signal })
    await until(isDialled)
    giving.abort()
    const { message } = await failure('CATALOG_UNAVAILABLE', opening)
    expect(message).toMatch(/given up/)
    await until(isLeft)
    await failure('CATALOG_UNAVAILABLE', Catalog.open(url, { signal: giving.signal }))
    expect(dialled).toBe(1)
  })

  it('does not hold an agent that ends, and is not asked again', async () => {
    const heard = listen()
    const registration = beginRegistration({ catalog: url, machine: 'a' })!
    await until(isDialled)
    // There is more to tell it.
    registration.guest({ kind: 'idle', memoryBytes: 4096, pageBytes: 4096 })
    await registration.end()
    await until(isLeft)
    expect(dialled).toBe(1)
    expect(heard.text).toMatch(/^godwit: CATALOG_UNAVAILABLE: .* within 2\.00 s .*\n$/)
  })

  it('does not hold a destination that ends', async () => {
    listen()
    const finders = await findersOf({ catalog: url, static: 'auto' }, () => [])
    const prepared = finders.prepare()
    await until(isDialled)
    await finders.close()
    await prepared
    await until(isLeft)
    expect(dialled).toBe(1)
  })
})

import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { HostileLoad } from './hostile-load.ts'

const cleanups: (() => unknown)[] = []

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

it('holds what it holds, drops as many as it is to, and says how many', async () => {
  const idle = 20
  const drops = 50
  const allDropped = Promise.withResolvers<void>()
  let left = drops
  const server = createServer((socket) => {
    socket.resume()
    socket.on('close', () => {
      if (--left === 0) allDropped.resolve()
    })
  })
  cleanups.push(() => server.close())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const load = await HostileLoad.start(address, { idle, drops, dropsMs: 100 })
  cleanups.push(() => load.kill())
  expect(left).toBe(drops)
  load.begin()
  await allDropped.promise
  expect(await load.end()).toEqual({ dropped: drops, refused: 0, idle, redialled: 0 })
})

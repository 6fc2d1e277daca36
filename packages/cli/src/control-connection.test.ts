import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ControlConnection, callControl } from './control-connection.ts'

describe('a connection to an agent that dies', () => {
  let directory: string
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'godwit-control-'))
  })
  afterAll(() => {
    rmSync(directory, { recursive: true })
  })

  async function listen(
    name: string,
    onSocket: (socket: Socket) => void,
  ): Promise<[Server, string]> {
    const file = join(directory, name)
    const server = createServer({ pauseOnConnect: true }, onSocket)
    await new Promise<void>((resolve) => {
      server.listen(file, resolve)
    })
    return [server, file]
  }

  // Closed with a command unread, the kernel resets a connection.
  it('with its command unread: its answer is an error, and nothing else happens', async () => {
    const accepted = Promise.withResolvers<Socket>()
    const [server, file] = await listen('unread', accepted.resolve)
    const connection = await ControlConnection.open(file)
    const answer = connection.ask('status')
    ;(await accepted.promise).destroy()
    await expect(answer).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    await connection.ended
    await expect(connection.ask('status')).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    server.close()
  })

  it('before it answers to one that asks once', async () => {
    const [server, file] = await listen('once', (socket) => socket.destroy())
    await expect(callControl(file, 'status')).rejects.toMatchObject({
      code: expect.stringMatching(/^CONNECTION_/) as string,
    })
    server.close()
  })
})

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { QmpClient } from './qmp.ts'
import { QmpRefusal } from './qmp-line.ts'

const greeting = '{"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}}}}\n'

/** What a scripted QEMU says to a command; undefined: nothing. */
type Script = (command: string, id: number, socket: Socket) => string | undefined

let folder: string
let path: string
const servers: Server[] = []
const sockets: Socket[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'godwit-qmp-'))
  path = join(folder, 'qmp')
})
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) server.close()
  rmSync(folder, { recursive: true })
})

function serve(script: Script, hello = greeting): Promise<void> {
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.write(hello)
    let begun = ''
    socket.on('data', (bytes) => {
      const lines = (begun + String(bytes)).split('\n')
      begun = lines.pop()!
      for (const line of lines) {
        const { execute, id } = JSON.parse(line) as { execute: string; id: number }
        const said = script(execute, id, socket)
        if (said !== undefined) socket.write(said)
      }
    })
  })
  servers.push(server)
  return new Promise((resolve) => server.listen(path, resolve))
}

const done = (id: number, value: unknown = {}): string =>
  `${JSON.stringify({ return: value, id })}\n`

describe('QmpClient', () => {
  it('greets, and gives commands their answers in whatever order they come', async () => {
    const asked: string[] = []
    await serve((command, id) => {
      asked.push(command)
      if (command === 'first') return undefined
      return command === 'second' ? done(id, 2) + done(id - 1, 1) : done(id)
    })
    const qmp = await QmpClient.connect(path)
    expect(qmp.version).toBe('7.2.0')
    expect(asked).toEqual(['qmp_capabilities'])
    expect(await Promise.all([qmp.execute('first'), qmp.execute('second')])).toEqual([1, 2])
    qmp.close()
    await expect(qmp.execute('third')).rejects.toThrow(/was closed/)
  })

  it('a refusal has the command, and the reason', async () => {
    await serve((command, id) => {
      if (command === 'qmp_capabilities') return done(id)
      return `{"error": {"class": "CommandNotFound", "desc": "no such thing"}, "id": ${id}}\n`
    })
    const qmp = await QmpClient.connect(path)
    const refusal = await qmp.execute('fly').catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(QmpRefusal)
    expect(refusal).toMatchObject({ code: 'GUEST_FAILED', kind: 'CommandNotFound', command: 'fly' })
    expect(String(refusal)).toContain('QEMU refuses fly: no such thing')
    qmp.close()
  })

  it('an answer that is too late is dropped, and the next command has its own', async () => {
    let late = 0
    await serve((command, id) => {
      if (command === 'slow') late = id
      return command === 'slow'
        ? undefined
        : `${late > 0 ? done(late, 'late') : ''}${done(id, 'x')}`
    })
    const qmp = await QmpClient.connect(path)
    await expect(qmp.execute('slow', {}, 1)).rejects.toThrow(/does not answer slow/)
    expect(await qmp.execute('quick')).toBe('x')
    qmp.close()
  })

  it('events are there for who waits, and for who asks later', async () => {
    const event = '{"event": "STOP", "timestamp": {"seconds": 1, "microseconds": 0}}\n'
    await serve((_, id) => event + done(id))
    const qmp = await QmpClient.connect(path)
    expect(await qmp.event(({ name }) => name === 'STOP')).toMatchObject({ atMs: 1000 })
    const later = qmp.event(({ name }) => name === 'RESUME')
    sockets[0]!.write('{"event": "RESUME", "timestamp": {"seconds": 2, "microseconds": 0}}\n')
    expect(await later).toMatchObject({ name: 'RESUME', atMs: 2000 })
    await expect(qmp.event(() => false, 1)).rejects.toThrow(/does not say/)
    qmp.close()
  })

  it('waits for a socket that is not there yet', async () => {
    const connecting = QmpClient.connect(path, { waits: true })
    await serve((_, id) => done(id))
    const qmp = await connecting
    expect(qmp.isClosed).toBe(false)
    qmp.close()
  })

  it('nobody there is told, with what makes the socket', async () => {
    const reason = await QmpClient.connect(path).catch((error: unknown) => error)
    expect(reason).toMatchObject({ code: 'GUEST_OPTION' })
    expect(String(reason)).toMatch(/ENOENT.*server=on,wait=off/)
  })

  it('one that serves another client already is told', async () => {
    await serve(() => undefined, '')
    const reason = QmpClient.connect(path, { limitMs: 50 })
    await expect(reason).rejects.toThrow(/one client at a time/)
  })

  it.each([
    ['another protocol', '220 mail.example ESMTP\n', /not a QMP socket/],
    ['a line without an end', 'x'.repeat(17 * 2 ** 20), /longer than 16 MiB/],
  ])('%s is a typed error', async (_, hello, text) => {
    await serve(() => undefined, hello)
    const reason = await QmpClient.connect(path).catch((error: unknown) => error)
    expect(reason).toMatchObject({ code: 'GUEST_FAILED' })
    expect(String(reason)).toMatch(text)
  })

  it('when QEMU ends, commands, waits and `closed` say so', async () => {
    await serve((command, id, socket) => {
      if (command === 'qmp_capabilities') return done(id)
      socket.destroy()
      return undefined
    })
    const qmp = await QmpClient.connect(path)
    const ends = await Promise.allSettled([
      qmp.execute('quit'),
      qmp.execute('cont'),
      qmp.event(() => false),
    ])
    for (const end of ends) {
      expect(String((end as PromiseRejectedResult).reason)).toMatch(/has closed its QMP socket/)
    }
    expect((await qmp.closed).code).toBe('GUEST_FAILED')
    expect(qmp.isClosed).toBe(true)
  })

  it('connecting can be given up', async () => {
    const abort = new AbortController()
    const connecting = QmpClient.connect(path, { waits: true, signal: abort.signal })
    abort.abort(new Error('no more'))
    await expect(connecting).rejects.toThrow('no more')
  })
})

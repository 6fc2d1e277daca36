/**
 * `--capture` of both agents, `godwit verify` and `godwit explain`, as commands.
 */
import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import type { Verification } from '@godwit/capture'
import { KIB, MIB } from '@godwit/core'
import { randomBytes } from '@godwit/testkit'
import { CaptureFile, receive, send } from 'godwit'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import {
  askControl,
  endProcesses,
  freshPath,
  runGodwit,
  startDestination,
  startGodwit,
  statusWhen,
} from './process.ts'

afterEach(endProcesses)
afterAll(endCommandLines)

async function verify(file: string, ...more: string[]): Promise<Verification> {
  const { stdout } = await runCommandLine('verify', file, '--json', ...more)
  return JSON.parse(stdout) as Verification
}

describe('a migration between two processes', () => {
  it('is captured by both, verified and explained', async () => {
    const [here, there] = [freshPath('source.gwc'), freshPath('destination.gwc')]
    const { process: receiver, address } = await startDestination('--once', '--capture', there)
    const guest = ['send', 'writer,wss=512KiB,rate=2000', '--memory', '2MiB', '--to', address]
    const how = ['--capture', here, '--lanes', '2', '--warmup', '100ms', '--quiet']
    const sent = await runGodwit(...guest, ...how)
    expect([sent.code, sent.stderr]).toEqual([0, ''])
    expect((await receiver.ended).code).toBe(0)
    const [one, other] = [await verify(here), await verify(there)]
    for (const { ok, end, sessions } of [one, other]) {
      expect({ ok, end, sessions: sessions.length }).toEqual({
        ok: true,
        end: 'ended',
        sessions: 1,
      })
    }
    expect([one.side, other.side]).toEqual(['source', 'destination'])
    expect(one.counts).toMatchObject({ channels: 3, digests: 1, pages: other.counts.pages })
    expect(one.sessions[0]).toMatchObject({ source: 'completed', destination: 'completed' })
    for (const file of [here, there]) expect(statSync(file).mode & 0o777).toBe(0o600)
    const { stdout, code } = await runCommandLine('explain', here)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^captured at the source/)
    expect(stdout).toMatch(/ control +S +0 +\d+ {2}Hello \{versionMin: 1/)
    expect(stdout).toMatch(/ data 1 +S +\d+ +\d+ {2}Barrier \{round: 1, /)
    expect(stdout).toMatch(/\nfaults: 0\n$/)
  })

  it('leaves what was captured when an agent is killed', async () => {
    const [file, control] = [freshPath('capture.gwc'), freshPath('socket')]
    const capture = ['--capture', file, '--control', control]
    const { process: receiver, address } = await startDestination(...capture)
    const guest = ['send', 'writer,wss=8MiB,rate=100000', '--memory', '16MiB', '--to', address]
    const slow = ['--max-bandwidth', '40Mbit', '--warmup', '100ms', '--quiet']
    const sender = startGodwit(...guest, ...slow)
    await statusWhen(control, ({ sessions }) => {
      const [session] = sessions as { pagesDone: number }[]
      return (session?.pagesDone ?? 0) > 100
    })
    receiver.signal('SIGKILL')
    await Promise.all([receiver.ended, sender.ended])
    expect(await verify(file)).toMatchObject({ ok: true, counts: { rounds: 0 } })
    // Within a chunk, as a machine that loses power may leave it.
    truncateSync(file, statSync(file).size - 5)
    const { code, stdout } = await runCommandLine('verify', file)
    expect(code).toBe(0)
    expect(stdout).toMatch(/the capture has no end: whoever wrote it died, or goes on/)
    expect((await runCommandLine('explain', file)).stdout).toMatch(
      /read up to a chunk that is not whole/,
    )
    expect(await askControl(control, 'status').catch(() => 'gone')).toBe('gone')
  })
})

describe('the commands', () => {
  const recorded = new URL('../streams/0.1.0/post-copy.gwc', import.meta.url)

  it('say where a capture is damaged, and what is wrong', async () => {
    const file = freshPath('damaged.gwc')
    const bytes = readFileSync(recorded)
    bytes[600]! ^= 1
    writeFileSync(file, bytes)
    const verified = await runCommandLine('verify', file)
    expect(verified.code).toBe(1)
    expect(verified.stderr).toMatch(/^godwit: FILE_UNREADABLE: The chunk at offset \d+ .*CAPTURE/)
    const explained = await runCommandLine('explain', file)
    expect(explained.code).toBe(1)
    expect(explained.stdout).toMatch(/Welcome \{.*\nDAMAGED at offset \d+: FILE_UNREADABLE: /)
    const none = await runCommandLine('explain', process.execPath)
    expect([none.code, none.stdout]).toEqual([2, ''])
    expect(none.stderr).toMatch(/^godwit: FILE_UNREADABLE: This is no capture of Godwit\n$/)
    expect((await runCommandLine('verify', freshPath('nothing'))).code).toBe(2)
  })

  it('print facts as JSON, and what belongs to the guest only where it is asked for', async () => {
    const file = recorded.pathname
    const plain = await runCommandLine('explain', '--json', file)
    const facts = plain.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object)
    expect(facts[0]).toMatchObject({ type: 'capture', side: 'source' })
    expect(facts.at(-1)).toMatchObject({ type: 'end', end: 'ended', faults: 0 })
    expect(facts).toContainEqual(
      expect.objectContaining({ frame: 'State', body: { package: '80 bytes' } }),
    )
    expect(plain.stdout).not.toMatch(/payload":|[0-9a-f]{80}/)
    const { stdout } = await runCommandLine('explain', '--pages', '--json', file)
    expect(stdout).toMatch(/"payload":"[0-9a-f]{8192}/)
  })

  it('write the memory that was sent', async () => {
    const [file, image] = [freshPath('capture.gwc'), freshPath('memory.bin')]
    const memory = randomBytes(300 * KIB, 5)
    const receiver = await receive({ memory: new Uint8Array(300 * KIB) }, { listen: '127.0.0.1:0' })
    const guest = { memory, pause: () => {}, resume: () => {} }
    const report = await send(guest, { to: receiver.address, capture: file })
    await receiver.close()
    expect(report.outcome).toBe('completed')
    const verified = await runCommandLine(
      'verify',
      file,
      '--image',
      image,
      '--memory-limit',
      '1MiB',
    )
    expect([verified.code, verified.stderr]).toEqual([0, ''])
    expect(Buffer.compare(readFileSync(image), memory)).toBe(0)
    expect(statSync(image).mode & 0o777).toBe(0o600)
    const small = await runCommandLine('verify', file, '--memory-limit', '100KiB')
    expect([small.code, small.stderr]).toEqual([1, expect.stringMatching(/^godwit: NO_ROOM: /)])
  })
})

describe('a capture', () => {
  const memory = (): Uint8Array => randomBytes(MIB, 1)

  it("may be of several attempts, and is its owner's to close", async () => {
    const path = freshPath('several.gwc')
    const file = new CaptureFile(path, 'source')
    const receiver = await receive({ memory: new Uint8Array(MIB) }, { listen: '127.0.0.1:0' })
    const guest = { memory: memory(), pause: () => {}, resume: () => {} }
    const refused = await send(guest, {
      to: receiver.address,
      pageBytes: 65536,
      capture: file,
      mode: 'post-copy',
    })
    expect(refused.outcome).toBe('failed')
    const moved = await send(guest, { to: receiver.address, capture: file })
    expect(moved.outcome).toBe('completed')
    file.close()
    file.close()
    await receiver.close()
    expect(await verify(path)).toMatchObject({ ok: true, sessions: [{}, {}], end: 'ended' })
  })

  it('that cannot be written is refused before anything is begun', async () => {
    const guest = { memory: memory(), pause: () => {}, resume: () => {} }
    const capture = '/proc/nowhere/capture.gwc'
    const refusal = expect.objectContaining({ code: 'FILE_UNWRITABLE' })
    await expect(send(guest, { to: '127.0.0.1:9', capture })).rejects.toEqual(refusal)
    await expect(receive({}, { listen: '127.0.0.1:0', capture })).rejects.toEqual(refusal)
    const ended = await runGodwit('send', 'idle', '--to', '127.0.0.1:9', '--capture', capture)
    expect([ended.code, ended.stderr]).toEqual([
      2,
      expect.stringMatching(/^godwit: FILE_UNWRITABLE/),
    ])
  })

  it('is not to be had beside the uffd pager', async () => {
    const listen = '127.0.0.1:0'
    const capture = freshPath('capture.gwc')
    await expect(receive({}, { listen, capture, pager: 'uffd' })).rejects.toEqual(
      expect.objectContaining({ code: 'USAGE', message: expect.stringMatching(/at the source/) }),
    )
  })
})

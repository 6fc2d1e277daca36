import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { createCertificates } from './certificates.ts'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import {
  endProcesses,
  freshPath,
  readReport,
  startDestination,
  startGodwit,
  runGodwit,
} from './process.ts'

afterAll(endCommandLines)
afterEach(endProcesses)
const certificates = createCertificates()
afterAll(() => certificates.remove())

const guest = ['writer,wss=1MiB,rate=1000', '--memory', '2MiB', '--warmup', '20ms']

/** A key file that only its owner reads. */
function keyFile(key: string, mode = 0o600): string {
  const file = freshPath('key')
  writeFileSync(file, key, { mode })
  return file
}

describe('a key by --psk-file', () => {
  it('moves a guest, and is nowhere to be seen', async () => {
    const key = randomBytes(32).toString('hex')
    const [sourceFile, destinationFile] = [freshPath('source.json'), freshPath('there.json')]
    // One of the two was written by an editor.
    const [ours, theirs] = [keyFile(key), keyFile(`${key}\n`)]
    const brief = ['--once', '--run-for', '60ms', '--json', destinationFile]
    const there = await startDestination('--psk-file', theirs, ...brief)
    const options = ['--to', there.address, '--psk-file', ours, '--json', sourceFile]
    const sent = startGodwit('send', ...guest, ...options)
    await sent.line(/starting/)
    const seen = [there.process.pid, sent.pid].map((pid) => {
      return (
        readFileSync(`/proc/${pid}/cmdline`, 'utf8') + readFileSync(`/proc/${pid}/environ`, 'utf8')
      )
    })
    const ended = [await sent.ended, await there.process.ended]
    expect(ended.map(({ code }) => code)).toEqual([0, 0])
    const reports = [sourceFile, destinationFile].map((file) => readFileSync(file, 'utf8'))
    const said = [...seen, ...reports, ...ended.flatMap(({ stdout, stderr }) => [stdout, stderr])]
    expect(said.filter((text) => text.includes(key.slice(0, 16)))).toEqual([])
    expect(readReport(sourceFile)).toMatchObject({ security: 'psk', outcome: 'completed' })
  })

  it('must be the same on both sides', async () => {
    const there = await startDestination('--psk-file', keyFile(randomBytes(32).toString('hex')))
    const ours = keyFile(randomBytes(32).toString('hex'))
    const options = ['--to', there.address, '--psk-file', ours, '--quiet']
    const { code, stderr } = await runCommandLine('send', ...guest, ...options)
    expect(code).toBe(1)
    expect(stderr).toMatch(/^godwit: AUTH_FAILED: .*does not prove that it has the key/)
    await there.process.line(/AUTH_FAILED: .*went away before it had proved/)
  })

  it('lets a destination listen off loopback', async () => {
    const key = keyFile(randomBytes(32).toString('hex'))
    const there = await startDestination('--listen', '0.0.0.0:0', '--psk-file', key)
    expect(there.address).toMatch(/^0\.0\.0\.0:\d+$/)
  })

  it('works in the demo', async () => {
    const file = freshPath('demo.json')
    const key = keyFile(randomBytes(32).toString('hex'))
    const options = ['--run-for', '50ms', '--psk-file', key, '--json', file, '--quiet']
    const { code } = await runGodwit('demo', ...guest, ...options)
    expect([code, readReport(file).security]).toEqual([0, 'psk'])
  })
})

describe('what is not usable', () => {
  const good = randomBytes(16).toString('hex')
  const { certFile, keyFile: tlsKey, caFile } = certificates.issue('one', 'IP:127.0.0.1')
  const cases: readonly (readonly [string, () => string[], RegExp])[] = [
    ['a short key', () => ['--psk-file', keyFile('0123456789')], /USAGE: .*16 to 1024 bytes/],
    ['no random key', () => ['--psk-file', keyFile('aaaaaaaaaaaaaaaaaaaa')], /USAGE: .*not random/],
    ["everybody's key", () => ['--psk-file', keyFile(good, 0o644)], /USAGE: .*chmod 600/],
    ['no file', () => ['--psk-file', '/nowhere/key'], /FILE_UNREADABLE: /],
    ['half of TLS', () => ['--tls-cert', certFile], /USAGE: .*all of --tls-cert/],
    ['both', () => ['--psk-file', keyFile(good), '--tls-cert', certFile], /USAGE: .*not both/],
    [
      'another file than a certificate',
      () => ['--tls-cert', keyFile(good), '--tls-key', tlsKey, '--tls-ca', caFile],
      /USAGE: Certificate, key and authority are not usable/,
    ],
  ]
  it.each(cases)('is told before anything begins: %s', async (_what, options, text) => {
    const { code, stderr } = await runCommandLine('receive', '--listen', '0.0.0.0:0', ...options())
    expect([code, stderr]).toEqual([2, expect.stringMatching(text)])
    expect(stderr).not.toContain(good)
  })

  it('TLS by WebSocket', async () => {
    const tls = ['--tls-cert', certFile, '--tls-key', tlsKey, '--tls-ca', caFile]
    const { code, stderr } = await runCommandLine(
      'send',
      ...guest,
      '--to',
      'ws://127.0.0.1:1',
      ...tls,
    )
    expect([code, stderr]).toEqual([2, expect.stringMatching(/USAGE: There is no TLS for ws:/)])
  })
})

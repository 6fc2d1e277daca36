import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'
import { endCommandLines, runCommandLine } from '../end-to-end/command-lines.ts'
import { endProcesses, freshPath, startDestination } from '../end-to-end/process.ts'

afterAll(endProcesses)
afterAll(endCommandLines)

const fixture = (name: string): string =>
  fileURLToPath(new URL(`fixtures/${name}`, import.meta.url))

it('writes a page of real reports, and says so', async () => {
  const output = freshPath('report.html')
  const files = ['delta.json', 'post-copy.json'].map(fixture)
  const ended = await runCommandLine('report', ...files, '-o', output)
  const page = readFileSync(output, 'utf8')
  expect(ended).toEqual({
    code: 0,
    stdout: '',
    stderr: `wrote ${output}, ${(Buffer.byteLength(page) / 1024).toFixed(1)} KiB\n`,
  })
  expect(page).toMatch(/^<!doctype html>/)
  expect(page).toContain('<title>2 migrations</title>')
})

it('writes it to stdout', async () => {
  const ended = await runCommandLine('report', fixture('delta.json'), '-o', '-')
  expect(ended).toMatchObject({ code: 0, stderr: '' })
  expect(ended.stdout).toMatch(/^<!doctype html>[^]*<\/html>\n$/)
})

it('takes what both sides write, and shows it as one run', async () => {
  const [there, here, output] = ['b.json', 'a.json', 'report.html'].map(freshPath)
  const destination = await startDestination('--once', '--run-for', '200ms', '--json', there!)
  const to = ['--to', destination.address, '--memory', '4MiB', '--warmup', '20ms']
  const sent = await runCommandLine('send', 'idle', ...to, '--quiet', '--json', here!)
  expect(sent).toMatchObject({ code: 0 })
  expect(await destination.process.ended).toMatchObject({ code: 0 })
  expect(await runCommandLine('report', there!, here!, '-o', output!)).toMatchObject({ code: 0 })
  const page = readFileSync(output!, 'utf8')
  expect(page).toContain('An idle guest of 4\u00a0MiB moved by pre-copy')
  expect(page).toContain('As the destination tells it')
  expect(page).toContain('as the source counted')
})

it.each([
  [['missing.json', '-o', 'out.html'], /missing\.json cannot be read: ENOENT/],
  [[fixture('.'), '-o', 'out.html'], /cannot be read: it is no file/],
  [[fixture('delta.json'), '-o', fixture('delta.json')], /is a report itself/],
  [[fixture('delta.json')], /required option '-o, --output <FILE\.html>' not specified/],
  [['-o', 'out.html'], /missing required argument 'run\.json'/],
  [Array.from({ length: 33 }, () => 'a').concat('-o', 'out.html'), /at most 32 reports/],
])('refuses in one line: %#', async (args, reason) => {
  const { code, stdout, stderr } = await runCommandLine('report', ...args)
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr).toMatch(reason)
  expect(stderr).toMatch(/^godwit: \w+: .*\n$/)
})

it('names the file that is none', async () => {
  const [file, output] = [freshPath('other.json'), freshPath('report.html')]
  writeFileSync(file, '{"schema":"godwit.report/2"}')
  const { code, stderr } = await runCommandLine('report', fixture('delta.json'), file, '-o', output)
  expect(code).toBe(2)
  expect(stderr).toBe(
    `godwit: FILE_UNREADABLE: ${file} is godwit.report/2; this release reads godwit.report/1: ` +
      'take the one that wrote it\n',
  )
  expect(() => readFileSync(output)).toThrow(/ENOENT/)
})

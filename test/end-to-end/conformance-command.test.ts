/**
 * `godwit conformance` against agents that are processes of their own.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Conformance } from '@godwit/conformance'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import { endProcesses, freshPath, startDestination } from './process.ts'

afterEach(endProcesses)
afterAll(endCommandLines)

const main = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))

function readResult(file: string): Conformance {
  return JSON.parse(readFileSync(file, 'utf8')) as Conformance
}

describe('godwit conformance', { timeout: 60_000 }, () => {
  it('tells clause by clause what a destination keeps', async () => {
    const { address } = await startDestination('--run-for', '10ms', '--lanes', '0')
    const file = freshPath('conformance.json')
    const only = ['--only', 'C4.16,rounds/minimal', '--json', file]
    const run = await runCommandLine('conformance', '--target', address, ...only)
    expect(run.code).toBe(0)
    expect(run.stdout).toMatch(/^C4\.16 +pass +a page size that was not offered/m)
    expect(run.stdout).toMatch(/^C10\.1 +pass /m)
    expect(run.stdout).toMatch(/^C3\.8 +skipped .* \(not played\)$/m)
    expect(run.stdout).toMatch(/^C6\.12 +skipped .* \(seen at a source only\)$/m)
    expect(run.stdout).toMatch(/^C7\.13 +skipped .* \(not seen from the network; .*failure/m)
    expect(run.stdout).toMatch(/\n\d+ clauses passed, 0 failed, \d+ were skipped; 3 cases, /)
    const result = readResult(file)
    expect(result).toMatchObject({ schema: 'godwit.conformance/1', role: 'destination' })
    expect(result.cases.map(({ name }) => name)).toEqual([
      'terms/page-size',
      'terms/page-sizes',
      'rounds/minimal',
    ])
  })

  it('fails where a clause is broken, and says how', async () => {
    const { address } = await startDestination('--run-for', '10ms', '--lanes', '0')
    const only = ['--only', 'rounds/minimal', '--guest', 'none']
    const run = await runCommandLine('conformance', '--target', address, ...only)
    expect(run.code).toBe(1)
    expect(run.stdout).toMatch(/^C4\.24 +FAIL /m)
    expect(run.stdout).toMatch(/^FAIL rounds\/minimal \(C4\.24\)\n {2}expected: Reserved\n/m)
    expect(run.stdout).toMatch(/came: +ERROR GUEST_UNKNOWN: /)
    expect(run.stdout).toMatch(/suite +\[control\] Reserve /)
  })

  it('starts a source for every case that takes one', async () => {
    const send = 'send idle --memory 64KiB --warmup 1ms --lanes 0 --quiet'
    const command = `"${process.execPath}" "${main}" ${send} --to {address} --mode {mode}`
    const file = freshPath('conformance.json')
    const target = ['--role', 'source', '--target', '127.0.0.1:0', '--run', command]
    const only = ['--only', 'whole/patient,whole/bad-request', '--json', file, '--timeout', '20s']
    const run = await runCommandLine('conformance', ...target, ...only)
    expect(run.stdout).toMatch(/^listening 127\.0\.0\.1:\d+\n/)
    expect(readResult(file).cases.map(({ name, outcome }) => [name, outcome])).toEqual([
      ['whole/patient', 'pass'],
      ['whole/bad-request', 'pass'],
    ])
    expect(run.code).toBe(0)
  })

  it('lists its cases, and refuses what it does not know', async () => {
    const states = await runCommandLine('conformance', '--list', '--only', 'states/')
    expect(states.stdout).toMatch(/^(states\/\S+ +C\S+( C\S+)*\n){20,}$/)
    const list = await runCommandLine('conformance', '--list')
    expect(list.stdout).toMatch(/^states\/filling +C3\.14\n/m)
    expect(list.stdout).toMatch(/^C7\.13 +test\/end-to-end\/failure\.test\.ts: /m)
    const target = ['--target', '127.0.0.1:9']
    for (const [args, line] of [
      [[], /^godwit: USAGE: .*--target/],
      [[...target, '--only', 'C99.1'], /^godwit: USAGE: .*--list/],
      [['--target', 'ws://127.0.0.1:9'], /^godwit: USAGE: .*TCP/],
    ] as const) {
      const run = await runCommandLine('conformance', ...args)
      expect(run.code).toBe(2)
      expect(run.stderr).toMatch(line)
    }
    const nobody = await runCommandLine('conformance', ...target)
    expect(nobody.code).toBe(1)
    expect(nobody.stderr).toMatch(/^godwit: CONNECTION_REFUSED: /)
  })
})

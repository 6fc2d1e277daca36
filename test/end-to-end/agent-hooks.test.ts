/**
 * Hooks of an agent: when they run, what they are told, and what those that fail do.
 */
import { writeFileSync } from 'node:fs'
import { MIB } from '@godwit/core'
import { WorkloadGuest, parseGuest } from '@godwit/guest'
import { createMigration } from 'godwit'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { HOOK_STAGES } from '../../packages/cli/src/agent/hooks.ts'
import {
  allGone,
  guestWhen,
  logOf,
  move,
  runGuest,
  startAgent,
  statesOf,
  writeHook,
} from './agents.ts'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import { endProcesses, freshPath } from './process.ts'

afterAll(endCommandLines)
afterEach(endProcesses)

const busy = { timeout: 60_000 }

/** The same file at each of these stages. */
function hooksAt(file: string, ...stages: string[]): string[] {
  return stages.flatMap((stage) => ['--hook', `${stage}=${file}`])
}

async function until<T>(read: () => T, isWanted: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = read()
    if (isWanted(value)) return value
    await new Promise((resolve) => setTimeout(resolve, 3))
  }
}

describe('hooks', () => {
  it('run in the order of what happens, and are told what it is about', busy, async () => {
    const [out, back] = [writeHook(), writeHook()]
    const a = await startAgent(...hooksAt(out.file, ...HOOK_STAGES))
    const b = await startAgent(...hooksAt(back.file, ...HOOK_STAGES))
    await runGuest(a, 'web1')
    const { sessionId, downtimeMs } = await move(a, 'web1', b)
    const facts = `writer ${4 * MIB}`
    const way = `${facts} ${sessionId} ${b.address}`
    expect(await until(out.told, (lines) => lines.length >= 5)).toEqual([
      `started web1  ${facts}   `,
      // There is no session yet.
      `before-migrate web1 source ${facts}  ${b.address} `,
      `paused web1 source ${way} `,
      `handed-over web1 source ${way} `,
      `left web1 source ${way} `,
    ])
    const lines = await until(back.told, (told) => told.length >= 2)
    const words = lines.map((line) => line.split(' '))
    expect(words.map(([stage]) => stage)).toEqual(['arriving', 'arrived'])
    for (const [, guest, role, , , session, peer] of words) {
      expect([guest, role, session]).toEqual(['web1', 'destination', sessionId])
      expect(peer).toMatch(/^127\.0\.0\.1:\d+$/)
    }
    // Starting a process takes that long at least: it is in the pause.
    const [paused] = logOf(a).filter(({ stage, msg }) => stage === 'paused' && msg === 'hook done')
    expect(downtimeMs).toBeGreaterThanOrEqual(Number(paused!['ms']) - 1)
    await runCommandLine('stop', 'web1', '--control', b.control)
    const all = await until(back.told, (told) => told.length >= 3)
    expect(all.at(-1)).toMatch(/^ended web1 /)
  })

  it.each([['before-migrate'], ['paused']])(
    'that fail at %s keep the guest where it is',
    busy,
    async (stage) => {
      const [bad, told] = [writeHook('echo no such address >&2; exit 7'), writeHook()]
      const a = await startAgent(...hooksAt(bad.file, stage), ...hooksAt(told.file, 'failed'))
      const b = await startAgent()
      await runGuest(a, 'web1')
      const report = await move(a, 'web1', b)
      const text = `The hook for "${stage}" of guest web1 ended with exit code 7`
      expect(report).toMatchObject({ outcome: 'failed', error: { code: 'HOOK_FAILED', text } })
      const { steps } = await guestWhen(a, 'web1', ({ state }) => state === 'running')
      await guestWhen(a, 'web1', (guest) => guest.steps! > steps!)
      const [line] = await until(told.told, (lines) => lines.length > 0)
      expect(line).toMatch(/^failed web1 source .* HOOK_FAILED$/)
      expect(logOf(a).filter(({ msg }) => msg === 'hook failed')).toMatchObject([
        { level: 'warn', guest: 'web1', stage, hook: bad.file, stderr: 'no such address' },
      ])
      await allGone(b)
    },
  )

  it('that fail at arriving send the guest back; what they say stays here', busy, async () => {
    const bad = writeHook('echo secret of this machine >&2; exit 1')
    const [a, b] = [await startAgent(), await startAgent(...hooksAt(bad.file, 'arriving'))]
    await runGuest(a, 'web1')
    const report = await move(a, 'web1', b)
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'HOOK_FAILED' } })
    expect(report.error!.text).not.toMatch(/secret|hook\.sh/)
    expect(await statesOf(a)).toEqual({ web1: 'running' })
    expect(await statesOf(b)).toEqual({})
  })

  it('that fail later change nothing but the log', busy, async () => {
    const bad = writeHook('exit 1')
    const a = await startAgent(...hooksAt(bad.file, 'handed-over', 'left'))
    const b = await startAgent(...hooksAt(bad.file, 'arrived'))
    await runGuest(a, 'web1')
    expect(await move(a, 'web1', b)).toMatchObject({ outcome: 'completed' })
    await guestWhen(b, 'web1', ({ state }) => state === 'running')
    const failed = (): number => logOf(a).filter(({ msg }) => msg === 'hook failed').length
    await until(failed, (count) => count === 2)
  })

  it('that take too long are killed, with what they started', busy, async () => {
    const slow = writeHook('sleep 600 & sleep 600')
    const a = await startAgent(...hooksAt(slow.file, 'before-migrate'), '--hook-timeout', '300ms')
    const b = await startAgent()
    await runGuest(a, 'web1')
    const { error } = await move(a, 'web1', b)
    expect(error!.text).toMatch(/took longer than 300 ms and was killed/)
  })

  it('are not told more than a name by who brings a guest', busy, async () => {
    const hook = writeHook()
    const b = await startAgent(...hooksAt(hook.file, 'arriving'))
    const { identity, memoryBytes } = parseGuest('idle', MIB)
    const guest = await WorkloadGuest.start(identity, memoryBytes)
    const guestName = '$(touch x); \u001b[2J\n../../etc'
    const migration = await createMigration(guest, { to: b.address, guestName })
    expect(await migration.run()).toMatchObject({ outcome: 'completed' })
    await guest.stop()
    expect(hook.told()).toEqual([expect.stringMatching(/^arriving idle-1 destination idle /)])
    await guestWhen(b, 'idle-1', ({ state }) => state === 'running')
    expect(b.process.stderr).not.toContain('\u001b')
  })

  it('must be there, and be known stages, when the agent starts', async () => {
    const notExecutable = freshPath('hook.sh')
    writeFileSync(notExecutable, '#!/bin/sh\n', { mode: 0o600 })
    for (const [hook, code, text] of [
      ['lunch=/bin/true', 'USAGE', /stages are before-migrate, arriving, paused/],
      ['/bin/true', 'USAGE', /is not STAGE=FILE/],
      ['paused=/nowhere/at/all', 'FILE_UNREADABLE', /ENOENT/],
      [`paused=${notExecutable}`, 'FILE_UNREADABLE', /EACCES/],
    ] as const) {
      const args = ['--listen', '127.0.0.1:0', '--state-dir', freshPath('state'), '--hook', hook]
      const { code: exit, stderr } = await runCommandLine('agent', ...args)
      // Root may read what it may not execute, but may not execute it either.
      expect([exit, stderr]).toEqual([2, expect.stringMatching(text)])
      expect(stderr).toContain(`godwit: ${code}: `)
    }
  })
})

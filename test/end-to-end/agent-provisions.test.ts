/**
 * What `godwit migrate` takes along beside a guest: captures, stored images, maps, traffic.
 */
import { writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { randomBytes } from '@godwit/testkit'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { callControl } from '../../packages/cli/src/control-connection.ts'
import type { AgentProcess } from './agents.ts'
import { guestWhen, outcomeOf, runGuest, startAgent, statesOf } from './agents.ts'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import { endProcesses, freshPath, startDestination, startGodwit } from './process.ts'

afterAll(endCommandLines)
afterEach(endProcesses)

const busy = { timeout: 60_000 }
const pair = ['--os=debian/13', '--hypervisor=qemu/10']
const [sharedPages, ownPages] = [400, 100]

/** Memory of a guest: what all have, then what it alone has. */
function imageOf(seed: number): string {
  const path = freshPath(`${seed}.mem`)
  const own = randomBytes(ownPages * 4096, seed)
  writeFileSync(path, Buffer.concat([randomBytes(sharedPages * 4096, 1), own]))
  return path
}

async function runImage(agent: AgentProcess, name: string, image: string): Promise<void> {
  const at = ['--name', name, '--control', agent.control]
  expect(await runCommandLine('run', `image,file=${image}`, ...at)).toMatchObject({ code: 0 })
}

type Outcome = Awaited<ReturnType<typeof outcomeOf>>

/** Moves a guest. @param directory - of the client */
async function moveWith(
  from: AgentProcess,
  name: string,
  to: string,
  options: readonly string[],
  directory = '/',
): Promise<Outcome> {
  const line = JSON.stringify([`--to=${to}`, ...options, name])
  const asked = await callControl(from.control, 'migrate', { line, directory })
  const report = await outcomeOf(from, (asked as { migration: string }).migration)
  expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
  return report
}

describe('a migration of an agent', () => {
  it('is captured in a file of the client', busy, async () => {
    const [a, b] = [await startAgent(), await startAgent()]
    await runGuest(a, 'web1')
    const file = freshPath('capture')
    const options = [`--capture=${basename(file)}`]
    await moveWith(a, 'web1', b.address, options, dirname(file))
    const verified = await runCommandLine('verify', file)
    expect([verified.code, verified.stderr]).toEqual([0, ''])
  })

  it('has traffic beside it, and tells what that came to', busy, async () => {
    const sink = startGodwit('traffic', '--listen', '127.0.0.1:0')
    const [, address] = await sink.line(/^listening (.+)$/)
    const [a, b] = [await startAgent(), await startAgent()]
    await runGuest(a, 'web1')
    const slow = ['--max-bandwidth=80Mbit', `--competing=16Mbit,to=${address}`]
    const { competing, totalMs } = await moveWith(a, 'web1', b.address, slow)
    expect(competing).toMatchObject({ askedBytesPerSecond: 2e6 })
    expect(competing!.bytesPerSecond).toBeGreaterThan(0)
    expect(Math.abs(competing!.ms - totalMs!)).toBeLessThan(50)
  })

  it('sends little of a guest whose image is kept there', busy, async () => {
    const [image, folder, keys] = [imageOf(31), freshPath('images'), freshPath('keys')]
    const a = await startAgent()
    const away = await startDestination('--images-out', keys)
    await runImage(a, 'first', image)
    const keep = [`--keep-image=${basename(folder)},max=8MiB`]
    const first = await moveWith(a, 'first', away.address, keep, dirname(folder))
    expect(first.pages).toMatchObject({ static: 0 })
    const home = await startDestination('--keep-image', folder)
    await runImage(a, 'again', image)
    const known = [`--images=${basename(keys)}`]
    const back = await moveWith(a, 'again', home.address, known, dirname(keys))
    expect(back.pages).toMatchObject({ static: sharedPages + ownPages, raw: 0 })
  })

  it('leaves out what the static map of its kind has', busy, async () => {
    const catalog = freshPath('fleet.db')
    const images = [imageOf(11), imageOf(12)]
    const learn = await runCommandLine('catalog', 'learn', ...images, ...pair, '--catalog', catalog)
    expect(learn).toMatchObject({ code: 0 })
    const told = ['--catalog', catalog, '--machine', 'b']
    const there = await startDestination(...told, '--sibling', imageOf(13))
    const a = await startAgent()
    for (const [name, way, pages] of [
      ['one', 'escdr-content', sharedPages],
      ['two', 'none', 0],
    ] as const) {
      await runImage(a, name, imageOf(14))
      const options = [`--static=${way}`, `--catalog=${basename(catalog)}`, ...pair]
      const report = await moveWith(a, name, there.address, options, dirname(catalog))
      expect(report.pages).toMatchObject({ static: pages })
    }
  })

  it('is not begun where one of them cannot be', busy, async () => {
    const a = await startAgent()
    await runGuest(a, 'web1')
    await guestWhen(a, 'web1', ({ state }) => state === 'running')
    const to = ['--to', '127.0.0.1:9', '--control', a.control]
    for (const [options, text] of [
      [['--images', freshPath('none')], /FILE_UNREADABLE/],
      [['--capture', freshPath('none/capture')], /FILE_UNWRITABLE/],
      [['--competing', '5Mbit'], /USAGE: --competing 5Mbit: where to\?/],
      [['--static', 'escdr-position'], /USAGE: .*--catalog URL is missing/],
      [['--os', 'debian/13'], /USAGE: --os is for a catalog/],
      [['--images', freshPath('none'), '--encode', 'raw'], /USAGE: --images is of no use/],
    ] as const) {
      const ended = await runCommandLine('migrate', 'web1', ...to, ...options)
      expect(ended).toMatchObject({ code: 2, stderr: expect.stringMatching(text) })
    }
    const sink = ['--competing', '5Mbit,to=127.0.0.1:9']
    const nobody = await runCommandLine('migrate', 'web1', ...to, ...sink)
    expect(nobody).toMatchObject({ code: 1, stderr: expect.stringMatching(/CONNECTION_REFUSED/) })
    expect(await statesOf(a)).toEqual({ web1: 'running' })
  })
})

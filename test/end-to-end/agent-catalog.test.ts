/**
 * What a `godwit agent` tells a catalog.
 */
import type { VmRecord } from '@godwit/catalog'
import { Catalog } from '@godwit/catalog'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { until } from '../catalog/fixtures.ts'
import type { AgentProcess } from './agents.ts'
import { logOf, move, startAgent } from './agents.ts'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import { endProcesses, freshPath } from './process.ts'

afterAll(endCommandLines)
afterEach(endProcesses)

const busy = { timeout: 60_000 }
const debian = { name: 'debian', version: '13' }
const qemu = { name: 'qemu', version: '10' }

async function find(catalog: string, name: string): Promise<VmRecord | undefined> {
  const opened = await Catalog.open(catalog)
  const vm = await opened.entries.find('vm', name)
  await opened.close()
  return vm
}

async function run({ control }: AgentProcess, name: string, ...options: string[]): Promise<void> {
  const guest = ['writer,wss=64KiB,rate=1000', '--memory', '1MiB', '--name', name]
  const ended = await runCommandLine('run', ...guest, ...options, '--control', control)
  expect(ended).toMatchObject({ code: 0 })
}

describe('an agent with a catalog', () => {
  it('tells where it is, which guests are there, and where they went', busy, async () => {
    const catalog = freshPath('fleet.db')
    const at = (machine: string): string[] => ['--catalog', catalog, '--machine', machine]
    const [a, b] = [await startAgent(...at('a')), await startAgent(...at('b'))]
    await run(a, 'web1', '--os', 'debian/13', '--hypervisor', 'qemu/10')
    await run(a, 'web2')
    await until(async () => (await find(catalog, 'web2')) !== undefined)
    const web1 = (await find(catalog, 'web1'))!
    const sizes = { memoryBytes: 2 ** 20, pageBytes: 4096 }
    expect(web1).toMatchObject({ machine: 'a', state: 'running', ...sizes })
    expect(web1).toMatchObject({ os: debian, hypervisor: qemu, session: null })
    const opened = await Catalog.open(catalog)
    await until(async () => (await opened.entries.list('machine')).length === 2)
    expect(await opened.entries.find('machine', 'a')).toMatchObject({ address: a.address })
    await opened.close()

    expect(await move(a, 'web1', b)).toMatchObject({ outcome: 'completed' })
    await until(async () => (await find(catalog, 'web1'))?.machine === 'b')
    const moved = { id: web1.id, state: 'running', session: null, epoch: 1 }
    expect(await find(catalog, 'web1')).toMatchObject({ ...moved, os: debian, hypervisor: qemu })

    await runCommandLine('stop', 'web1', '--control', b.control)
    await until(async () => (await find(catalog, 'web1')) === undefined)
    expect(await find(catalog, 'web2')).toMatchObject({ machine: 'a' })
    for (const agent of [a, b]) agent.process.signal('SIGTERM')
    await a.process.line(/a second signal ends them/)
    a.process.signal('SIGTERM')
    for (const agent of [a, b]) expect(await agent.process.ended).toMatchObject({ code: 0 })
    expect(await find(catalog, 'web2')).toBeUndefined()
    const last = await Catalog.open(catalog)
    expect(await last.entries.list('machine')).toEqual([])
    await last.close()
  })

  it('goes on where it cannot be told, and says so in its log', busy, async () => {
    const a = await startAgent('--catalog', 'postgres://godwit@127.0.0.1:9/fleet')
    await run(a, 'web1')
    const lacking = [/CATALOG_UNAVAILABLE.*no static pages/, /CATALOG_UNAVAILABLE.*is not told/]
    for (const line of lacking) await a.process.line(line)
    const warnings = logOf(a).filter(({ level }) => level === 'warn')
    const countOf = (line: RegExp): number =>
      warnings.filter(({ msg }) => line.test(String(msg))).length
    expect([warnings.length, ...lacking.map(countOf)]).toEqual([2, 1, 1])
    const b = await startAgent()
    expect(await move(a, 'web1', b)).toMatchObject({ outcome: 'completed' })
  })

  it('is wanted where a machine has a name', async () => {
    const where = ['--listen', '127.0.0.1:0', '--state-dir', freshPath('state')]
    expect(await runCommandLine('agent', ...where, '--machine', 'a')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/USAGE: --machine is for a catalog/),
    })
  })
})

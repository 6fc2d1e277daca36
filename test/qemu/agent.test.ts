/**
 * VMs under agents: taken hold of, moved there and back, left alone and found again.
 */
import { existsSync } from 'node:fs'
import { Catalog } from '@godwit/catalog'
import type { Report } from '@godwit/core'
import { OwnerDirectory } from 'godwit'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../catalog/fixtures.ts'
import type { AgentProcess } from '../end-to-end/agents.ts'
import { guestsOf, guestWhen, logOf, startAgent, writeHook } from '../end-to-end/agents.ts'
import { endCommandLines, runCommandLine } from '../end-to-end/command-lines.ts'
import { endProcesses, freshPath, readReport } from '../end-to-end/process.ts'
import { isLong } from '../end-to-end/variants.ts'
import { complaints, countsOn, isImpossible, needs, statusOf, Vm, Yard } from './vm.ts'

const longMs = 240_000
let yard: Yard
let vm: Vm | undefined
/** Beside that one. */
const others: Vm[] = []
/** Of VMs that outlive their agents. */
const pids = new Set<number>()

beforeAll(() => {
  if (!isImpossible) yard = new Yard('pc.ram')
})
afterEach(async () => {
  await endProcesses()
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has moved on.
    }
  }
  pids.clear()
  for (const one of others.splice(0)) await one.kill()
  await vm?.kill()
  vm = undefined
})
afterAll(() => {
  endCommandLines()
  if (!isImpossible) yard.remove()
})

/** An agent that takes VMs in, whose console is `log` then. */
function startHost(log: string, ...args: string[]): Promise<AgentProcess> {
  return startAgent('--guest', `qemu,config=${yard.config(log)},ram=${yard.folder}`, ...args)
}

async function runVm(
  { control }: AgentProcess,
  text: string,
  name = 'vm1',
  ...options: string[]
): Promise<string> {
  const known = ['--name', name, ...options, '--control', control]
  const ended = await runCommandLine('run', text, ...known)
  return `${ended.stdout}${ended.stderr}`
}

async function migrate(from: AgentProcess, to: AgentProcess): Promise<Report> {
  const json = freshPath('report.json')
  const way = ['migrate', 'vm1', '--to', to.address, '--control', from.control, '--json', json]
  const ended = await runCommandLine(...way)
  expect([ended.code, ended.stderr]).toEqual([0, expect.any(String)])
  const report = readReport(json)
  expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
  const [left] = (await guestsOf(from)).filter(({ name }) => name === 'vm1')
  expect(left).toMatchObject({ state: 'left', peer: to.address })
  expect(left).not.toHaveProperty('vm')
  return report
}

async function registered(url: string, name: string): Promise<void> {
  const catalog = await Catalog.open(url)
  await until(async () => (await catalog.entries.find('vm', name)) !== undefined)
  await catalog.close()
}

/** Where a VM is that can be moved on. */
async function whole(agent: AgentProcess): Promise<{ vm: string; pid: number; ram: string }> {
  const guest = await guestWhen(agent, 'vm1', ({ state }) => state === 'running')
  pids.add(guest.pid!)
  const [, ram = ''] = /ram=(.+)$/.exec(guest.vm!) ?? []
  return { vm: guest.vm!, pid: guest.pid!, ram }
}

/** Ends an agent, and starts the one after it. */
async function follow(
  agent: AgentProcess,
  signal: NodeJS.Signals,
  log: string,
): Promise<AgentProcess> {
  agent.process.signal(signal)
  const { code } = await agent.process.ended
  expect(code).toBe(signal === 'SIGKILL' ? undefined : 0)
  return startHost(log, '--state-dir', agent.stateDir)
}

describe.skipIf(isImpossible)(`a VM under agents${needs}`, () => {
  it(
    'moves there and back, and outlives them: the next agent has hold of it again',
    async () => {
      vm = await Vm.boot(yard, 'source')
      const [there, back] = [yard.path('there.log'), yard.path('back.log')]
      const [a, b] = [await startHost(back), await startHost(there)]
      const place = `qemu,qmp=${vm.qmpPath},ram=${vm.ramPath}`
      expect(await runVm(a, place)).toBe('vm1 runs (qemu, 160 MiB)\n')
      expect(await runVm(a, place)).toMatch(/USAGE: This VM is guest "vm1" here already/)
      const [listed] = await guestsOf(a)
      expect(listed).toMatchObject({ kind: 'qemu', state: 'running', vm: place })
      await migrate(a, b)
      await vm.ended()

      const first = await whole(b)
      const b2 = await follow(b, 'SIGTERM', yard.path('none.log'))
      expect(logOf(b).filter(({ msg }) => msg === 'a VM is left to itself')).toMatchObject([
        { level: 'info', guest: 'vm1', vm: first.vm, pid: first.pid },
      ])
      await countsOn(there)
      expect(await whole(b2)).toEqual(first)
      expect(existsSync(first.ram)).toBe(true)
      await migrate(b2, a)
      // What the first of them made goes with the VM.
      expect(existsSync(first.ram)).toBe(false)

      const second = await whole(a)
      await countsOn(back)
      const a2 = await follow(a, 'SIGKILL', yard.path('none.log'))
      expect(await whole(a2)).toEqual(second)
      const owners = new OwnerDirectory(a2.stateDir)
      const { session } = await guestWhen(a2, 'vm1', () => true)
      expect(owners.find(session!, 'destination')).toMatchObject({ state: 'owner' })
      const stop = await runCommandLine('stop', 'vm1', '--control', a2.control)
      expect(stop.stdout).toBe(`vm1 is let go of; its VM stays: ${second.vm}\n`)
      expect(await guestsOf(a2)).toEqual([])
      const [, qmp = ''] = /qmp=([^,]+)/.exec(second.vm) ?? []
      expect(await statusOf(qmp)).toBe('running')
      await countsOn(back)
      expect(complaints([vm.log, there, back])).toEqual([])
    },
    longMs,
  )
})

// Guests of Godwit's own are tried like that in every run; these take half a minute.
describe.runIf(isLong && !isImpossible)(`a VM of a kind that an agent has${needs}`, () => {
  it(
    'brings along only what is its own, and back only what is new',
    async () => {
      const pair = ['--os=debian/12', '--hypervisor=qemu/7.2']
      const catalog = freshPath('fleet.db')
      const at = (machine: string): string[] => ['--catalog', catalog, '--machine', machine]
      const [there, other] = [await Vm.boot(yard, 'there'), await Vm.boot(yard, 'other')]
      others.push(there, other)
      const learn = ['learn', there.ramPath, other.ramPath, ...pair, '--catalog', catalog]
      expect(await runCommandLine('catalog', ...learn)).toMatchObject({ code: 0 })
      await other.kill()
      vm = await Vm.boot(yard, 'moves')
      const [log, back] = [yard.path('moved.log'), yard.path('again.log')]
      const a = await startHost(back, ...at('a'), '--keep-image', freshPath('images'))
      const b = await startHost(log, ...at('b'))
      const sibling = `qemu,qmp=${there.qmpPath},ram=${there.ramPath}`
      expect(await runVm(b, sibling, 'there', ...pair)).toMatch(/^there runs/)
      await registered(catalog, 'there')
      const moving = `qemu,qmp=${vm.qmpPath},ram=${vm.ramPath}`
      expect(await runVm(a, moving, 'vm1', ...pair)).toMatch(/^vm1 runs/)

      const first = await migrate(a, b)
      const { static: known, raw } = first.pages!
      expect(known / (known + raw)).toBeGreaterThan(0.3)
      expect(first.wireBytes).toBeLessThan((known + raw) * 4096 * 0.75)
      expect(first.static).toMatchObject({ os: 'debian/12', mode: 'content', pages: known })
      const found = `static pages: .* are in ${there.ramPath}`
      const said = logOf(b).map(({ msg }) => msg)
      expect(said).toContainEqual(expect.stringMatching(new RegExp(`^${found}$`)))
      await vm.ended()
      await whole(b)
      await countsOn(log)

      const second = await migrate(b, a)
      expect(second.pages!.static).toBeGreaterThan((known + raw) * 0.8)
      expect(second.wireBytes).toBeLessThan(first.wireBytes * 0.5)
      await whole(a)
      await countsOn(back)
      await countsOn(there.log)
      expect([complaints([vm.log, log, back]), complaints([there.log])]).toEqual([[], []])
    },
    longMs,
  )
})

describe.skipIf(isImpossible)(`a VM of an agent${needs}`, () => {
  it(
    'of which nothing was prepared stays where it is refused, and moves where it is not',
    async () => {
      vm = await Vm.boot(yard, 'plain', { isPlain: true })
      const log = yard.path('plain-there.log')
      const hook = writeHook()
      const a = await startAgent('--hook', `paused=${hook.file}`)
      const [none, b] = [await startAgent(), await startHost(log)]
      expect(await runVm(a, `qemu,attach=stream,qmp=${vm.qmpPath}`)).toMatch(/^vm1 runs/)
      const at = ['--control', a.control]
      const refused = await runCommandLine('migrate', 'vm1', '--to', none.address, ...at)
      expect(refused).toMatchObject({ code: 1 })
      expect(refused.stderr).toMatch(/GUEST_UNKNOWN: .*--guest qemu,config=FILE/)
      const [stays] = await guestsOf(a)
      expect(stays).toMatchObject({ name: 'vm1', state: 'running' })
      await countsOn(vm.log)
      await migrate(a, b)
      expect(hook.told()).toMatchObject([expect.stringMatching(/^paused vm1 source qemu/)])
      await vm.ended()
      await whole(b)
      await countsOn(log)
      expect(complaints([vm.log, log])).toEqual([])
    },
    longMs,
  )

  it(
    'that is shut down has ended',
    async () => {
      vm = await Vm.boot(yard, 'quits')
      const a = await startAgent()
      expect(await runVm(a, `qemu,qmp=${vm.qmpPath},ram=${vm.ramPath}`)).toMatch(/^vm1 runs/)
      await vm.shutDown()
      const ended = await guestWhen(a, 'vm1', ({ state }) => state === 'ended')
      expect(ended.reason).toBe('it was shut down (host-signal)')
    },
    longMs,
  )

  it(
    'that dies is told to have failed; one that is not there is not taken',
    async () => {
      vm = await Vm.boot(yard, 'ends')
      const a = await startAgent()
      const at = ['--control', a.control]
      const place = `qemu,qmp=${vm.qmpPath},ram=${vm.ramPath}`
      expect(await runVm(a, place)).toMatch(/^vm1 runs/)
      const none = `qemu,qmp=${vm.log},ram=${vm.ramPath}`
      const wrong = await runCommandLine('run', none, ...at)
      expect(wrong).toMatchObject({ code: 2, stderr: expect.stringMatching(/GUEST_OPTION/) })
      expect(await guestsOf(a)).toHaveLength(1)
      await vm.kill()
      const failed = await guestWhen(a, 'vm1', ({ state }) => state === 'failed')
      expect(failed.reason).toMatch(/GUEST_FAILED: QEMU has closed its QMP socket/)
    },
    longMs,
  )
})

/**
 * Agents that are killed in the hand-over, and what those that come after them have in writing.
 */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import { FrameProxy } from './frame-proxy.ts'
import type { Destination, GodwitProcess } from './process.ts'
import {
  askControl,
  endProcesses,
  freshPath,
  readReport,
  startDestination,
  startGodwit,
  statusWhen,
} from './process.ts'
import type { UnitName } from './tap.ts'

const isLong = process.env['GODWIT_LONG'] !== undefined

const proxies: FrameProxy[] = []
afterAll(endCommandLines)
afterEach(async () => {
  for (const proxy of proxies.splice(0)) proxy.close()
  await endProcesses()
})

interface Interrupted {
  readonly destination: Destination
  readonly destinationState: string
  readonly sender: GodwitProcess
  readonly senderState: string
  readonly proxy: FrameProxy
  readonly control: string
  readonly json: string
}

/** The hand-over is interrupted at a frame, and the network stays away. */
async function interruptAt(frame: UnitName, mode: string): Promise<Interrupted> {
  const [destinationState, senderState] = [freshPath('destination'), freshPath('source')]
  const destination = await startDestination('--state-dir', destinationState)
  const proxy: FrameProxy = new FrameProxy(destination.address, ({ name }) => {
    const isLost = name === frame && proxy.cuts === 0
    if (isLost) proxy.isDown = true
    return isLost
  })
  proxies.push(proxy)
  const [control, json] = [freshPath('control.sock'), freshPath('report.json')]
  const guest = ['writer,wss=1MiB,rate=20000', '--memory', '4MiB', '--to', await proxy.listen()]
  const settings = ['--mode', mode, '--warmup', '50ms', '--state-dir', senderState, '--quiet']
  const sender = startGodwit('send', ...guest, ...settings, '--control', control, '--json', json)
  await sender.line(/whose the guest is only the destination can tell/)
  return { destination, destinationState, sender, senderState, proxy, control, json }
}

/** Another process takes the place of one that was killed. */
async function replace({ destination, destinationState }: Interrupted): Promise<Destination> {
  destination.process.signal('SIGKILL')
  await destination.process.ended
  return startDestination('--listen', destination.address, '--state-dir', destinationState)
}

describe('a destination that is killed after READY', () => {
  it.each(isLong ? ['pre-copy', 'post-copy'] : ['pre-copy'])(
    'and is started again has refused the guest, which goes on at the source: %s',
    async (mode) => {
      const lost = await interruptAt('Commit', mode)
      const { process: next } = await replace(lost)
      await next.line(/a guest that was held when this agent died is refused now/)
      lost.proxy.isDown = false
      const { code, stderr } = await lost.sender.ended
      expect(code).toBe(1)
      expect(stderr).toMatch(/^godwit: CONNECTION_LOST: /m)
      expect(readReport(lost.json)).toMatchObject({ outcome: 'failed' })
      expect(readdirSync(lost.senderState)).toEqual([])
    },
  )

  it('and whose record is damaged leaves the source in doubt', async () => {
    const lost = await interruptAt('Commit', 'pre-copy')
    const [name] = readdirSync(lost.destinationState)
    lost.destination.process.signal('SIGKILL')
    await lost.destination.process.ended
    writeFileSync(join(lost.destinationState, name!), new Uint8Array(8192))
    const listen = ['--listen', lost.destination.address]
    const next = await startDestination(...listen, '--state-dir', lost.destinationState)
    await next.process.line(/is damaged: whose guest it was is unknown/)
    lost.proxy.isDown = false
    await lost.sender.line(/^godwit: SESSION_UNKNOWN: /)
    expect(await askControl(lost.control, 'status')).toMatchObject({ guest: 'writer' })
    lost.sender.signal('SIGINT')
    lost.sender.signal('SIGTERM')
    const { code, stderr } = await lost.sender.ended
    expect([code, stderr.includes('OWNERSHIP_IN_DOUBT')]).toEqual([4, true])
    expect(readdirSync(lost.senderState)).toHaveLength(1)
  })
})

describe('a destination that is killed with the guest', () => {
  it.each(isLong ? ['pre-copy', 'post-copy'] : ['pre-copy'])(
    'says so when it is started again, and nobody starts the guest but an operator: %s',
    async (mode) => {
      const lost = await interruptAt('Running', mode)
      const { process: next } = await replace(lost)
      await next.line(/a guest that ran here died with its agent/)
      lost.proxy.isDown = false
      await lost.sender.line(/died with its process there; its copy is stopped here/)
      const { steps } = await statusWhen(lost.control, ({ state }) => state === 'bereaved')
      const fenced = await runCommandLine(
        'recover',
        '--control',
        lost.control,
        '--fenced',
        '--json',
      )
      expect(JSON.parse(fenced.stdout)).toMatchObject({ takenOver: true, checkpoint: 0 })
      expect((await lost.sender.ended).code).toBe(7)
      const { takeover } = readReport(lost.json)
      expect(takeover).toMatchObject({ epoch: 2, steps })
    },
  )

  it('is given up by a second Ctrl-C: lost with its host', async () => {
    const lost = await interruptAt('Running', 'pre-copy')
    await replace(lost)
    lost.proxy.isDown = false
    await statusWhen(lost.control, ({ state }) => state === 'bereaved')
    lost.sender.signal('SIGINT')
    lost.sender.signal('SIGTERM')
    const { code, stderr } = await lost.sender.ended
    expect([code, stderr.includes('LOST_WITH_HOST')]).toEqual([8, true])
  })
})

describe('a source that is killed after it let go', () => {
  const recover = (lost: Interrupted) =>
    runCommandLine('send', '--recover', '--state-dir', lost.senderState)

  async function killed(frame: UnitName, mode: string): Promise<Interrupted> {
    const lost = await interruptAt(frame, mode)
    lost.sender.signal('SIGKILL')
    await lost.sender.ended
    return lost
  }

  it('has the guest started by the next, where the destination holds all of it', async () => {
    const lost = await killed('Commit', 'pre-copy')
    const inDoubt = await recover(lost)
    expect([inDoubt.code, inDoubt.stdout]).toEqual([4, expect.stringMatching(/: in doubt: /)])
    lost.proxy.isDown = false
    const ended = await recover(lost)
    expect([ended.code, ended.stderr]).toEqual([0, ''])
    expect(ended.stdout).toMatch(/^writer, 4 MiB, to [\d.:]+: runs there\n$/)
    expect(await recover(lost)).toEqual({ code: 0, stdout: 'nothing is in doubt\n', stderr: '' })
  })

  it('is told that it runs there', async () => {
    const lost = await killed('Running', 'pre-copy')
    lost.proxy.isDown = false
    expect(await recover(lost)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/runs there/),
    })
  })

  it('has lost the guest, where the rest of its pages died with it', async () => {
    const lost = await killed('Commit', 'post-copy')
    lost.proxy.isDown = false
    const { code, stdout } = await recover(lost)
    expect([code, stdout]).toEqual([8, expect.stringMatching(/without all of its pages/)])
  })

  it('has lost the guest, where the destination died, too', async () => {
    const lost = await killed('Commit', 'pre-copy')
    await replace(lost)
    lost.proxy.isDown = false
    const { code, stdout } = await recover(lost)
    expect([code, stdout]).toEqual([8, expect.stringMatching(/lost; nobody runs it/)])
  })

  it('before that has lost it with its process', async () => {
    const state = freshPath('source')
    const control = freshPath('control.sock')
    const { address } = await startDestination()
    const guest = ['writer,wss=1MiB,rate=20000', '--memory', '4MiB', '--to', address]
    const endless = ['--stop', 'max-rounds=1000000', '--warmup', '1ms', '--quiet']
    const files = ['--state-dir', state, '--control', control]
    const sender = startGodwit('send', ...guest, ...endless, ...files)
    await statusWhen(control, ({ round }) => Number(round) >= 2)
    sender.signal('SIGKILL')
    await sender.ended
    const { code, stdout } = await runCommandLine('send', '--recover', '--state-dir', state)
    expect([code, stdout]).toEqual([8, expect.stringMatching(/died here, before it was let go/)])
  })
})

describe('the options', () => {
  it.each([
    [['send'], 'Which guest? See godwit send --help'],
    [['send', 'idle'], 'Where to? --to HOST:PORT is missing'],
    [['send', '--recover'], '--recover takes --state-dir DIR'],
    [['send', 'idle', '--recover', '--state-dir', '/tmp'], '--recover sends no guest'],
  ])('%j is refused', async (args, text) => {
    const { code, stderr } = await runCommandLine(...args)
    expect([code, stderr]).toEqual([2, `godwit: USAGE: ${text}\n`])
  })
})

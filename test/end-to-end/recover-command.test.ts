/**
 * Post-copy that is interrupted, as the operator of `godwit send` and `godwit receive` sees it.
 */
import { probeUserfault } from '@godwit/linux'
import { ChannelRole } from '@godwit/wire'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import { FrameProxy } from './frame-proxy.ts'
import type { Destination, GodwitProcess } from './process.ts'
import { isLong } from './variants.ts'
import {
  endProcesses,
  freshPath,
  readReport,
  startDestination,
  startGodwit,
  statusWhen,
} from './process.ts'

const proxies: FrameProxy[] = []
afterAll(endCommandLines)
afterEach(async () => {
  for (const proxy of proxies.splice(0)) proxy.close()
  await endProcesses()
})

const { ok: hasUffd } = await probeUserfault()

interface Interrupted {
  readonly receiver: GodwitProcess
  readonly sender: GodwitProcess
  readonly proxy: FrameProxy
  /** Of the sender. */
  readonly control: string
  readonly json: string
}

/** Post-copy is interrupted on both sides, and the network stays away. */
async function interrupt(
  receive: readonly string[] = [],
  send: readonly string[] = [],
): Promise<Interrupted> {
  return interruptAt(await startDestination('--once', '--run-for', '300ms', ...receive), send)
}

async function interruptAt(
  { process: receiver, address }: Destination,
  send: readonly string[] = [],
): Promise<Interrupted> {
  let pages = 0
  const proxy: FrameProxy = new FrameProxy(address, ({ preface, name }) => {
    const isLost = preface.role === ChannelRole.Data && name === 'Pages' && ++pages === 3
    if (isLost) proxy.isDown = true
    return isLost
  })
  proxies.push(proxy)
  const [control, json] = [freshPath('control.sock'), freshPath('report.json')]
  const guest = ['writer,wss=2MiB,rate=5000', '--memory', '8MiB', '--to', await proxy.listen()]
  const settings = ['--mode', 'post-copy', '--fetch', 'push', '--warmup', '100ms']
  const files = ['--control', control, '--json', json, '--quiet']
  const sender = startGodwit('send', ...guest, ...settings, ...files, ...send)
  await sender.line(/post-copy is interrupted/)
  await receiver.line(/post-copy is interrupted/)
  return { receiver, sender, proxy, control, json }
}

describe('post-copy that is interrupted', () => {
  it('can be told to go on, and does when the network is there again', async () => {
    const { receiver, sender, proxy, control, json } = await interrupt()
    await statusWhen(control, ({ state }) => state === 'paused')
    const recover = await runCommandLine('recover', '--control', control, '--json')
    expect([recover.code, recover.stderr]).toEqual([0, ''])
    expect(JSON.parse(recover.stdout)).toEqual({ recovering: true })
    proxy.isDown = false
    const { code, stderr } = await sender.ended
    expect(code).toBe(0)
    // However many attempts there were.
    expect(stderr.match(/post-copy is interrupted/g)).toHaveLength(1)
    expect((await receiver.ended).code).toBe(0)
    const report = readReport(json)
    expect(report).toMatchObject({ memory: { equal: true }, guestProof: { continuous: true } })
    expect(report.recoveries).toBeGreaterThan(0)
  })

  it('has nothing to recover before', async () => {
    const control = freshPath('control.sock')
    const { address } = await startDestination('--once')
    const guest = ['idle', '--memory', '4MiB', '--to', address, '--warmup', '1min']
    startGodwit('send', ...guest, '--control', control, '--quiet')
    await statusWhen(control, ({ state }) => state === 'warming-up')
    const { code, stderr } = await runCommandLine('recover', '--control', control)
    expect([code, stderr]).toEqual([1, 'godwit: TOO_LATE: The destination is not lost here\n'])
  })

  it.each(hasUffd && isLong ? ['auto', 'uffd'] : ['auto'])(
    'is given up after --recover-for, and everybody says so (%s)',
    async (pager) => {
      const limit = ['--recover-for', '300ms']
      const { receiver, sender } = await interrupt([...limit, '--pager', pager], limit)
      for (const one of [sender, receiver]) {
        const { code, stderr } = await one.ended
        expect(code).toBe(6)
        expect(stderr).toMatch(/^godwit: POST_COPY_LOST: /m)
      }
    },
  )

  it.runIf(hasUffd)('does not end the guests beside it', async () => {
    const status = freshPath('status.sock')
    const files = ['--control', status, '--recover-for', '300ms', '--pager', 'uffd']
    const destination = await startDestination(...files)
    const guest = ['idle', '--memory', '4MiB', '--to', destination.address, '--quiet']
    expect((await runCommandLine('send', ...guest, '--warmup', '1ms')).code).toBe(0)
    const { receiver, sender } = await interruptAt(destination, ['--recover-for', '300ms'])
    expect((await sender.ended).code).toBe(6)
    await receiver.line(/its memory stays taken/)
    expect((await statusWhen(status, () => true))['guests']).toHaveLength(1)
    expect(receiver.isOver).toBe(false)
  })

  it('is not given up by one Ctrl-C, but by two', async () => {
    const { receiver, sender, proxy, control } = await interrupt()
    sender.signal('SIGINT')
    receiver.signal('SIGINT')
    await receiver.line(/a second Ctrl-C gives it up/)
    expect(await statusWhen(control, ({ state }) => state === 'paused')).toBeDefined()
    sender.signal('SIGINT')
    expect((await sender.ended).code).toBe(6)
    expect(receiver.isOver).toBe(false)
    receiver.signal('SIGINT')
    expect((await receiver.ended).code).toBe(6)
    expect(proxy.cuts).toBe(1)
  })

  it('goes on after one Ctrl-C', async () => {
    const { receiver, sender, proxy } = await interrupt()
    receiver.signal('SIGINT')
    await receiver.line(/a second Ctrl-C gives it up/)
    proxy.isDown = false
    expect((await sender.ended).code).toBe(0)
    await receiver.ended
  })
})

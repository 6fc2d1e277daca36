import { existsSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import type { Ended } from './process.ts'
import {
  endProcesses,
  freshPath,
  readReport,
  runGodwit,
  startDestination,
  startGodwit,
} from './process.ts'

afterEach(endProcesses)
afterAll(endCommandLines)

const small = ['--memory', '1MiB', '--warmup', '1ms', '--quiet']
const nowhere = ['--to', '127.0.0.1:9', ...small]

/** How a command fails: with one line, in the one form, and nothing else. */
function failure(exitCode: number, code: string, text: RegExp): Ended {
  const line = new RegExp(`^godwit: ${code}: (?=.*(?:${text.source}))[^\\n]+\\n$`)
  return { code: exitCode, stdout: '', stderr: expect.stringMatching(line) as string }
}

/** A server that tells whether anybody came. */
async function listen(): Promise<{ server: Server; port: number; dialled: () => number }> {
  let connections = 0
  const server = createServer((socket) => {
    connections++
    socket.on('error', () => {})
    socket.resume().end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { server, port, dialled: () => connections }
}

describe('a command line that is wrong', () => {
  it.each<[string, string[], string, RegExp]>([
    ['no address', ['send', 'idle', '--to', 'nowhere'], 'ADDRESS_INVALID', /"nowhere"/],
    ['port 0', ['send', 'idle', '--to', '127.0.0.1:0'], 'ADDRESS_INVALID', /no port/],
    ['port too big', ['send', 'idle', '--to', '127.0.0.1:70000'], 'ADDRESS_INVALID', /70000/],
    ['listens nowhere', ['receive', '--listen', '7000'], 'ADDRESS_INVALID', /"7000"/],
    ['unknown guest', ['send', 'wirter', ...nowhere], 'GUEST_UNKNOWN', /writer/],
    ['unknown guest option', ['send', 'writer,wws=1MiB', ...nowhere], 'GUEST_OPTION', /wss/],
    ['bad guest option', ['send', 'writer,style=all', ...nowhere], 'GUEST_OPTION', /few or page/],
    ['working set too large', ['send', 'writer,wss=2MiB', ...nowhere], 'GUEST_OPTION', /1 MiB/],
    ['image without file', ['send', 'image', ...nowhere], 'GUEST_OPTION', /file=FILE/],
    ['no such file', ['send', 'image,file=gone', ...nowhere], 'FILE_UNREADABLE', /"gone"/],
    ['unknown command', ['recieve'], 'USAGE', /receive/],
    ['unknown option', ['send', 'idle', '--mod', 'x', ...nowhere], 'USAGE', /--mode/],
    ['missing argument', ['send', ...nowhere], 'USAGE', /guest/],
    ['missing option', ['send', 'idle'], 'USAGE', /--to/],
    ['unknown grid', ['bench', 'paper', 'hash57'], 'USAGE', /hash75, bda, survey/],
    [
      'two scales',
      ['bench', 'paper', 'bda', '--quick', '--full'],
      'USAGE',
      /--quick is not --full/,
    ],
    ['unknown cells', ['bench', 'paper', 'bda', '--only', 'PBC'], 'USAGE', /KCS, PCA, PPC, BDA/],
    [
      'cells by half a name',
      ['bench', 'paper', 'bda', '--only', 'PCA,x'],
      'USAGE',
      /no "x"; there/,
    ],
    ['options before paper', ['bench', '--quick', 'paper', 'bda'], 'USAGE', /behind it.* --quick/],
    ['no parts', ['bench', 'select', '--only', 'x'], 'USAGE', /takes no --only/],
    [
      'bad place for pictures',
      ['bench', 'paper', 'bda', '--quick', '--plots', '/dev/null/x'],
      'FILE_UNWRITABLE',
      /\/dev\/null\/x/,
    ],
    ['one argument more', ['send', 'idle', 'cpu', ...nowhere], 'USAGE', /argument/],
    ['bad stop rule', ['send', 'idle', '--stop', 'never', ...nowhere], 'USAGE', /max-rounds/],
    ['bad stop value', ['send', 'idle', '--stop', 'max-rounds=0', ...nowhere], 'USAGE', /from 1/],
    ['bad mode', ['send', 'idle', '--mode', 'magic', ...nowhere], 'USAGE', /pre-copy, stop-copy/],
    [
      'bad page size',
      ['send', 'idle', '--page-bytes', '5000', ...nowhere],
      'USAGE',
      /power of two/,
    ],
    ['bad size', ['send', 'idle', '--to', '127.0.0.1:9', '--memory', 'lots'], 'USAGE', /"lots"/],
    ['bad time', ['send', 'idle', '--warmup', '3', '--to', '127.0.0.1:9'], 'USAGE', /300ms/],
    ['bad count', ['send', 'idle', '--retry', '-1', ...nowhere], 'USAGE', /-1/],
    ['unknown benchmark', ['bench', 'warp'], 'USAGE', /warp/],
    ['benchmark without name', ['bench'], 'USAGE', /--list/],
    ['demo of nothing', ['demo', 'nothing'], 'GUEST_UNKNOWN', /"nothing"/],
    ['off loopback', ['send', 'idle', '--to', '192.0.2.1:7000'], 'INSECURE_ADDRESS', /--insecure/],
    ['listens off it', ['receive', '--listen', '0.0.0.0:0'], 'INSECURE_ADDRESS', /--insecure/],
    ['not our address', ['receive', '--insecure', '--listen', '192.0.2.1:0'], 'ADDRESS_UNA', /not/],
  ])('%s', async (_name, args, code, text) => {
    expect(await runCommandLine(...args)).toEqual(
      failure(2, code.replace('_UNA', '_UNAVAILABLE'), text),
    )
  })

  it('tells before anything is begun that the report cannot be written', async () => {
    const { server, port, dialled } = await listen()
    const json = `${freshPath('gone')}/report.json`
    const args = ['send', 'idle', '--to', `127.0.0.1:${port}`, '--json', json, ...small]
    expect(await runCommandLine(...args)).toEqual(failure(2, 'FILE_UNWRITABLE', /report\.json/))
    expect(dialled()).toBe(0)
    server.close()
  })

  it('does not start a guest, nor dial, for an address off loopback', async () => {
    const file = freshPath('report.json')
    const args = ['send', 'idle', '--to', '192.0.2.1:7000', '--json', file, '--memory', '1MiB']
    const ended = await runGodwit(...args)
    expect(ended.code).toBe(2)
    expect(ended.stderr.split('\n').filter((line) => line.startsWith('godwit: '))).toEqual([
      expect.stringMatching(/^godwit: INSECURE_ADDRESS: 192\.0\.2\.1 /),
    ])
  })
})

describe('a place that is taken', () => {
  it('is told for a port', async () => {
    const { address } = await startDestination()
    const ended = await runCommandLine('receive', '--listen', address)
    expect(ended).toEqual(failure(2, 'ADDRESS_IN_USE', new RegExp(address.replaceAll('.', '\\.'))))
  })

  it('is told for a control socket, which goes on to be served', async () => {
    const control = freshPath('control.sock')
    const first = await startDestination('--control', control)
    const second = await runCommandLine('receive', '--listen', '127.0.0.1:0', '--control', control)
    expect(second).toEqual(failure(2, 'ADDRESS_IN_USE', /control\.sock/))
    const third = await runCommandLine('send', 'idle', '--control', control, ...nowhere)
    expect(third).toEqual(failure(2, 'ADDRESS_IN_USE', /control\.sock/))
    const status = await runCommandLine('status', '--control', control, '--json')
    expect(status.code).toBe(0)
    expect(JSON.parse(status.stdout)).toMatchObject({
      role: 'destination',
      listening: first.address,
      sessions: [],
    })
  })

  it('is not made by a killed agent: its control socket can be had again', async () => {
    const control = freshPath('control.sock')
    const first = await startDestination('--control', control)
    first.process.signal('SIGKILL')
    await first.process.ended
    expect(existsSync(control)).toBe(true)
    await startDestination('--control', control)
    expect((await runCommandLine('status', '--control', control)).stdout).toContain('destination')
  })

  it('is told where nobody serves one, or something else does', async () => {
    const [absent, plain] = [freshPath('absent.sock'), freshPath('plain.sock')]
    writeFileSync(plain, 'not a socket')
    for (const control of [absent, plain]) {
      for (const command of ['status', 'cancel']) {
        const ended = await runCommandLine(command, '--control', control)
        expect(ended).toEqual(failure(1, 'CONNECTION_REFUSED', /No agent serves/))
      }
    }
  })
})

describe('a destination that cannot be had', () => {
  async function send(to: string, ...options: string[]): Promise<Ended> {
    return runCommandLine('send', 'idle', '--to', to, ...small, ...options)
  }

  it('refuses the connection', async () => {
    const { server, port } = await listen()
    await new Promise((resolve) => server.close(resolve))
    for (const to of [`127.0.0.1:${port}`, `ws://127.0.0.1:${port}`]) {
      expect(await send(to)).toEqual(failure(1, 'CONNECTION_REFUSED', new RegExp(`${port}`)))
    }
  })

  it('is known by nobody', async () => {
    const ended = await send('no-such-host.invalid:7000', '--insecure')
    expect(ended).toEqual(failure(1, 'ADDRESS_UNRESOLVED', /no-such-host\.invalid/))
  })

  it('is no Godwit', async () => {
    const { server, port } = await listen()
    expect(await send(`127.0.0.1:${port}`)).toEqual(failure(1, 'CONNECTION_LOST', /is it a Godwit/))
    server.close()
  })

  it('wants pages of another size', async () => {
    const { address } = await startDestination('--page-bytes', '16KiB')
    expect(await send(address)).toEqual(failure(1, 'PAGE_SIZE_MISMATCH', /4096.*16384/))
    const fitting = await send(address, '--page-bytes', '16KiB')
    expect(fitting).toEqual({ code: 0, stdout: '', stderr: '' })
  })

  it('lacks room, and says how much', async () => {
    const file = freshPath('report.json')
    const { address } = await startDestination('--memory-limit', '16MiB')
    const options = ['--memory', '24MiB', '--json', file]
    const ended = await runCommandLine('send', 'idle', '--to', address, '--quiet', ...options)
    expect(ended).toEqual(failure(1, 'NO_ROOM', /24 MiB.*16 MiB.*8 MiB are lacking/))
    const { outcome, error } = readReport(file)
    expect(outcome).toBe('failed')
    expect(error).toMatchObject({ code: 'NO_ROOM', phase: 'reservation' })
  })
})

describe('help', () => {
  it.each(['send', 'receive', 'demo', 'status', 'cancel', 'bench'])(
    'of %s has an example',
    async (command) => {
      const ended = await runCommandLine(command, '--help')
      expect(ended.code).toBe(0)
      expect(ended.stderr).toBe('')
      expect(ended.stdout).toMatch(new RegExp(`Example:\\n +godwit ${command} `))
    },
  )

  it('names every command and the exit codes', async () => {
    const ended = await runCommandLine('--help')
    expect(ended.code).toBe(0)
    for (const command of ['send', 'receive', 'demo', 'status', 'cancel', 'bench']) {
      expect(ended.stdout).toMatch(new RegExp(`^ +${command} `, 'm'))
    }
    expect(ended.stdout).toMatch(/Exit codes: 0 done; 1 failed/)
  })

  it('tells version and benchmarks', async () => {
    const version = await runGodwit('--version')
    expect(version).toMatchObject({ code: 0, stderr: '' })
    expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
    const list = await runCommandLine('bench', '--list')
    expect(list).toMatchObject({ code: 0, stderr: '' })
    expect(list.stdout).toMatch(/^loopback +\S/m)
  })
})

describe('demo', () => {
  it('moves a guest between two processes and reports', async () => {
    const file = freshPath('report.json')
    const options = ['--memory', '32MiB', '--warmup', '100ms', '--run-for', '100ms']
    const demo = startGodwit('demo', 'writer,wss=4MiB', ...options, '--json', file)
    const ended = await demo.ended
    expect(ended.code).toBe(0)
    expect(ended.stdout).toMatch(/exactly as if it had never/)
    expect(ended.stderr).toMatch(/^destination: process \d+, listening at 127\.0\.0\.1:\d+$/m)
    const report = readReport(file)
    expect(report).toMatchObject({ outcome: 'completed', memoryBytes: 32 * 1024 * 1024 })
    expect(report.guestProof!.continuous).toBe(true)
  })

  it('is quiet when told so, and speaks WebSocket', async () => {
    const options = ['--memory', '8MiB', '--warmup', '50ms', '--run-for', '50ms', '--quiet']
    const ended = await runGodwit('demo', 'idle', '--transport', 'ws', ...options)
    expect(ended).toEqual({ code: 0, stdout: '', stderr: '' })
  })
})

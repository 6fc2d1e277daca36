import { existsSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  endProcesses,
  freshPath,
  readReport,
  runGodwit,
  startGodwit,
} from '../end-to-end/process.ts'
import { complaints, consoleLine, countsOn, isImpossible, needs, statusOf, Vm, Yard } from './vm.ts'

afterEach(endProcesses)

describe('godwit and VMs', () => {
  it('tells what is missing', async () => {
    for (const [args, code, text] of [
      [['send', 'qemu,qmp=/nowhere'], 2, /GUEST_OPTION: Guest qemu needs ram=/],
      [['send', 'qemu,qmp=/nowhere,ram=/nowhere'], 2, /FILE_UNREADABLE: .*memory-backend-file/],
      [['send', 'qemu,ram=/dev/null,qmp=/a', '--memory', '1GiB'], 2, /USAGE: .*leave --memory out/],
      [['demo', 'qemu,ram=/dev/null,qmp=/a'], 2, /USAGE: .*docs\/QEMU.md/],
    ] as const) {
      const to = args[0] === 'send' ? ['--to', '127.0.0.1:1'] : []
      const ended = await runGodwit(...args, ...to)
      expect(ended.stderr).toMatch(text)
      expect(ended.code).toBe(code)
    }
    const ended = await runGodwit(
      'receive',
      '--listen',
      '127.0.0.1:0',
      '--guest',
      'qemu,config=/no',
    )
    expect(ended.stderr).toMatch(/FILE_UNREADABLE: The configuration \/no cannot be read/)
  })
})

describe.skipIf(isImpossible)(`godwit moves a VM${needs}`, () => {
  let yard: Yard
  let vm: Vm
  /** QEMU of a VM that outlives its agent, and the folder of its sockets. */
  let left: number | undefined
  let leftFolder: string | undefined

  beforeAll(async () => {
    yard = new Yard()
    vm = await Vm.boot(yard, 'source')
  }, 180_000)
  afterAll(async () => {
    if (left !== undefined) process.kill(left, 'SIGKILL')
    if (leftFolder !== undefined) rmSync(leftFolder, { recursive: true })
    await vm.kill()
    yard.remove()
  })

  it('from QEMU to QEMU, twice; a VM outlives the agent, and --once ends it', async () => {
    const logs = ['first.log', 'second.log'].map((name) => yard.path(name))
    const receive = (log: string, ...rest: readonly string[]) => {
      const guest = `qemu,config=${yard.config(log)},ram=${yard.folder}`
      return startGodwit('receive', '--listen', '127.0.0.1:0', '--guest', guest, ...rest)
    }
    const first = receive(logs[0]!)
    const [, to] = await first.line(/^listening (.+)$/)
    const json = freshPath('report.json')
    const sent = `qemu,qmp=${vm.qmpPath},ram=${vm.ramPath}`
    const source = await runGodwit('send', sent, '--to', to!, '--json', json)
    expect(source).toMatchObject({ code: 0 })
    expect(readReport(json)).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    await vm.ended()
    const [, moved] = await first.line(/to move on from here: (qemu,qmp=\S+,ram=\S+)$/)
    await first.line(/memory .*equal|equal/)
    leftFolder = dirname(/qmp=(\S+),ram=/.exec(moved!)![1]!)
    left = Number(/QEMU process (\d+);/.exec(first.stderr)![1])
    first.signal('SIGINT')
    expect(await first.ended).toMatchObject({ code: 0 })
    await countsOn(logs[0]!)

    const second = receive(logs[1]!, '--once', '--run-for', '2s')
    const [, next] = await second.line(/^listening (.+)$/)
    const [, qmp = '', ram = ''] = /qmp=(\S+),ram=(\S+)$/.exec(moved!)!
    const again = await runGodwit('send', `${moved},after=keep`, '--to', next!, '--quiet')
    expect(again).toMatchObject({ code: 0, stderr: '' })
    expect(await second.ended).toMatchObject({ code: 0 })
    expect(await statusOf(qmp)).toBe('postmigrate')
    await consoleLine(logs[1]!, /^TICK /m)
    expect(complaints([vm.log, ...logs])).toEqual([])
    // The first destination's VM was left to itself: so are its files.
    expect(existsSync(ram)).toBe(true)
  }, 180_000)
})

/**
 * Clients of an agent that do not keep to what was agreed, and agents that are asked for names
 * although their guests have none.
 */
import { createConnection } from 'node:net'
import type { Socket } from 'node:net'
import { afterAll, describe, expect, it } from 'vitest'
import { callControl } from '../../packages/cli/src/control-connection.ts'
import type { AgentProcess } from './agents.ts'
import { startAgent } from './agents.ts'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import { endProcesses, freshPath, startDestination } from './process.ts'

afterAll(endCommandLines)
afterAll(endProcesses)

/** Of all clients that are told what is wrong. */
let shared: Promise<AgentProcess> | undefined

/** What is answered to bytes, until the agent ends the connection. */
function say(file: string, write: (socket: Socket) => void): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    const socket = createConnection(file, () => write(socket))
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += String(chunk)
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(text))
  })
}

function errorIn(answer: string): unknown {
  return (JSON.parse(answer) as { error?: unknown }).error
}

describe('a client of an agent', () => {
  it.each<[string, string, RegExp]>([
    ['says what is no JSON', 'hello\n', /one line of JSON/],
    ['says nothing', 'null\n', /"undefined" is not a command/],
    ['asks for what there is not', '{"command":"explode"}\n', /"explode".*there are run, migrate/],
    ['asks for what every object has', '{"command":"constructor"}\n', /"constructor"/],
    ['says more than anybody would', `${'x'.repeat(1 << 20)}\n`, /at most 16384 characters/],
    ['brings a line that is none', '{"command":"run","options":{"line":"{}"}}\n', /JSON array/],
    ['brings half a line', '{"command":"run","options":{"line":"["}}\n', /one line of JSON/],
    ['asks for help', '{"command":"run","options":{"line":"[\\"--help\\"]"}}\n', /.+/],
    [
      'brings options that there are not',
      '{"command":"run","options":{"line":"[\\"--colour=red\\",\\"x\\"]"}}\n',
      /unknown option/,
    ],
  ])('that %s is told so, and nothing else happens', async (_name, bytes, text) => {
    shared ??= startAgent()
    const { control, process } = await shared
    const error = errorIn(await say(control, (socket) => socket.write(bytes)))
    expect(error).toMatchObject({ code: 'USAGE', text: expect.stringMatching(text) })
    expect(await callControl(control, 'ls')).toEqual({ guests: [] })
    expect(process.isOver).toBe(false)
    expect(process.stdout).toMatch(/^listening [^\n]+\n$/)
  })

  it('that says nothing at all is dropped, and many of them keep nobody out for long', async () => {
    const { control } = await startAgent()
    const silent = Array.from({ length: 64 }, () => say(control, () => {}))
    expect(await Promise.all(silent)).toEqual(silent.map(() => ''))
    expect(await callControl(control, 'ls')).toEqual({ guests: [] })
  })
})

describe('names of guests', () => {
  it('are refused by an agent whose guests have none', async () => {
    const control = freshPath('control.sock')
    await startDestination('--control', control)
    for (const command of ['status', 'cancel']) {
      const named = await runCommandLine(command, 'web1', '--control', control)
      expect(named).toMatchObject({ code: 2, stderr: expect.stringMatching(/leave the name out/) })
    }
    expect((await runCommandLine('status', '--control', control)).code).toBe(0)
  })

  it('are asked for where there are some', async () => {
    const { control } = await startAgent()
    for (const command of ['cancel', 'switch', 'recover']) {
      const unnamed = await runCommandLine(command, '--control', control)
      expect(unnamed).toMatchObject({ code: 2, stderr: expect.stringMatching(/Which guest/) })
    }
    const settle = await runCommandLine('recover', 'web1', '--control', control)
    expect(settle).toMatchObject({ code: 2, stderr: expect.stringMatching(/no guest "web1"/) })
  })
})

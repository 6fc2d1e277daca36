/**
 * Nobody reads any more what is printed, as behind `| head -1`.
 */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Catalog } from '@godwit/catalog'
import { afterEach, describe, expect, it } from 'vitest'
import { fill } from '../catalog/transfer.ts'
import { until } from '../catalog/fixtures.ts'
import { askControl, endProcesses, freshPath } from './process.ts'

const main = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))

const children: ChildProcess[] = []
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await endProcesses()
})

/** A process whose standard output is closed before it has begun. */
function start(args: readonly string[]) {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  child.stdout.destroy()
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ended = once(child, 'close').then(([code]) => ({ code: code as number, stderr }))
  return { child, ended }
}

describe('a command that nobody hears any more', () => {
  it('ends quietly', async () => {
    const url = freshPath('fleet.db')
    const catalog = await Catalog.open(url)
    await fill(catalog, new Uint8Array(300_000))
    await catalog.close()
    const commands = [
      ['--help'],
      ...['ls', 'export -', 'show db --json'].map((text) => text.split(' ')),
    ]
    const ended = await Promise.all(
      commands.map(([name, ...rest]) => {
        const args = name === '--help' ? [name] : ['catalog', name!, ...rest, '--catalog', url]
        return start(args).ended
      }),
    )
    expect(ended).toEqual(commands.map(() => ({ code: 0, stderr: '' })))
  })

  it('says all the same what is wrong', async () => {
    const { code, stderr } = await start(['catalog', 'ls', '--catalog', freshPath('no.db')]).ended
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^godwit: CATALOG_UNKNOWN: .*\n$/)])
  })

  it('goes on with what it does', async () => {
    const control = freshPath('control.sock')
    const { child, ended } = start(['receive', '--listen', '127.0.0.1:0', '--control', control])
    const status = async () => askControl(control, 'status').catch(() => undefined)
    await until(async () => (await status()) !== undefined)
    expect(await status()).toMatchObject({ role: 'destination' })
    child.kill('SIGINT')
    expect(await ended).toEqual({ code: 0, stderr: '' })
  })
})

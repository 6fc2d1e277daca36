/**
 * Samples that say nothing, or are too large: nothing is stored of them.
 */
import { closeSync, ftruncateSync, openSync, writeFileSync } from 'node:fs'
import { Catalog } from '@godwit/catalog'
import { randomBytes } from '@godwit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { endProcesses, freshPath } from '../end-to-end/process.ts'
import { runHere } from './run-here.ts'

afterEach(endProcesses)

const pair = ['--os', 'debian/12', '--hypervisor', 'qemu/8.2']

/** An image of so many bytes, of which none is written. */
function sparse(byteLength: number): string {
  const file = freshPath('sparse.mem')
  const descriptor = openSync(file, 'w')
  ftruncateSync(descriptor, byteLength)
  closeSync(descriptor)
  return file
}

function image(): string {
  const file = freshPath('a.mem')
  writeFileSync(file, randomBytes(20 * 4096, 7))
  return file
}

describe('godwit catalog learn', () => {
  it.each([0, 4096, 40 * 4096])('refuses a sample without content, of %i bytes', async (size) => {
    const url = freshPath('fleet.db')
    const learn = (...files: string[]) =>
      runHere('catalog', 'learn', ...pair, ...files, '--catalog', url)
    const empty = sparse(size)
    for (const files of [[empty], [image(), empty]]) {
      const { code, stderr, stdout } = await learn(...files)
      const text = /^godwit: USAGE: .*sparse\.mem has no content: nothing is stored\n$/
      expect([code, stdout, stderr]).toEqual([2, '', expect.stringMatching(text)])
    }
    const catalog = await Catalog.open(url)
    expect(await catalog.maps.listLearning()).toEqual([])
    await catalog.close()
  })

  it.each([2 ** 34 + 1, 2 ** 43])(
    'refuses a sample of %d bytes before it is read',
    async (size) => {
      const url = freshPath('fleet.db')
      const large = sparse(size)
      const startMs = performance.now()
      const ended = await runHere('catalog', 'learn', ...pair, large, '--catalog', url)
      const pages = Math.ceil(size / 4096)
      const text = new RegExp(`^godwit: LIMIT_EXCEEDED: .*sparse\\.mem has ${pages} pages`)
      expect([ended.code, ended.stderr]).toEqual([1, expect.stringMatching(text)])
      // Reading it takes half a minute and more.
      expect(performance.now() - startMs).toBeLessThan(10_000)
    },
  )

  it('is seen after the first sample, too', async () => {
    const url = freshPath('fleet.db')
    const run = (...args: string[]) => runHere('catalog', ...args, '--catalog', url)
    expect((await run('learn', ...pair, image())).stdout).toMatch(/^one more sample makes a map$/m)
    for (const options of [[], ['--maps']]) {
      const { stdout } = await run('ls', ...options)
      expect(stdout).toMatch(/^debian\/12 +qemu\/8\.2 +4 KiB +none yet/m)
    }
    expect((await run('ls', '--vms')).stderr).toMatch(/nothing of that/)
    const { learning, maps } = JSON.parse((await run('ls', '--json')).stdout) as {
      readonly learning: readonly unknown[]
      readonly maps: readonly unknown[]
    }
    expect([learning.length, maps]).toEqual([1, []])
    const other = freshPath('b.mem')
    writeFileSync(other, randomBytes(20 * 4096, 8))
    await run('learn', ...pair, other)
    expect((await run('ls')).stdout).not.toMatch(/none yet/)
  })
})

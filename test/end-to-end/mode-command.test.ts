/**
 * `godwit send --mode` and `--fetch`: what is refused before a guest is started.
 */
import { afterAll, expect, it } from 'vitest'
import { endCommandLines, runCommandLine } from './command-lines.ts'

afterAll(endCommandLines)

const nowhere = ['--to', '127.0.0.1:9', '--memory', '1MiB', '--quiet']

it.each<[string[], RegExp]>([
  [['--mode', 'warp'], /"warp" is not a mode; there are pre-copy, stop-copy, post-copy, hybrid/],
  [['--mode', 'hybrid,rounds=0'], /"rounds=0" is no rule of hybrid/],
  [['--mode', 'post-copy,stall'], /"post-copy,stall" is not a mode/],
  [['--mode', 'hybrid,working-set=2m'], /"working-set=2m": stores are watched .* up to 60s/],
  [['--mode', 'hybrid,working-set', '--tracker', 'scan'], /working-set: the scan tracker sees no/],
  [['--fetch', 'push'], /fetch=push: mode pre-copy has no post-copy/],
  [['--fetch', 'push', '--mode', 'stop-copy'], /fetch=push: mode stop-copy has no post-copy/],
])('%j is refused', async (options, text) => {
  const ended = await runCommandLine('send', 'idle', ...options, ...nowhere)
  expect({ code: ended.code, stdout: ended.stdout }).toEqual({ code: 2, stdout: '' })
  expect(ended.stderr).toMatch(/^godwit: USAGE: [^\n]+\n$/)
  expect(ended.stderr.trim()).toMatch(text)
})

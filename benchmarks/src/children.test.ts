import { once } from 'node:events'
import { afterEach, expect, it } from 'vitest'
import { beginBenchmark, endChildren, failure, interruptBenchmark, start } from './children.ts'
import { firstLine } from './process.ts'

/** Says that it is there, and goes on for ever. */
function startNode(onTerm: string) {
  const told = `process.on('SIGTERM', () => {${onTerm}})`
  const script = `${told}; setInterval(() => {}, 1e6); console.log('here')`
  return start(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
}

// Tests of other files have this module, too.
afterEach(beginBenchmark)

it('processes are asked to end, then made to', async () => {
  const children = [startNode('process.exit(7)'), startNode('')]
  await Promise.all(children.map(firstLine))
  await endChildren(300)
  expect(children.map(({ exitCode, signalCode }) => [exitCode, signalCode])).toEqual([
    [7, null],
    [null, 'SIGKILL'],
  ])
  await endChildren()
})

it('what waits for a process that an interrupt ended tells of that alone', async () => {
  expect(failure('it broke')).toMatchObject({ message: 'it broke' })
  const child = start(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const said = firstLine(child)
  await once(child, 'spawn')
  const [outcome] = await Promise.allSettled([said, interruptBenchmark()])
  expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'CANCELLED' } })
  expect(failure('it broke')).toMatchObject({ code: 'CANCELLED' })
  beginBenchmark()
  expect(failure('it broke')).toMatchObject({ message: 'it broke' })
})

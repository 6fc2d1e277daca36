import type { Clock } from '@godwit/core'
import { systemClock } from '@godwit/core'
import { expect, it } from 'vitest'
import { DropLog } from './drop-log.ts'

const silent = { code: 'PEER_SILENT', message: 'too late' }

it('a flood of dropped connections is a few lines and a count', () => {
  const due: (() => void)[] = []
  const after: Clock['after'] = (_ms, task) => {
    due.push(task)
    return () => void due.splice(due.indexOf(task), 1)
  }
  const lines: string[] = []
  const log = new DropLog({ ...systemClock, after }, (line) => lines.push(line))
  for (let i = 0; i < 1000; i++) log.dropped(`tcp 10.0.0.1:${i}`, silent)
  expect(lines).toHaveLength(5)
  expect(lines[0]).toBe('godwit: PEER_SILENT: tcp 10.0.0.1:0 was dropped: too late')
  expect(due).toHaveLength(1)
  due.pop()!()
  expect(lines.splice(0)[5]).toBe('995 more of this within 10.00 s')
  let isTold = false
  log.tell(() => {
    isTold = true
  })
  expect(isTold).toBe(true)
  log.close()
  expect(lines).toEqual([])
  expect(due).toEqual([])
})

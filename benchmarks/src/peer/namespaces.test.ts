import { describe, expect, it } from 'vitest'
import { parseCounters, staleNames } from './namespaces.ts'

const counters = `Inter-|   Receive                            |  Transmit
 face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop
    lo: 1 2 3 4 5 6 7 8 900 10 11 12 13 14 15 16
peer0:123456789 20 0 0 0 0 0 0 987654321 30 0 0 0 0 0 0
`

describe('parseCounters', () => {
  it('reads what came and what was sent, with and without a space behind the name', () => {
    expect(parseCounters(counters, 'lo')).toEqual({ received: 1, sent: 900 })
    expect(parseCounters(counters, 'peer0')).toEqual({
      received: 123_456_789,
      sent: 987_654_321,
    })
  })

  it('refuses an interface that is not there', () => {
    expect(() => parseCounters(counters, 'peer')).toThrow('no interface peer')
  })
})

it('only our namespaces whose process is gone are stale', () => {
  const list = 'other\ngodwit-12-source (id: 0)\ngodwit-12-destination\ngodwit-34-source\n'
  const alive = new Set([34])
  const stale = staleNames(list, (pid) => alive.has(pid))
  expect(stale).toEqual(['godwit-12-source', 'godwit-12-destination'])
})

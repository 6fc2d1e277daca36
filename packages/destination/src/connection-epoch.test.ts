import { GodwitError } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import { ConnectionEpoch } from './connection-epoch.ts'

function codeOf(action: () => void): string {
  try {
    action()
  } catch (thrown) {
    if (thrown instanceof GodwitError) return thrown.code
    throw thrown
  }
  return 'taken'
}

describe('the epoch of a connection', () => {
  it.each([
    [2, 'EPOCH_STALE', 'EPOCH_STALE'],
    [3, 'PROTOCOL_STATE', 'taken'],
    [4, 'taken', 'PROTOCOL_STATE'],
  ])('%i after 3: control %s, other channels %s', (asked, control, other) => {
    const epoch = new ConnectionEpoch()
    epoch.value = 3
    expect(codeOf(() => epoch.checkNew(asked, 0))).toBe(control)
    expect(codeOf(() => epoch.checkCurrent(asked))).toBe(other)
  })

  it('does not come sooner than channels of earlier ones end', () => {
    const epoch = new ConnectionEpoch()
    expect(codeOf(() => epoch.checkNew(1, 256))).toBe('taken')
    expect(codeOf(() => epoch.checkNew(1, 257))).toBe('LIMIT_EXCEEDED')
  })
})

import { MIB } from '@godwit/core'
import { expect, test } from 'vitest'
import { measureTracking } from '../scripts/measure.ts'
import { probePagemap } from './probe.ts'

const probe = await probePagemap()
const reason = probe.ok ? '' : ` (${probe.reason})`

test.skipIf(!probe.ok)(`the measurements run${reason}`, async () => {
  const { scanMs, ...stores } = await measureTracking(4 * MIB, 3)
  const values = [...Object.values(scanMs), ...Object.values(stores)]
  expect(values).toHaveLength(7)
  expect(values.every((value) => value > 0)).toBe(true)
})

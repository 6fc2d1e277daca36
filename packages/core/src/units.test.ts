import { expect, it } from 'vitest'
import { formatDurationMs } from './units.ts'

it.each([
  [59_994, '59.99 s'],
  [60_000, '1 min 0 s'],
  [119_400, '1 min 59 s'],
  [119_700, '2 min 0 s'],
])('%d ms is %s', (ms, text) => {
  expect(formatDurationMs(ms)).toBe(text)
})

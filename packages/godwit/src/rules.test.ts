import type { Guest } from '@godwit/core'
import { parseBandwidth } from '@godwit/policy'
import { expect, it } from 'vitest'
import { type RuleOptions, rulesFor, rulesOf } from './rules.ts'

it('a policy for bandwidth goes with the preset bda, which needs one', () => {
  const bandwidth = parseBandwidth('fixed,rate=8Mbit')
  const rules = rulesOf({ preset: 'bda', policy: { bandwidth } })
  expect(rules.bandwidth!.setting).toBe('fixed,rate=8Mbit')
  expect(rules.select!.name).toBe('ppc')
  expect(() => rulesOf({ preset: 'bda' })).toThrow('give --bandwidth')
})

it.each([
  [{ preset: 'auto' }, false, 'hybrid'],
  [{ preset: 'auto' }, true, 'pre-copy'],
  [{ preset: 'auto', mode: 'hybrid' }, true, 'hybrid'],
])('%j of a guest of another process (%s) goes by %s', (options, isForeign, mode) => {
  const guest = { isForeign, regions: [], identity: { kind: 'qemu', options: {} } }
  const rules = rulesFor(rulesOf(options as RuleOptions), guest as unknown as Guest, undefined)
  expect(rules.mode).toBe(mode)
  expect(rules.auto!.beginning).toContain(mode === 'hybrid' ? 'post-copy' : 'a longer pause')
})

import { parseBandwidth } from '@godwit/policy'
import { expect, it } from 'vitest'
import { rulesOf } from './rules.ts'

it('a policy for bandwidth goes with the preset bda, which needs one', () => {
  const bandwidth = parseBandwidth('fixed,rate=8Mbit')
  const rules = rulesOf({ preset: 'bda', policy: { bandwidth } })
  expect(rules.bandwidth!.setting).toBe('fixed,rate=8Mbit')
  expect(rules.select!.name).toBe('ppc')
  expect(() => rulesOf({ preset: 'bda' })).toThrow('give --bandwidth')
})

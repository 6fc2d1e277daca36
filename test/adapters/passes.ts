/**
 * Registers the suite.
 *
 * @module
 */
import type { AdapterUnderTest } from 'godwit/adapter-suite'
import { adapterCases } from 'godwit/adapter-suite'
import { describe, expect, it } from 'vitest'

/**
 * @param idle - names of what there is nothing to try of: what is skipped unnoticed is no case
 * @param maybe - names of what this machine may have, or not
 */
export function passes(
  name: string,
  adapter: AdapterUnderTest,
  idle: readonly string[],
  maybe: readonly string[] = [],
): void {
  describe(`adapter: ${name}`, () => {
    it.each(adapterCases(adapter))('$name', async (one) => {
      const reason = await one.play()
      if (maybe.includes(one.name)) return
      expect({ reason, isIdle: reason !== undefined }).toMatchObject({
        isIdle: idle.includes(one.name),
      })
    })
  })
}

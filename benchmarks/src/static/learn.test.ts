import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { benchLearn } from './learn.ts'

const folder = mkdtempSync(join(tmpdir(), 'godwit-learn-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('the cases of learning', () => {
  it('are measured, and everything that was learned is found', async () => {
    const cases = await benchLearn({ quick: true, repeat: 1, say: () => {}, folder })
    expect(cases.map(({ name, unit }) => [name, unit])).toEqual([
      ['learning', 'ms'],
      ['static map', 'ratio'],
      ['search', 'ms'],
    ])
    expect(cases.every(({ median }) => median > 0)).toBe(true)
    expect(cases[1]!.pass).toBe(true)
  })
})

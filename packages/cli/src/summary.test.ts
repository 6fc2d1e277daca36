import type { Report } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import { formatSummary } from './summary.ts'

const report: Report = {
  schema: 'godwit.report/1',
  role: 'source',
  outcome: 'completed',
  stages: [],
  wireBytes: 4096,
  rounds: [],
}

describe('a summary', () => {
  const counts = { entries: 1200, heldEntries: 900, pages: 850, ms: 1.5 }
  const about = { mode: 'content', os: 'debian/13', hypervisor: 'qemu/10', mapVersion: 3 } as const

  it.each([
    [
      { ...about, ...counts, repairedPages: 64 },
      'map 3 of debian/13 on qemu/10, by content; 900 of 1,200 contents are there; ' +
        '850 pages named; 64 pages sent once more',
    ],
    [
      {
        entries: 0,
        heldEntries: 0,
        pages: 0,
        ms: 0,
        reason: 'the destination has nowhere to look',
      },
      '0 pages named; the destination has nowhere to look',
    ],
  ])('says what the destination had before: %#', (known, text) => {
    const lines = formatSummary({ ...report, static: known }).replaceAll(/\n {2,}/g, ' ')
    expect(lines.replaceAll(/\s+/g, ' ')).toContain(`static pages ${text}`)
  })

  it('obeys nobody, whatever a peer says', () => {
    const evil = 'x\u001b]0;owned\u0007\nmemory   equal\u009b2J'
    const error = { code: 'INTERNAL', text: evil, phase: evil } as const
    const guest = { kind: evil, options: {} }
    const known = { ...about, ...counts, os: evil, hypervisor: evil, reason: evil }
    const told = { ...report, error, guest, memoryBytes: 4096, mode: 'pre-copy', static: known }
    const text = formatSummary(told as Report)
    expect(text).not.toMatch(/(?!\n)\p{Cc}/u)
    expect(text).not.toMatch(/^memory/m)
  })

  it('says nothing of it where nothing was offered', () => {
    expect(formatSummary(report)).not.toContain('static')
  })
})

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

describe('what auto decided', () => {
  it('is told in order, with the round', () => {
    const decisions = [
      { round: 0, atMs: 1, text: 'pre-copy, for a pause of 300 ms' },
      { round: 2, atMs: 900, text: 'switch-over: 1 MiB left' },
    ]
    const text = formatSummary({ ...report, decisions }).replaceAll(/ {2,}/g, ' | ')
    expect(text).toMatch(/decided \| round 0: pre-copy, .*\ndecided \| round 2: switch-over: /)
  })
})

describe('what ended the rounds', () => {
  it.each([
    [
      { rule: 'downtime', expectedMs: 42, limitMs: 300, dirtyPages: 1200 },
      'downtime: 42 ms expected, 300 ms allowed, 1,200 pages dirty',
    ],
    [
      {
        rule: 'ratio+wws',
        firstRoundBytes: 4096,
        laterRoundsBytes: 3072,
        dirtyPages: 9,
        lastDirtyPages: 9,
      },
      'ratio+wws: 3 KiB sent again, 4 KiB in round 1; 9 pages dirty, 9 a round before',
    ],
    [
      { rule: 'budget', totalBytes: 4096, memoryBytes: 1024, factor: 3 },
      'budget: 4 KiB sent of 1 KiB',
    ],
    [{ rule: 'held', round: 3, heldPages: 1200 }, 'held: all that is left is held: 1,200 pages'],
    [{ rule: 'timeout', elapsedMs: 5001, limitMs: 5000 }, 'timeout: after 5 s, 5 s allowed'],
  ])('%j', (stop, text) => {
    const lines = formatSummary({ ...report, stop }).replaceAll(/\s+/g, ' ')
    expect(lines.replaceAll(/(\d)\.0+ /g, '$1 ')).toContain(`stopped by ${text}`)
  })

  it('tells what was held in rounds, where something was, and what was dropped', () => {
    const one = { round: 1, pages: 8, bytes: 4096, ms: 1, bandwidth: 1, paused: false }
    const text = formatSummary({
      ...report,
      droppedPages: 1500,
      rounds: [{ ...one, heldPages: 7 }],
    })
    expect(text).toMatch(/pages +held +bytes/)
    expect(text).toMatch(/8 +7 +4/)
    expect(text).toContain('1,500 pages that the guest gave up')
    expect(formatSummary({ ...report, rounds: [one] })).not.toContain('held')
  })
})

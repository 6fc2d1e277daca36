import { describe, expect, it } from 'vitest'
import { formatRelease, parseName, parseRelease } from './names.ts'
import { isLive, samePair } from './records.ts'

const os = { name: 'debian', version: '12' }
const hypervisor = { name: 'qemu', version: '8.2' }

describe('samePair', () => {
  it('is of names and versions, and never of what is unknown', () => {
    const later = { ...os, version: '13' }
    expect(samePair({ os, hypervisor }, { os: { ...os }, hypervisor })).toBe(true)
    expect(samePair({ os, hypervisor }, { os: later, hypervisor })).toBe(false)
    expect(samePair({ os, hypervisor }, { os, hypervisor: os })).toBe(false)
    expect(samePair({ os: null, hypervisor }, { os: null, hypervisor })).toBe(false)
    expect(samePair({ os, hypervisor: null }, { os, hypervisor })).toBe(false)
  })
})

describe('isLive', () => {
  it('ends with the lease, and never for what has none', () => {
    const entry = { updatedMs: 0, heartbeatMs: 1000, leaseMs: 30 }
    expect([1029, 1030].map((nowMs) => isLive(entry, nowMs))).toEqual([true, false])
    expect(isLive({ updatedMs: 0, heartbeatMs: null, leaseMs: null }, 9e15)).toBe(true)
  })
})

describe('names', () => {
  it.each(['debian/12', 'Windows-Server/10.0.20348', 'qemu/1:8.2+dfsg~rc1'])('%s', (text) => {
    expect(formatRelease(parseRelease(text))).toBe(text)
  })

  it.each(['debian', 'debian/', '/12', 'a/b/c', 'debian/12 ', 'de bian/12', `a/${'1'.repeat(64)}`])(
    'no release: %j',
    (text) => {
      expect(() => parseRelease(text)).toThrow(expect.objectContaining({ code: 'USAGE' }))
    },
  )

  it.each(['', '.a', '-a', 'a/b', 'a\n', 'é', 'a'.repeat(65)])('no name: %j', (text) => {
    expect(() => parseName(text)).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })
})

import { describe, expect, it } from 'vitest'
import { hello } from '../test/hello.ts'
import { checkWelcome, negotiate } from './terms.ts'

const terms = { software: '', pageBytes: [], dataChannelsMax: 4, heartbeatMs: 1000 }
const lacking = expect.objectContaining({ code: 'PROTOCOL_CAPABILITY' })

describe.each(['post-copy', 'hybrid'] as const)('mode %s', (mode) => {
  it('is refused unless post-copy is required', () => {
    for (const optional of [[], ['post-copy']]) {
      expect(() => negotiate({ ...hello, mode, optional }, terms)).toThrow(lacking)
    }
    const offer = { ...hello, mode, required: ['post-copy'] }
    const welcome = negotiate(offer, terms)
    expect(welcome.capabilities).toEqual(['post-copy'])
    expect(() => checkWelcome(offer, welcome)).not.toThrow()
  })

  it('is given up by a source whose destination does not say that it can do it', () => {
    const offer = { ...hello, mode, required: ['post-copy'] }
    const welcome = { ...negotiate(offer, terms), capabilities: [] }
    expect(() => checkWelcome(offer, welcome)).toThrow(lacking)
  })
})

it.each(['stop-copy', 'pre-copy'] as const)('mode %s needs no capability', (mode) => {
  expect(negotiate({ ...hello, mode }, terms).capabilities).toEqual([])
})

it('a source that wants to ask whose the guest is may, and is not made to', () => {
  const offer = { ...hello, optional: ['ownership'] }
  const welcome = negotiate(offer, terms)
  expect(welcome.capabilities).toEqual(['ownership'])
  expect(() => checkWelcome(offer, welcome)).not.toThrow()
  expect(() => checkWelcome(offer, { ...welcome, capabilities: [] })).not.toThrow()
  expect(negotiate(hello, terms).capabilities).toEqual([])
  expect(() => checkWelcome(hello, welcome)).toThrow(lacking)
})

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

describe('static pages', () => {
  const staticNonce = new Uint8Array(16).fill(7)
  const able = { ...terms, capabilities: ['static'], staticNonce }
  const offer = { ...hello, optional: ['static'] }

  it('come with a nonce, where both sides want them', () => {
    const welcome = negotiate(offer, able)
    expect(welcome).toMatchObject({ capabilities: ['static'], staticNonce })
    expect(() => checkWelcome(offer, welcome)).not.toThrow()
    for (const none of [negotiate(hello, able), negotiate(offer, terms)]) {
      expect(none.capabilities).toEqual([])
      expect(none.staticNonce).toBe(undefined)
    }
  })

  it('are given up where there is a nonce and no capability, or the other way round', () => {
    const { staticNonce: _, ...without } = negotiate(offer, able)
    expect(() => checkWelcome(offer, without)).toThrow(lacking)
    const only = { ...negotiate(offer, terms), staticNonce }
    expect(() => checkWelcome(offer, only)).toThrow(lacking)
  })
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

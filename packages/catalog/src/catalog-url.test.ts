import { describe, expect, it } from 'vitest'
import { parseCatalogUrl } from './catalog-url.ts'
import { databaseError } from './database.ts'

describe('parseCatalogUrl', () => {
  it.each([
    ['fleet.db', 'sqlite', 'fleet.db'],
    ['sqlite:/var/fleet.db', 'sqlite', '/var/fleet.db'],
    ['./a:b.db', 'sqlite', './a:b.db'],
    ['postgres://db.example/fleet', 'postgres', 'postgres://db.example/fleet'],
    ['PostgreSQL://u:p@db.example:5433/fleet?x=1', 'postgres', 'postgres://db.example:5433/fleet'],
    ['postgres:///fleet?host=/run/postgresql', 'postgres', 'postgres:///fleet'],
  ])('%s', (text, kind, name) => {
    expect(parseCatalogUrl(text)).toMatchObject({ kind, name })
  })

  it.each(['', 'sqlite:', ':memory:', 'a\0b', 'mysql://u:hush@h/d', 'postgres:u:hush@h/d'])(
    'is refused without a word of its password: %j',
    (text) => {
      expect(() => parseCatalogUrl(text)).toThrow(expect.objectContaining({ code: 'USAGE' }))
      expect(() => parseCatalogUrl(text)).not.toThrow(/hush/)
    },
  )

  it.each([
    'postgres://u:hu%2Fsh@h/d',
    'postgres://u:hu/sh@h/d',
    'postgres://u:hu@sh@h/d',
    'postgres://u:hu?sh@h/d',
    'postgres://u:hu#sh@h/d',
    'postgres://h/d?user=u&password=hu%2Fsh',
  ])('has no part of a password in its name: %s', (text) => {
    expect(parseCatalogUrl(text).name).toBe('postgres://h/d')
  })
})

describe('databaseError', () => {
  it.each(['postgres://u:hu%2Fsh@h/d', 'postgres://h/d?password=hu%2Fsh'])(
    'does not repeat a password that a driver tells, however it is written: %s',
    (url) => {
      const thrown = new Error('cannot use hu/sh,\nor hu%2Fsh')
      const error = databaseError(thrown, parseCatalogUrl(url))
      expect(error.message).toBe('The catalog postgres://h/d: cannot use ***, or ***')
      expect(error.cause).toBeUndefined()
    },
  )

  it('tells of all addresses that were tried', () => {
    const errors = [new Error('no IPv6'), new Error('refused')]
    const place = parseCatalogUrl('postgres://h/d')
    const error = databaseError(new AggregateError(errors, ''), place)
    expect(error.message).toBe('The catalog postgres://h/d: no IPv6; refused')
  })
})

import { describe, expect, it } from 'vitest'
import { isReleaseName } from './release-name.ts'

describe('the name of a release', () => {
  it.each([
    'debian/12',
    'qemu/1:8.2+dfsg~rc1',
    'a/0',
    `${'n'.repeat(64)}/${'v'.repeat(63)}`,
    'Red_Hat.x-1/9',
  ])('is %j', (text) => {
    expect(isReleaseName(text)).toBe(true)
  })

  it.each([
    '',
    'debian',
    '/12',
    'debian/',
    'debian/12/13',
    '-a/1',
    'a/-1',
    'debian/12\n',
    'debian\u001b[2J/12',
    'debian/12\u009b2J',
    'd\u00e9bian/12',
    'a b/1',
    `${'n'.repeat(65)}/1`,
    `a/${'v'.repeat(64)}`,
  ])('is not %j', (text) => {
    expect(isReleaseName(text)).toBe(false)
  })
})

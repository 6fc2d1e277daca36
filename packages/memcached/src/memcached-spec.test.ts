import { describe, expect, it } from 'vitest'
import { identityOf, parseMemcached, readIdentity, THREADS_MAX } from './memcached-spec.ts'

describe('threads of a memcached guest', () => {
  it('are one where nothing is said, and then nothing is said to the peer', () => {
    expect(parseMemcached('memcached,port=5').identity.options).toEqual({ port: 5 })
    expect(parseMemcached('memcached,port=5,threads=1').identity.options).toEqual({ port: 5 })
    expect(readIdentity({ kind: 'memcached', options: {} }).threads).toBe(1)
  })

  it('are told to the peer, who reads them', () => {
    const { identity } = parseMemcached('memcached,port=5,next=6,threads=16')
    expect(identity.options).toEqual({ port: 5, next: 6, threads: THREADS_MAX })
    const read = readIdentity(identity)
    expect(read).toEqual({ port: 5, next: 6, threads: 16 })
    expect(identityOf(read)).toEqual(identity)
  })

  it.each(['0', '17', '-1', '1.5', '', '1e1', '999'])('are not "%s"', (threads) => {
    const refused = expect.objectContaining({ code: 'GUEST_OPTION' }) as Error
    expect(() => parseMemcached(`memcached,threads=${threads}`)).toThrow(refused)
    const identity = { kind: 'memcached', options: { threads } }
    expect(() => readIdentity(identity)).toThrow('is not 1 to 16')
  })
})

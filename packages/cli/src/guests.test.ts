import { describe, expect, it } from 'vitest'
import { absoluteGuest } from './guests.ts'

describe('names of files of a guest', () => {
  it.each([
    ['qemu,qmp=vm.qmp,ram=/dev/shm/vm', 'qemu,qmp=/here/vm.qmp,ram=/dev/shm/vm'],
    ['writer,wss=1MiB,file=../image', 'writer,wss=1MiB,file=/image'],
    ['memcached,relay=r.sock,port=0', 'memcached,relay=/here/r.sock,port=0'],
    ['cpu', 'cpu'],
    ['writer,file=', 'writer,file='],
  ])('%s begin where the client is', (text, absolute) => {
    expect(absoluteGuest(text, '/here')).toBe(absolute)
  })
})

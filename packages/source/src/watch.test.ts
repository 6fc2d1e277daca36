import { CancelledError, systemClock } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import { Watch } from './watch.ts'

describe('waiting for somebody else', () => {
  it('gives what it comes to', async () => {
    await expect(new Watch().until(async () => 7)).resolves.toBe(7)
  })

  it('fails as it fails', async () => {
    const failed = new Watch().until(() => Promise.reject(new Error('gone')))
    await expect(failed).rejects.toThrow('gone')
  })

  it('ends when waits are over, and nobody is asked any more', async () => {
    const watch = new Watch()
    const waiting = watch.until(() => new Promise(() => {}))
    watch.end()
    await expect(waiting).resolves.toBeUndefined()
    const asked = watch.until(() => Promise.reject(new Error('asked')))
    await expect(asked).resolves.toBeUndefined()
  })

  it('fails when all is over, and so does whoever waits later', async () => {
    const watch = new Watch()
    const waiting = watch.until(() => new Promise(() => {}))
    watch.end(new CancelledError())
    await expect(waiting).rejects.toThrow(CancelledError)
    await expect(watch.until(async () => 7)).rejects.toThrow(CancelledError)
    await expect(watch.wait(systemClock, 1)).rejects.toThrow(CancelledError)
  })
})

import { setImmediate } from 'node:timers/promises'
import type { Thread } from '@godwit/core'
import { GodwitError } from '@godwit/core'
import { afterEach, describe, expect, it } from 'vitest'
import { parentThread } from './parent-thread.ts'
import { entryUrl, startThread } from './thread.ts'

const threads: Thread<unknown, unknown>[] = []

afterEach(async () => {
  for (const thread of threads) thread.end()
  await Promise.all(threads.splice(0).map((thread) => thread.ended))
})

/** A thread whose whole program is `code`; `port` is its line to this one. */
function start(code: string): Thread<unknown, unknown> {
  const { href } = new URL('./parent-thread.ts', import.meta.url)
  const program = `import { parentThread } from '${href}'\nconst port = parentThread()\n${code}`
  const thread = startThread(new URL(`data:text/javascript,${encodeURIComponent(program)}`), 'one')
  threads.push(thread)
  return thread
}

/** The next `count` messages. */
function hear(thread: Thread<unknown, unknown>, count: number): Promise<unknown[]> {
  const messages: unknown[] = []
  return new Promise((resolve) => {
    thread.listen((message) => {
      messages.push(message)
      if (messages.length === count) resolve(messages)
    })
  })
}

const echo = 'port.listen((message) => port.post(message))'

describe('startThread', () => {
  it('keeps what was said before anybody listened, at both ends, in order', async () => {
    const thread = start(`port.post(1); port.post(2); ${echo}`)
    for (const message of [3, 4]) thread.post(message)
    const done = start('port.post(0)')
    expect(await hear(done, 1)).toEqual([0])
    expect(await hear(thread, 4)).toEqual([1, 2, 3, 4])
  })

  it('shares shared memory', async () => {
    const thread = start('port.listen((words) => { Atomics.store(words, 0, 7); port.post(0) })')
    const words = new Int32Array(new SharedArrayBuffer(4))
    thread.post(words)
    await hear(thread, 1)
    expect(words[0]).toBe(7)
  })

  it('ends when told, and says nothing afterwards', async () => {
    const thread = start(`port.post('ready'); ${echo}`)
    expect(await hear(thread, 1)).toEqual(['ready'])
    thread.post('late')
    thread.end()
    thread.end()
    expect(await thread.ended).toBeUndefined()
    thread.post('too late')
    await setImmediate()
  })

  it('ends a thread that has not even begun, or never would come to listen', async () => {
    for (const code of ['', 'for (;;) {}']) {
      const thread = start(code)
      thread.end()
      expect(await thread.ended).toBeUndefined()
    }
  })

  it.each([
    ['throws', "throw new Error('no way')", 'The thread "one" ended by itself: no way'],
    ['returns', '', 'The thread "one" ended by itself'],
    ['leaves', 'process.exit(3)', 'The thread "one" ended by itself'],
    ['cannot be loaded', "await import('node:nothing')", /ended by itself: .*node:nothing/],
  ])('tells of one that %s', async (_name, code, text) => {
    const error = await start(code).ended
    expect(error).toBeInstanceOf(GodwitError)
    expect(error!.code).toBe('INTERNAL')
    expect(error!.message).toMatch(text)
  })

  it('hears the last words of one that died', async () => {
    const thread = start("port.post('farewell'); process.exit()")
    const heard = hear(thread, 1)
    await thread.ended
    expect(await heard).toEqual(['farewell'])
  })
})

it('parentThread is for threads only', () => {
  expect(() => parentThread()).toThrow('this is the main thread')
})

it('entryUrl follows what is beside the module: sources or built files', () => {
  const [source, built] = ['file:///a/b/index.ts', 'file:///a/b/index.js']
  expect(entryUrl('./lane.ts', source).href).toBe('file:///a/b/lane.ts')
  expect(entryUrl('./lane.ts', built).href).toBe('file:///a/b/lane.js')
})

/**
 * What goes wrong with threads that wait in the kernel, each in a process of its own that is killed
 * when it does not end: nothing else could end it.
 */
import { spawn } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { probeUserfault } from './userfault-probe.ts'

const probe = await probeUserfault()
const options = { concurrent: true }
const reason = probe.ok ? '' : ` (${probe.reason})`

const urlOf = (path: string): string => new URL(path, import.meta.url).href

/** A guest of 16 pages, all missing but armed, whose page `n` is to hold 1 + n. */
const prelude = `
import { closeSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { allocateRegion } from '${urlOf('../../memory/src/index.ts')}'
import { loadSystemCalls } from '${urlOf('./system-calls.ts')}'
import { UserfaultPager } from '${urlOf('./userfault-pager.ts')}'
const calls = await loadSystemCalls()
const region = allocateRegion({ id: 0, name: 'ram', byteLength: 65536 })
const bytes = region.bytes.fill(200)
const pager = new UserfaultPager({
  calls, regions: [region], pageBytes: 4096, endProcess: () => calls.exit(7),
})
pager.discard(0, 0, 16)
pager.arm()
const heard = []
pager.listen((_, page) => heard.push(page))
const until = async (isTrue) => {
  while (!isTrue()) {
    pager.drain()
    await setImmediate()
  }
}
const content = new Uint8Array(new SharedArrayBuffer(4096))
const place = (page) => {
  pager.states[0].claim(page)
  pager.placers[0].put(page, content.fill(1 + page), 0, 4096)
  pager.states[0].arrived(page)
}
const words = new Int32Array(bytes.buffer)
const result = new Int32Array(new SharedArrayBuffer(16))
const thread = (source) => new Worker(
  "const { parentPort, workerData } = require('node:worker_threads')\\n" +
    'const { bytes, words, result, placing } = workerData\\n' + source,
  { eval: true, execArgv: [], workerData: { bytes, words, result, placing: pager.placing } },
)
const say = (what) => process.stdout.write(String(what))
`

/** For what must not happen to have had its chance. */
const hangMs = 1500

/**
 * How a process ended that does this: `exit 7: what it said`, or what killed it.
 *
 * @param hangsAfter - it is given up some time after it said this, and killed
 */
function run(script: string, hangsAfter?: string): Promise<string> {
  const node = [process.execPath, '--input-type=module', '-e', prelude + script]
  const child = spawn('timeout', ['--foreground', '-s', 'KILL', '20', ...node], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  const hear = (text: Buffer): void => {
    said += text.toString()
    if (said === hangsAfter) setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), hangMs)
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  return new Promise((resolve) => {
    child.on('close', (status, signal) => {
      // There are two ways to say so.
      const isKilled = status === 137 || signal === 'SIGKILL'
      const isTerminated = status === 143 || signal === 'SIGTERM'
      const how = isKilled ? 'killed' : isTerminated ? 'terminated' : `exit ${status}`
      resolve(`${how}: ${said}`)
    })
  })
}

describe.skipIf(!probe.ok)(`a thread that waits for a page${reason}`, options, () => {
  const waiting = `
    const worker = thread('result[0] = 1 + bytes[5 * 4096]')
    await until(() => heard.length === 1)
  `

  test('makes process.exit() hang', async () => {
    expect(await run(`${waiting} say('waits'); process.exit(3)`, 'waits')).toBe('killed: waits')
  })

  test('makes worker.terminate() hang', async () => {
    expect(await run(`${waiting} say('waits'); await worker.terminate(); say('!')`, 'waits')).toBe(
      'killed: waits',
    )
  })

  test('lets the process end by exit(), which abandon() leads to', async () => {
    expect(await run(`${waiting} calls.exit(3)`)).toBe('exit 3: ')
    expect(await run(`${waiting} pager.abandon()`)).toBe('exit 7: ')
  })

  test('lets the process end by SIGTERM', async () => {
    const script = `${waiting} process.kill(process.pid, 'SIGTERM'); await until(() => false)`
    expect(await run(script)).toBe('terminated: ')
  })

  test('goes on with zeros when the descriptor is closed, which close() refuses', async ({
    expect,
  }) => {
    const ended = "while (result[0] === 0) await setImmediate(); say('found ' + (result[0] - 1))"
    expect(await run(`${waiting} closeSync(pager.descriptor); ${ended}; calls.exit(0)`)).toBe(
      'exit 0: found 0',
    )
    const refused = 'try { pager.close() } catch (error) { say(error.code + ", ") }'
    expect(await run(`${waiting} ${refused} place(5); ${ended}; calls.exit(0)`)).toBe(
      'exit 0: INTERNAL, found 6',
    )
  })

  test('of a system call gets its page, too', async () => {
    const script = `
      import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
      import { open } from 'node:fs/promises'
      import { tmpdir } from 'node:os'
      const folder = mkdtempSync(tmpdir() + '/uffd-')
      const file = await open(folder + '/pages', 'w+')
      const written = file.write(bytes, 3 * 4096, 8192)
      let isDone = false
      written.finally(() => (isDone = true))
      await until(() => heard.length === 1)
      place(3)
      await until(() => heard.length === 2)
      place(4)
      await until(() => isDone)
      const found = readFileSync(folder + '/pages')
      say([heard, found.length, found[0], found[4095], found[4096], found[8191]])
      rmSync(folder, { recursive: true })
      calls.exit(0)
    `
    expect(await run(script)).toBe('exit 0: 3,4,8192,4,4,5,5')
  })
})

describe.skipIf(!probe.ok)(`Atomics.wait at a missing page${reason}`, options, () => {
  const notifying = `
    await until(() => heard.length === 1)
    say('heard, ')
    Atomics.notify(result, 3)
    place(2)
    await until(() => Atomics.notify(words, 2048) === 1)
    await until(() => result[0] === 1)
    say('went on')
    calls.exit(0)
  `
  // Page 2 holds 3 in every byte.
  const value = 0x03030303

  test('holds up whoever notifies anybody, and so who brings the page', async () => {
    const waits = `Atomics.wait(words, 2048, ${value}); result[0] = 1`
    const how = await run(`thread('${waits}'); ${notifying}`, 'heard, ')
    // The main thread's own runtime may have come to the lock before.
    expect(how).toMatch(/^killed: (heard, )?$/)
  })

  test('is harmless with loadAndWait', async () => {
    const waits = `
      import("${urlOf('../../core/src/threads.ts')}").then(({ loadAndWait }) => {
        loadAndWait(words, 2048, ${value})
        result[0] = 1
      })
    `
    expect(await run(`thread(\`${waits}\`); ${notifying}`)).toBe('exit 0: heard, went on')
  })
})

test.skipIf(!probe.ok)(`a thread of its own brings pages to all others${reason}`, async () => {
  // Everything it uses was handed over as plain values; the main thread waits in the kernel.
  const pagerThread = `
    Promise.all([
      import("${urlOf('./system-calls.ts')}"),
      import("${urlOf('./userfault-reader.ts')}"),
      import("${urlOf('./userfault-placer.ts')}"),
      import("${urlOf('../../core/src/page-states.ts')}"),
      import("${urlOf('./descriptor-calls.ts')}"),
    ]).then(async ([{ loadSystemCalls }, { UserfaultReader }, { createPlacers }, core, polls]) => {
      const calls = await loadSystemCalls()
      const { poll } = await polls.loadDescriptorCalls()
      const reader = new UserfaultReader(calls, placing)
      const [placer] = createPlacers(calls, placing)
      const states = new core.PageStates(placing.regions[0].states)
      const content = new Uint8Array(4096)
      const entries = Int32Array.of(placing.descriptor, 1)
      parentPort.postMessage('ready')
      while (result[1] === 0) {
        if (!poll(entries, 10)) continue
        reader.drain((region, page) => {
          states.claim(page)
          placer.put(page, content.fill(1 + page), 0, 4096)
          states.arrived(page)
        })
      }
      parentPort.postMessage('over')
    })
  `
  const script = `
    const worker = thread(\`${pagerThread}\`)
    await new Promise((resolve) => worker.once('message', resolve))
    const found = Array.from({ length: 16 }, (_, page) => bytes[(15 - page) * 4096 + 17])
    // The page is there before it is said to be.
    await until(() => pager.isComplete)
    result[1] = 1
    // It does not read a descriptor that is closed.
    await new Promise((resolve) => worker.once('message', resolve))
    pager.close()
    say([found, pager.faults.count, heard.length])
    await worker.terminate()
  `
  const pages = Array.from({ length: 16 }, (_, page) => 16 - page)
  expect(await run(script)).toBe(`exit 0: ${pages.join()},16,0`)
})

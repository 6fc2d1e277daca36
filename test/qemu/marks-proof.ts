/**
 * Runs in a VM whose kernel keeps soft-dirty bits: what they tell of another process that stores to
 * a file in memory is compared with what is in the file. A line for each thing that was tried.
 *
 * @module
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { ftruncateSync, openSync, readSync, writeSync } from 'node:fs'
import { type PageBitmap } from '@godwit/core'
import { SoftDirtyMarks } from '@godwit/linux'
import type { StorerOrder } from './marks-storer.ts'

const pageBytes = 4096
const pageCount = 4096
const byteLength = pageCount * pageBytes
const path = '/dev/shm/ram'
const rounds = 12
const raceMs = 40

function tell(name: string, value: unknown): void {
  console.log(`PROOF ${name} ${JSON.stringify(value)}`)
}

const file = openSync(path, 'w+')
ftruncateSync(file, byteLength)
// All of it is there.
writeSync(file, new Uint8Array(byteLength).fill(1), 0, byteLength, 0)

function open(): SoftDirtyMarks {
  const regionBytes = [byteLength / 4, (byteLength * 3) / 4]
  const opened = SoftDirtyMarks.open({ path, file, regionBytes, kernelPageBytes: pageBytes })
  if ('reason' in opened) throw new Error(opened.reason)
  return opened
}

async function start(): Promise<ChildProcess> {
  const url = new URL('./marks-storer.ts', import.meta.url)
  const child = fork(url, [path, `${byteLength}`])
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`the process that stores has ended: ${code} ${signal}`)
  })
  await Promise.race([once(child, 'message'), ended])
  // Later ones are the test's own doing.
  ended.catch(() => {})
  return child
}

async function order(child: ChildProcess, what: StorerOrder): Promise<void> {
  child.send(what)
  await once(child, 'message')
}

/** Pages that count as stored to. */
function marked(marks: SoftDirtyMarks): ReadonlySet<number> | undefined {
  let first = 0
  const found = marks.findUnmarked(pageBytes)?.flatMap((bitmap: PageBitmap) => {
    const pages = [...Array(bitmap.pageCount).keys()].filter((page) => !bitmap.has(page))
    const here = pages.map((page) => page + first)
    first += bitmap.pageCount
    return here
  })
  return found === undefined ? undefined : new Set(found)
}

function content(): Buffer {
  const bytes = Buffer.alloc(byteLength)
  readSync(file, bytes, 0, byteLength, 0)
  return bytes
}

function changed(before: Buffer, after: Buffer): readonly number[] {
  const pageOf = (bytes: Buffer, page: number): Buffer =>
    bytes.subarray(page * pageBytes, (page + 1) * pageBytes)
  return [...Array(pageCount).keys()].filter((page) => {
    return !pageOf(before, page).equals(pageOf(after, page))
  })
}

const storer = await start()
const marks = open()

marks.begin()
tell('begun', marks.lost ?? 'yes')
const stored = [0, 7, 1023, 1024, 4095]
await order(storer, { pages: stored })
tell('first', [...(marked(marks) ?? [])])
await order(storer, { pages: [7, 8] })
tell('second', [...(marked(marks) ?? [])])
marks.begin()
await order(storer, { pages: [9] })
tell('anew', [...(marked(marks) ?? [])])

let [missed, changes, falsely] = [0, 0, 0]
for (let round = 0; round < rounds; round++) {
  await order(storer, 'race')
  marks.begin()
  const before = content()
  const endMs = performance.now() + raceMs
  while (performance.now() < endMs) {
    marked(marks)
    await new Promise(setImmediate)
  }
  await order(storer, 'stop')
  const found = marked(marks) ?? new Set()
  const pages = changed(before, content())
  changes += pages.length
  missed += pages.filter((page) => !found.has(page)).length
  falsely += found.size - pages.length
}
tell('race', { lost: marks.lost ?? 'no', missed, changes: changes > 0, falsely })

const second = await start()
const twice = SoftDirtyMarks.open({
  path,
  file,
  regionBytes: [byteLength],
  kernelPageBytes: pageBytes,
})
tell('twice', 'reason' in twice ? twice.reason.replaceAll(/\d+/g, 'N') : 'opened')
second.kill()
storer.kill()
await once(storer, 'exit')
tell('ended', [marked(marks) === undefined, marks.lost])
process.exit()

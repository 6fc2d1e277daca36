/**
 * A process that has a file in its memory and stores to it as it is told: a page of each of the
 * numbers, or pages here and there until it is told to stop.
 *
 * @module
 */
import { openSync } from 'node:fs'
import { FileMemory, loadFileMemory } from '@godwit/linux'
import { allocateRegion } from '@godwit/memory'

/** What it is told, and answers when it is done. */
export type StorerOrder = { readonly pages: readonly number[] } | 'race' | 'stop'

const pageBytes = 4096
const storesPerTurn = 500

const [path = '', size = ''] = process.argv.slice(2)
const byteLength = Number(size)
const region = allocateRegion({ id: 0, name: 'ram', byteLength, comparesInPlace: true })
const calls = await loadFileMemory()
const memory = new FileMemory(calls, region, openSync(path, 'r+'), 0, byteLength)
const { bytes } = memory.region
const words = new Uint32Array(bytes.buffer, bytes.byteOffset, byteLength / 4)
let count = 0
let isRacing = false

function store(page: number): void {
  // Another content every time.
  words[(page * pageBytes) / 4 + (count % 1000)] = ++count
}

function race(): void {
  for (let i = 0; i < storesPerTurn && isRacing; i++) {
    store(Math.floor((Math.random() * byteLength) / pageBytes))
  }
  if (isRacing) setImmediate(race)
}

process.on('message', (order: StorerOrder) => {
  isRacing = order === 'race'
  if (isRacing) race()
  else if (order !== 'stop' && order !== 'race') order.pages.forEach(store)
  process.send!('done')
})
process.send!('ready')

/**
 * How long it takes to learn a map from two guests, how large it is, and how long to find what is
 * in it in a sibling. Files are in memory already: disks are not what is measured.
 *
 * @module
 */
import { randomFillSync } from 'node:crypto'
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { CONTENT_HASH_BYTES, GIB, MIB } from '@godwit/core'
import { Learning, encodeStaticMap } from '@godwit/static'
import { NodeStaticFinder, learnSamples } from 'godwit'
import type { BenchOptions } from '../benchmark.ts'
import type { Case, CaseFacts } from '../result.ts'
import { toCase } from '../result.ts'

const pageBytes = 4096
const pair = { os: 'debian/12', hypervisor: 'qemu/7.2' }
/** Of ten pieces of 1 MiB: so many are the same at their place, and so many elsewhere. */
const same = 4
const moved = 2

export interface LearnOptions extends Pick<BenchOptions, 'quick' | 'repeat' | 'say'> {
  /** Where two images may be written. */
  readonly folder: string
}

interface Samples {
  readonly learnMs: number[]
  readonly bytesPerPage: number[]
  readonly searchMs: number[]
}

export async function benchLearn({ quick, repeat, say, folder }: LearnOptions): Promise<Case[]> {
  const memoryBytes = quick ? 40 * MIB : GIB
  say('making two images')
  const files = [join(folder, 'learn-a.ram'), join(folder, 'learn-b.ram')] as const
  writeImages(files, memoryBytes)
  const samples: Samples = { learnMs: [], bytesPerPage: [], searchMs: [] }
  for (let i = 0; i < repeat; i++) {
    say(`learning, ${i + 1} of ${repeat}`)
    await measureOnce(files, samples)
  }
  const facts: readonly CaseFacts[] = [
    {
      name: 'learning',
      metric: 'two images, 60 % in common',
      unit: 'ms',
      values: samples.learnMs,
      bar: { op: '<=', value: 4000 },
    },
    {
      name: 'static map',
      metric: 'bytes per page beside its hash',
      unit: 'ratio',
      values: samples.bytesPerPage,
      bar: { op: '<=', value: 2 },
    },
    {
      name: 'search',
      metric: 'one sibling in a file, escdr-content',
      unit: 'ms',
      values: samples.searchMs,
      bar: { op: '<=', value: 1000 },
    },
  ]
  return facts.map(toCase)
}

async function measureOnce(files: readonly [string, string], samples: Samples): Promise<void> {
  for (const file of files) readFileSync(file)
  const beginMs = performance.now()
  const learning = Learning.begin({ ...pair, pageBytes })
  await learnSamples(
    learning,
    files.map((file) => ({ file })),
  )
  const map = learning.map()!
  const bytes = encodeStaticMap(map)
  samples.learnMs.push(performance.now() - beginMs)
  const entries = map.hashes.length / CONTENT_HASH_BYTES
  samples.bytesPerPage.push((bytes.length - map.hashes.length) / entries)

  const finder = new NodeStaticFinder({
    maps: [bytes],
    siblings: () => [{ file: files[1] }],
  })
  const counts = { entries, positions: map.positions.length, version: map.version }
  const proof = new Uint8Array(16)
  const offer = { kind: 'map', ...pair, ...counts, mode: 'content', proof } as const
  const offered = [{ offer, provesSecret: () => true }]
  const searchedMs = performance.now()
  const { signal } = new AbortController()
  const [found] = await finder.find(offered, { pageBytes, regions: [] }, signal)
  samples.searchMs.push(performance.now() - searchedMs)
  const held = found?.places.origin.filter((origin) => origin === 0).length ?? 0
  if (held !== entries) throw new Error(`${held} of ${entries} entries were found`)
}

function writeImages([a, b]: readonly [string, string], memoryBytes: number): void {
  const [first, second] = [new Uint8Array(MIB), new Uint8Array(MIB)]
  const [fileA, fileB] = [openSync(a, 'w'), openSync(b, 'w')]
  try {
    for (let at = 0; at < memoryBytes; at += MIB) {
      randomFillSync(first)
      const kind = (at / MIB) % 10
      if (kind < same) second.set(first)
      else if (kind < same + moved) second.set(first.subarray(0, MIB - pageBytes), pageBytes)
      else randomFillSync(second)
      writeSync(fileA, first, 0, MIB, at)
      writeSync(fileB, second, 0, MIB, at)
    }
  } finally {
    closeSync(fileA)
    closeSync(fileB)
  }
}

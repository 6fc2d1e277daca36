/**
 * Learning a map from two guests of 1 GiB, and the map's size.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CONTENT_HASH_BYTES, GIB, MIB, PAGE_BYTES_DEFAULT } from '@godwit/core'
import { Learning, encodeStaticMap } from '@godwit/static'
import { learnSamples } from 'godwit'
import type { Case } from '../result.ts'
import { toCase } from '../result.ts'
import type { SiblingImage } from './images.ts'
import type { Part, PartOptions } from './part.ts'
import { writeMemory } from './synthetic.ts'

const limitSeconds = 4
/** Beside its hash. */
const bytesPerPageMax = 2

export const learnPart: Part = {
  name: 'learn',
  needsLink: false,
  needsImages: true,
  async measure({ quick, repeat, images, folder, say }: PartOptions): Promise<Case[]> {
    const memoryBytes = quick ? 64 * MIB : GIB
    const files = [0, 1].map((odd) => {
      say(`making sample ${odd + 1}`)
      const file = join(folder, `sample-${odd}.ram`)
      const every2nd = images.filter((_, i) => i % 2 === odd)
      writeMemory(file, memoriesOf(every2nd, memoryBytes))
      return file
    })
    const seconds: number[] = []
    const sizes: number[] = []
    for (let i = 0; i < repeat; i++) {
      say(`${i + 1} of ${repeat}`)
      const { tookMs, mapBytes, entries } = await learn(files)
      seconds.push(tookMs / 1e3)
      sizes.push(mapBytes / entries - CONTENT_HASH_BYTES)
    }
    return learnRows(seconds, sizes)
  },
}

function learnRows(seconds: readonly number[], sizes: readonly number[]): Case[] {
  const name = 'learning from two guests of 1 GiB'
  return [
    toCase({
      name,
      metric: 'time, files read from the cache',
      unit: 's',
      values: seconds,
      bar: { op: '<=', value: limitSeconds },
    }),
    toCase({
      name,
      metric: "map's bytes per static page, beside its hash",
      unit: 'ratio',
      values: sizes,
      bar: { op: '<=', value: bytesPerPageMax },
    }),
  ]
}

/** Memory of smaller guests one after the other, and again from the first, up to a size. */
function* memoriesOf(images: readonly SiblingImage[], memoryBytes: number): Iterable<Uint8Array> {
  for (let [at, i] = [0, 0]; at < memoryBytes; i++) {
    const memory = readFileSync(images[i % images.length]!.file).subarray(0, memoryBytes - at)
    at += memory.length
    yield memory
  }
}

/** From nothing to the bytes of the map. */
async function learn(
  files: readonly string[],
): Promise<{ tookMs: number; mapBytes: number; entries: number }> {
  const startMs = performance.now()
  const pair = { os: 'debian/12', hypervisor: 'qemu/7.2' }
  const learning = Learning.begin({ ...pair, pageBytes: PAGE_BYTES_DEFAULT })
  await learnSamples(
    learning,
    files.map((file) => ({ file })),
  )
  const map = learning.map()!
  const mapBytes = encodeStaticMap(map).length
  const entries = map.hashes.length / CONTENT_HASH_BYTES
  return { tookMs: performance.now() - startMs, mapBytes, entries }
}

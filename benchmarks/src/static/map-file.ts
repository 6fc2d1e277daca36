/**
 * A static map in a file, as both ends of a migration have it from their catalogs.
 *
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PAGE_BYTES_DEFAULT } from '@godwit/core'
import { Learning, encodeStaticMap } from '@godwit/static'
import { learnSamples } from 'godwit'

/** What all images have; the names say nothing, as long as both ends have the same. */
const pair = { os: 'debian/12', hypervisor: 'qemu/7.2' }

/** Learns from files of memory. @returns where the map is */
export async function learnMap(folder: string, samples: readonly string[]): Promise<string> {
  const learning = Learning.begin({ ...pair, pageBytes: PAGE_BYTES_DEFAULT })
  await learnSamples(
    learning,
    samples.map((file) => ({ file })),
  )
  const file = join(folder, 'map')
  writeFileSync(file, encodeStaticMap(learning.map()!))
  return file
}

export function readMap(file: string): Uint8Array {
  return new Uint8Array(readFileSync(file))
}

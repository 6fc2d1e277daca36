/**
 * Made-up siblings, for machines without images of real ones: what pages have in common is what
 * was measured between real ones, but who has it in common, and what it is, is not.
 *
 * @module
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { MIB } from '@godwit/core'
import type { ContentMix } from '@godwit/guest'
import { CONTENT_RUN_BYTES, fillContent } from '@godwit/guest'
import type { Kaslr, SiblingImage } from './images.ts'

const imageCount = 4
/** Runs of memory, by their number: half of what is not zero is the same in all. */
const mix: ContentMix = { zero: 40, text: 30, heap: 20, random: 10 }
const commonSeed = 1
/** A seed of its own for each image, and for each kind. */
const ownSeeds: Record<Kaslr, number> = { on: 100, off: 200 }

/** Writes images of both kinds into a folder. */
export function makeSynthetic(folder: string, memoryBytes: number): readonly SiblingImage[] {
  const common = content(commonSeed, memoryBytes)
  return (['on', 'off'] as const).flatMap((kaslr) =>
    Array.from({ length: imageCount }, (_, i): SiblingImage => {
      const name = `${kaslr}-synthetic-${i}`
      const memory = content(ownSeeds[kaslr] + i, memoryBytes)
      mergeRuns(memory, common, kaslr === 'on' ? i : 0)
      const file = join(folder, `${name}.ram`)
      writeMemory(file, [memory])
      return { name, kaslr, file, memoryBytes }
    }),
  )
}

/** Fresh memory with content that no other seed makes. */
export function content(seed: number, memoryBytes: number): Uint8Array {
  const memory = new Uint8Array(memoryBytes)
  fillContent(memory, { mix, seed })
  return memory
}

/** Every second run is the common one; `shift` runs further on, so that frames differ. */
function mergeRuns(memory: Uint8Array, common: Uint8Array, shift: number): void {
  const runs = Math.floor(memory.length / CONTENT_RUN_BYTES)
  for (let run = 0; run < runs; run += 2) {
    const from = ((run + 2 * shift) % runs) * CONTENT_RUN_BYTES
    memory.set(common.subarray(from, from + CONTENT_RUN_BYTES), run * CONTENT_RUN_BYTES)
  }
}

/** Memory in one piece after the other. */
export function writeMemory(file: string, pieces: Iterable<Uint8Array>): void {
  const opened = openSync(file, 'w')
  try {
    for (const piece of pieces) {
      for (let at = 0; at < piece.length; at += 16 * MIB) {
        writeSync(opened, piece.subarray(at, at + 16 * MIB))
      }
    }
  } finally {
    closeSync(opened)
  }
}

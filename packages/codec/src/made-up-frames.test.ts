import { FRAME_HEADER_BYTES } from '@godwit/wire'
import { PAGE_BYTES_MAX } from '@godwit/core'
import { expect, it } from 'vitest'
import { BatchDecoder, batchDecoderBytes, emptyTotals } from './batch-decoder.ts'
import { NO_FEATURES } from './batch-features.ts'
import type { Compressor } from './compressor.ts'
import { madeUpFrames } from './made-up-frames.ts'
import { createPrimitives } from './primitives.ts'
import { madeUpTarget } from './warm-up.ts'
import { Workspace } from './workspace.ts'

const pageBytes = 4096

/** Inverts every byte. */
const inverting: Compressor = {
  parallel: 0,
  compress: (input, _settings, done) => done(inverted(input)),
  decompress: (input) => inverted(input),
}

function inverted(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte) => ~byte)
}

const threads: Compressor = { ...inverting, parallel: 2 }

it.each([
  ['nothing was agreed', NO_FEATURES, { zstd: inverting }, 1],
  ['zstd', { ...NO_FEATURES, zstd: true }, { zstd: inverting }, 3],
  ['LZ4', { ...NO_FEATURES, lz4: true }, { lz4: inverting }, 3],
  ['zstd on other threads', { ...NO_FEATURES, zstd: true }, { zstd: threads }, 1],
] as const)('made-up frames are decoded to the same pages: %s', async (_, features, own, count) => {
  const compressors = { ...own }
  const workspace = new Workspace(await createPrimitives(), batchDecoderBytes(pageBytes, 1))
  const hasher = workspace.createHasher('xxh3', new Uint8Array(8))
  const frames = madeUpFrames({ pageBytes, workspace, hasher, features, compressors })
  expect(frames).toHaveLength(count)
  const contents = frames.map((frame) => {
    const target = madeUpTarget(pageBytes, hasher)
    const decoder = new BatchDecoder({
      pageBytes,
      regions: [target],
      workspace,
      hasher,
      verifyHasher: hasher,
      features,
      storeBytes: 0,
      compressors,
    })
    const totals = emptyTotals()
    decoder.decode(frame.subarray(FRAME_HEADER_BYTES), 1, totals, false)
    expect(totals.rawPages + totals.compressedPages).toBe(16)
    return target.region.bytes
  })
  const [first] = contents
  expect(first!.some((byte) => byte !== 0)).toBe(true)
  expect(contents.every((content) => Buffer.compare(content, first!) === 0)).toBe(true)
})

it('made-up frames take no more room than a slot, however large pages are', async () => {
  const workspace = new Workspace(await createPrimitives(), 0)
  const hasher = workspace.createHasher('xxh3', new Uint8Array(8))
  const options = { workspace, hasher, features: NO_FEATURES, compressors: {} }
  expect(madeUpFrames({ ...options, pageBytes: PAGE_BYTES_MAX })).toHaveLength(1)
})

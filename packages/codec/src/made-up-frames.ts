/**
 * Frames for a destination to be warmed up with: as they come from a source that compresses.
 *
 * @module
 */
import type { PageHasher } from '@godwit/core'
import {
  BatchCompression,
  FRAME_HEADER_BYTES,
  readBatchHeader,
  writeBatchHeader,
} from '@godwit/wire'
import { BatchEncoder, emptyBatch } from './batch-encoder.ts'
import type { BatchFeatures } from './batch-features.ts'
import { BatchSlot, batchPages } from './batch-slot.ts'
import type { Compressor, Compressors } from './compressor.ts'
import { madeUpPages } from './warm-up.ts'
import type { Workspace } from './workspace.ts'

export interface MadeUpFramesOptions {
  readonly pageBytes: number
  /** Gives room for one slot. */
  readonly workspace: Workspace
  readonly hasher: PageHasher
  /** What was negotiated. */
  readonly features: BatchFeatures
  readonly compressors: Compressors
}

/** Base-2 logarithm of the length of made-up records. */
const stride = 3
/** Small ones: what is called once a frame is to be called often, and time is short. */
const framePagesMax = 16

/**
 * PAGES frames of a few pages, their frame headers still to be written: as they are, and where that
 * was negotiated compressed, and transposed before.
 */
export function madeUpFrames(options: MadeUpFramesOptions): readonly Uint8Array[] {
  const { features, compressors } = options
  const plain = plainFrame(options)
  for (const [compressor, code] of [
    [features.zstd ? compressors.zstd : undefined, BatchCompression.Zstd],
    [features.lz4 ? compressors.lz4 : undefined, BatchCompression.Lz4],
  ] as const) {
    if (compressor?.parallel !== 0) continue
    return [
      plain,
      compressed(plain, 0, compressor, code),
      compressed(plain, stride, compressor, code),
    ]
  }
  return [plain]
}

function plainFrame({ pageBytes, workspace, hasher }: MadeUpFramesOptions): Uint8Array {
  const { dirty, sent } = madeUpPages(pageBytes, hasher)
  const framePages = Math.min(framePagesMax, batchPages(pageBytes))
  const slot = new BatchSlot(workspace, pageBytes, framePages)
  const out = emptyBatch()
  const encoder = new BatchEncoder({ pageBytes, workspace, hasher, raw: false })
  const work = { round: 1, sent, dirty, known: false, postCopy: false }
  encoder.encode(work, 0, dirty.pageCount, slot, out, framePages)
  return slot.bytes.slice(out.frameStart, out.frameEnd)
}

/** The same pages. @param compressor - one whose jobs are over when its call returns */
function compressed(
  frame: Uint8Array,
  strideLog: number,
  compressor: Compressor,
  compression: BatchCompression,
): Uint8Array {
  const body = frame.subarray(FRAME_HEADER_BYTES)
  const header = readBatchHeader(new DataView(body.buffer, body.byteOffset, body.length))
  const start = frame.length - header.payloadBytes
  const payload = transposed(frame.subarray(start), strideLog)
  const [head, level] = [frame.subarray(0, start), { level: 1, windowLog: 0 }]
  let whole = head
  compressor.compress(payload, level, (output) => {
    whole = new Uint8Array(start + output.length)
    whole.set(head)
    whole.set(output, start)
    const payloadBytes = output.length
    const own = { ...header, compression, stride: strideLog, payloadBytes }
    writeBatchHeader(new DataView(whole.buffer), FRAME_HEADER_BYTES, own)
  })
  return whole
}

/** As the kernels do it, of whole records only. */
function transposed(bytes: Uint8Array, strideLog: number): Uint8Array {
  const recordBytes = strideLog === 0 ? 1 : 2 ** strideLog
  const rows = bytes.length / recordBytes
  const out = new Uint8Array(bytes.length)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < recordBytes; column++) {
      out[column * rows + row] = bytes[row * recordBytes + column]!
    }
  }
  return out
}

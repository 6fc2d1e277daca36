import type { BatchDecoder } from '@godwit/codec'
import {
  BatchEncoder,
  BatchSlot,
  Workspace,
  batchPages,
  batchSlotBytes,
  createPrimitives,
  emptyBatch,
  madeUpPages,
} from '@godwit/codec'
import { PageBitmap, systemClock } from '@godwit/core'
import { HollowChannel, openHollow } from '@godwit/link'
import { FRAME_HEADER_BYTES, FrameType, encodeMessage, encodePageRuns } from '@godwit/wire'
import { expect, it } from 'vitest'
import { DestinationLane } from './lane.ts'

const pageBytes = 4096
const primitives = await createPrimitives()
/** As many as may lack in a round, and wait for a source that does not read. */
const naksMax = 256

/** Zero pages `[0, pageCount)` of region 0 once more, as the body of a frame. */
function repairOf(pageCount: number): Uint8Array {
  const workspace = new Workspace(primitives, batchSlotBytes(pageBytes, batchPages(pageBytes)))
  const hasher = workspace.createHasher('xxh3', new Uint8Array(8))
  const { sent } = madeUpPages(pageBytes, hasher)
  sent.region.bytes.fill(0)
  const dirty = new PageBitmap(pageCount)
  dirty.addAll()
  const slot = new BatchSlot(workspace, pageBytes)
  const out = emptyBatch()
  const encoder = new BatchEncoder({ pageBytes, workspace, hasher, raw: false })
  encoder.encode({ round: 1, sent, dirty, known: false, postCopy: false }, 0, pageCount, slot, out)
  return slot.bytes.slice(out.frameStart + FRAME_HEADER_BYTES, out.frameEnd)
}

it('a source that never reads what it is asked for ends, round by round though it goes on', () => {
  let lacking = 0
  let isRepair = false
  const nakOf = (round: number): object => {
    const runs = encodePageRuns([{ firstPage: lacking++, pageCount: 1 }])
    return { round, region: 0, runs }
  }
  const decoder = {
    close: () => {},
    decode: (_: Uint8Array, round: number) => (isRepair ? undefined : nakOf(round)),
    pageCountOf: () => 1024,
  } as unknown as BatchDecoder
  const owner = {
    installableRound: 1,
    isPostCopy: false,
    heard() {},
    barrier() {},
    laneClosed() {},
  }
  // Nothing that is written is ever taken: the clock's tasks do not run.
  const stuck = { nowMs: () => 0, after: () => () => {}, soon() {} }
  const lane = openHollow(new HollowChannel(stuck), systemClock, (link) => {
    return new DestinationLane(link, stuck, decoder, owner, new Uint8Array(65536))
  })
  const pages = { type: FrameType.Pages, body: new Uint8Array(64) }
  for (let i = 0; i < naksMax; i++) lane.frame(pages)
  const totals = { round: 1, batches: 0, pages: 0, digest: new Uint8Array(8) }
  lane.frame({ type: FrameType.Barrier, body: encodeMessage({ name: 'Barrier', body: totals }) })
  isRepair = true
  lane.frame({ type: FrameType.Pages, body: repairOf(naksMax) })
  owner.installableRound = 2
  isRepair = false
  expect(() => lane.frame(pages)).toThrow(expect.objectContaining({ code: 'LIMIT_EXCEEDED' }))
  lane.close()
})

/**
 * Runs an urgent channel before the guest runs here: it waits for every page that it asks for, for
 * the first ones, too.
 *
 * @module
 */
import type { Channel, Clock } from '@godwit/core'
import { PageStates } from '@godwit/core'
import {
  BatchDecoder,
  BatchEncoder,
  BatchSlot,
  NO_FEATURES,
  emptyBatch,
  madeUpPages,
  madeUpTarget,
  warmUpBatches,
} from '@godwit/codec'
import { Link } from '@godwit/link'
import { ChannelRole, FrameType } from '@godwit/wire'
import type { LaneOwner } from './lane.ts'
import { DestinationLane } from './lane.ts'
import { PageRequests } from './page-requests.ts'
import type { WarmUpOptions } from './warm-up.ts'

/** So many until the compiler is done with them. */
const requestsMax = 20_000
/** Raw ones and zero ones. */
const pageCount = 16
const slotPages = 2

const preface = { role: ChannelRole.Urgent, index: 0, epoch: 0, session: new Uint8Array(16) }

/**
 * Asks `far` for made-up pages and installs them as they come to `near`, one by one, while there is
 * nothing else to do, until these are destroyed.
 */
export function warmUpUrgent(
  near: Channel,
  far: Channel,
  clock: Clock,
  options: WarmUpOptions,
): void {
  const { pageBytes, workspace, hasher, verifyHasher, buffer, memoryBytes } = options
  if (warmUpBatches('decoder', workspace, memoryBytes, hasher, verifyHasher) === 0) return
  const states = PageStates.shared(pageCount)
  const decoder = new BatchDecoder({
    pageBytes,
    regions: [madeUpTarget(pageBytes, verifyHasher, states)],
    workspace,
    hasher,
    verifyHasher,
    features: NO_FEATURES,
    storeBytes: 0,
    compressors: {},
  })
  let requests: PageRequests | undefined
  let asked = 0
  const owner: LaneOwner = {
    installableRound: 1,
    isPostCopy: true,
    heard() {
      if (asked === requestsMax) return
      const page = asked++ % pageCount
      states.discard(page, page + 1)
      requests!.ask(0, page)
    },
    barrier() {},
    laneClosed() {},
  }
  const open = (_: unknown, link: Link): DestinationLane => {
    requests = new PageRequests(link, [{ id: 0, states }])
    owner.heard()
    return new DestinationLane(link, clock, decoder, owner, buffer, { isUrgent: true })
  }
  const link = new Link(near, clock, open, () => {})
  link.sendPreface(preface)
  answer(far, clock, options)
}

/** Sends one page after the other, as they are asked for. */
function answer(far: Channel, clock: Clock, options: WarmUpOptions): void {
  const frames = madeUpFrames(options)
  let sent = 0
  const open = (_: unknown, link: Link): { frame(): void; closed(): void } => {
    link.sendPreface(preface)
    return {
      frame() {
        const frame = frames[sent++ % pageCount]!
        link.sendInPlace(FrameType.Pages, frame, 0, frame.length, () => {})
      },
      closed() {},
    }
  }
  new Link(far, clock, open, () => {})
}

/** Batches of one page each, behind room for the headers of their frames. */
function madeUpFrames({ pageBytes, workspace, hasher }: WarmUpOptions): readonly Uint8Array[] {
  const { dirty, sent } = madeUpPages(pageBytes, hasher)
  const slot = new BatchSlot(workspace, pageBytes, slotPages)
  const encoder = new BatchEncoder({ pageBytes, workspace, hasher, raw: false })
  const work = { round: 1, sent, dirty, known: false, postCopy: true }
  return Array.from({ length: pageCount }, (_, page) => {
    const out = emptyBatch()
    encoder.encode(work, page, page + 1, slot, out, 1)
    return slot.bytes.slice(out.frameStart, out.frameEnd)
  })
}

/**
 * Runs an urgent channel before the guest is handed over: the guest waits for every page that is
 * asked for, for the first ones, too.
 *
 * @module
 */
import type { Clock } from '@godwit/core'
import { PageBitmap } from '@godwit/core'
import { Workspace, madeUpPages, warmUpBatches } from '@godwit/codec'
import { HollowChannel, openHollow } from '@godwit/link'
import { ChannelRole, FrameType, FrameWriter, encodeMessage } from '@godwit/wire'
import { FaultBoard } from './fault-board.ts'
import type { UrgentOptions } from './urgent.ts'
import { Urgent } from './urgent.ts'

/** So many until the compiler is done with them. */
const requestsMax = 12_000
/** Of one turn: fewer than may be on their way at once. */
const requestsPerTurn = 16

/**
 * Sends made-up pages to nobody, one by one, while there is nothing else to do.
 *
 * @param memoryBytes - of the guest: a small one is not worth much
 * @returns what ends it
 */
export function warmUpUrgent(
  clock: Clock,
  options: UrgentOptions,
  memoryBytes: number,
): () => void {
  const { pageBytes, primitives, createHasher } = options
  const workspace = new Workspace(primitives, 0)
  const hasher = createHasher(workspace)
  if (warmUpBatches('encoder', workspace, memoryBytes, hasher) === 0) return () => {}
  const { dirty, sent } = madeUpPages(pageBytes, hasher)
  const left = PageBitmap.shared(dirty.pageCount)
  const channel = new HollowChannel(clock)
  const own = { ...options, sent: [sent], onLost: () => {} }
  const urgent = openHollow(channel, clock, (link) => new Urgent(link, own), ChannelRole.Urgent)
  urgent.begin(1, false, { left: [left], board: new FaultBoard(), fetch: 'demand' })
  const writer = new FrameWriter()
  let isOver = false
  let asked = 0
  const ask = (): void => {
    if (isOver) return
    for (let i = 0; i < requestsPerTurn; i++) {
      const page = asked++ % dirty.pageCount
      left.add(page)
      const body = encodeMessage({ name: 'PageRequest', body: { region: 0, page } })
      channel.feed(writer.frame(FrameType.PageRequest, body))
    }
    if (asked < requestsMax) clock.soon(ask)
  }
  clock.soon(ask)
  return () => {
    isOver = true
    urgent.close()
  }
}

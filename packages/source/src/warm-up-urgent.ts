/**
 * Runs an urgent channel before the guest is handed over: the guest waits for every page that is
 * asked for, for the first ones, too.
 *
 * @module
 */
import type { Channel, Clock } from '@godwit/core'
import { PageBitmap } from '@godwit/core'
import { Workspace, madeUpPages, warmUpBatches } from '@godwit/codec'
import { Link } from '@godwit/link'
import { ChannelRole } from '@godwit/wire'
import { openLink } from './channels.ts'
import { FaultBoard } from './fault-board.ts'
import type { UrgentOptions } from './urgent.ts'
import { Urgent } from './urgent.ts'

/** So many until the compiler is done with them. */
const requestsMax = 20_000

const preface = { role: ChannelRole.Urgent, index: 0, epoch: 0, session: new Uint8Array(16) }

/**
 * Sends made-up pages from `near` to `far`, one by one, while there is nothing else to do, until
 * these are destroyed.
 *
 * @param memoryBytes - of the guest: a small one is not worth much
 */
export function warmUpUrgent(
  near: Channel,
  far: Channel,
  clock: Clock,
  options: UrgentOptions,
  memoryBytes: number,
): void {
  const { pageBytes, primitives, createHasher } = options
  const workspace = new Workspace(primitives, 0)
  const hasher = createHasher(workspace)
  if (warmUpBatches('encoder', workspace, memoryBytes, hasher) === 0) return
  const { dirty, sent } = madeUpPages(pageBytes, hasher)
  const left = PageBitmap.shared(dirty.pageCount)
  const own = { ...options, sent: [sent], onLost: () => {} }
  const begin = (link: Link): Urgent => {
    const urgent = new Urgent(link, own)
    urgent.begin(1, false, { left: [left], board: new FaultBoard(), fetch: 'demand' })
    return urgent
  }
  openLink(near, clock, preface, begin, () => {})
  let asked = 0
  const ask = (link: Link): void => {
    if (asked === requestsMax) return
    const page = asked++ % dirty.pageCount
    left.add(page)
    link.sendMessage({ name: 'PageRequest', body: { region: 0, page } })
  }
  const open = (_: unknown, link: Link): { frame(): void; closed(): void } => {
    link.sendPreface(preface)
    ask(link)
    return { frame: () => ask(link), closed() {} }
  }
  new Link(far, clock, open, () => {})
}

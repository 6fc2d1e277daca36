/**
 * Who makes a guest wait that runs before all of its pages are here.
 *
 * @module
 */
import type { CreatePager } from '@godwit/core'
import { GodwitError, pagesCovering } from '@godwit/core'
import { UserfaultPager, loadSystemCalls, probeUserfault } from '@godwit/linux'
import { GatePager } from '@godwit/memory'

/**
 * `auto` and `gate`: the guest itself, where it is of a kind that enters pages before it touches
 * them. `uffd`: the kernel, whatever touches a page; of Linux, where koffi is installed.
 */
export type PagerChoice = 'auto' | 'gate' | 'uffd'

/** What {@link PagerChoice} takes. */
export const PAGER_CHOICES: readonly PagerChoice[] = ['auto', 'gate', 'uffd']

/** Of a process that ends since pages never come that its threads wait for. */
const lostExitCode = 6

/** For plain memory whose threads enter pages before they touch them. */
export const createGatePager: CreatePager = (regions, pageBytes) => {
  return new GatePager(regions.map(({ bytes }) => pagesCovering(bytes.length, pageBytes)))
}

/**
 * @returns undefined where the guest itself waits
 * @throws {GodwitError} `USAGE` with the reason why `uffd` cannot be had
 */
export async function choosePager(choice: PagerChoice): Promise<CreatePager | undefined> {
  if (choice !== 'uffd') return undefined
  const probe = await probeUserfault()
  if (!probe.ok) throw new GodwitError('USAGE', `The uffd pager cannot be had: ${probe.reason}`)
  const calls = await loadSystemCalls()
  const endProcess = (): void => calls.exit(lostExitCode)
  return (regions, pageBytes) => new UserfaultPager({ calls, regions, pageBytes, endProcess })
}

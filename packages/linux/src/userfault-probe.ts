/**
 * Whether threads can be made to wait for missing pages on this machine: tried, not guessed.
 *
 * @module
 */
import { PAGE_BYTES_MAX, toGodwitError } from '@godwit/core'
import { allocateProbe, type Probe } from './probe.ts'
import { loadSystemCalls, type SystemCalls } from './system-calls.ts'
import { UserfaultPager } from './userfault-pager.ts'

/** {@link Probe}, and whether system calls wait, too: `Userfault.servesSystemCalls`. */
export type UserfaultProbe =
  | { readonly ok: true; readonly servesSystemCalls: boolean }
  | Exclude<Probe, { ok: true }>

let cached: Promise<UserfaultProbe> | undefined

/** Drops a little memory and brings it back. Runs once; never rejects. */
export function probeUserfault(): Promise<UserfaultProbe> {
  cached ??= probeUserfaultWith(loadSystemCalls)
  return cached
}

/** {@link probeUserfault} with system calls of one's own, every time. */
export async function probeUserfaultWith(
  load: () => Promise<SystemCalls>,
): Promise<UserfaultProbe> {
  try {
    return tryPaging(await load())
  } catch (error) {
    return { ok: false, reason: toGodwitError(error).message }
  }
}

/** No thread waits here: pages are brought before anybody looks. */
function tryPaging(calls: SystemCalls): UserfaultProbe {
  const bytes = allocateProbe(2)
  const region = { id: 0, name: 'probe', bytes }
  bytes.fill(1)
  const pageBytes = PAGE_BYTES_MAX
  const pager = new UserfaultPager({ calls, regions: [region], pageBytes, endProcess: () => {} })
  pager.discard(0, 0, 2)
  pager.arm()
  const [placer] = pager.placers
  placer!.put(0, new Uint8Array(pageBytes).fill(7), 0, pageBytes)
  placer!.clear(1, 2)
  for (const page of [0, 1]) pager.states[0]!.arrived(page)
  pager.close()
  const isRight = bytes.every((byte, at) => byte === (at < pageBytes ? 7 : 0))
  if (isRight) return { ok: true, servesSystemCalls: pager.servesSystemCalls }
  return { ok: false, reason: 'pages that the kernel put in place are not what was brought' }
}

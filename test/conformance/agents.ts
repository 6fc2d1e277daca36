/**
 * Godwit's own agents, for the suite to judge.
 *
 * @module
 */
import type { StartedSource } from '@godwit/conformance'
import type { GuestHost, IncomingGuest } from '@godwit/core'
import { GodwitError, KIB, LimitError, MIB, pagesCovering } from '@godwit/core'
import { WorkloadHost } from '@godwit/guest'
import { GatePager, allocateRegion } from '@godwit/memory'
import { parseEncode } from '@godwit/policy'
import { createDialler } from '@godwit/transport'
import type { Receiver } from 'godwit'
import { receive } from 'godwit'
import { createSource } from '../end-to-end/rig.ts'
import { ShadowGuest } from '../end-to-end/shadow.ts'
import { content, imageOf, mapOffering } from '../end-to-end/static-sibling.ts'

/** Every n-th of long lists of variants; all of them take minutes. */
export const isLong: boolean = process.env['GODWIT_LONG'] !== undefined

/** Guests that arrive run so long; theirs is the memory of the next ones. */
const runForMs = 100
const memoryBytes = 256 * KIB
const memoryBytesMax = 64 * MIB

/** Takes in memory, and nothing that runs in it: no threads, so that a session takes no time. */
class PlainHost implements GuestHost {
  async reserve(...[offer, zero]: Parameters<GuestHost['reserve']>): Promise<IncomingGuest> {
    const { identity, regions: shapes, pageBytes } = offer
    if (identity.kind !== 'plain') throw new GodwitError('GUEST_UNKNOWN', identity.kind)
    const byteCount = shapes.reduce((sum, { byteLength }) => sum + byteLength, 0)
    if (byteCount > memoryBytesMax) {
      const facts = { limit: 'memoryBytesMax', value: byteCount, maximum: memoryBytesMax }
      throw new LimitError('NO_ROOM', `${byteCount} bytes are too many`, facts)
    }
    const regions = shapes.map((shape) => allocateRegion(shape))
    await zero(regions, true)
    return {
      regions,
      pager: new GatePager(regions.map(({ bytes }) => pagesCovering(bytes.length, pageBytes))),
      restoreState: () => {},
      run: async () => {},
      stop: async () => ({ steps: 0, registers: new Uint8Array(0) }),
      discard: () => {},
    }
  }
}

/** One that listens; its guests are given back. */
export async function startDestination(kind: 'plain' | 'workload'): Promise<Receiver> {
  const host = kind === 'plain' ? new PlainHost() : new WorkloadHost()
  // A lane with a thread takes longer to start than a case to be played.
  const lanes = isLong && kind === 'workload' ? 2 : 0
  // It looks, and finds nothing: the suite has nothing that anybody could have.
  const finder = { find: () => Promise.resolve([]) }
  const options = { listen: '127.0.0.1:0', runForMs, lanes, static: finder }
  return receive(host, options, {
    ended(migration) {
      const stopped = migration.guestStopped ?? Promise.resolve(undefined)
      const release = (): Promise<void> => migration.release()
      void stopped.then(release, release)
    },
  })
}

/** A source of a guest that nobody runs, which tries again as long as it is not stopped. */
export function startSource(encode: string, bytes: number = memoryBytes) {
  return (address: string, mode: 'pre-copy' | 'post-copy'): StartedSource => {
    const memory = new Uint8Array(bytes)
    for (let at = 0; at < bytes / 2; at++) memory[at] = (at >> 12) + (at % 5)
    const dialler = createDialler(address)
    const settings = {
      mode,
      static: encode === 'raw' ? [] : [mapOffering('content'), imageOf(content(1))],
      encode: parseEncode(encode),
      heartbeatMs: 200,
      recoverMs: Infinity,
    }
    const migration = createSource(
      new ShadowGuest([memory]),
      (signal) => dialler.dial(signal),
      settings,
    )
    const done = migration.then((one) => one.run())
    return {
      async stop() {
        const one = await migration
        // What has lost its destination waits for it; what has not, hears of its end.
        const ended = done.then(() => true)
        while (!(await Promise.race([ended, turn()]))) if (one.isSuspended) one.giveUp()
      },
    }
  }
}

function turn(): Promise<false> {
  return new Promise((resolve) => setImmediate(() => resolve(false)))
}

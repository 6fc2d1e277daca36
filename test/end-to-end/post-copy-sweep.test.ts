/**
 * Post-copy with its connection cut at every frame from COMMIT on: one channel alone, or all at
 * once. A first migration tells which frames there are; each of the others loses one.
 */
import type { Channel, Clock } from '@godwit/core'
import { KIB, systemClock } from '@godwit/core'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import type { FetchName } from '@godwit/policy'
import type { Preface } from '@godwit/wire'
import { ChannelRole, decodePreface } from '@godwit/wire'
import { describe, expect, it } from 'vitest'
import { expectContinuous } from './oracle.ts'
import { createRig } from './rig.ts'
import type { Direction, UnitName, Verdict } from './tap.ts'
import { TapChannel } from './tap.ts'

const memoryBytes = 128 * KIB
const guestSpec = `writer,wss=${64 * KIB},rate=20000,threads=2,content=20/30/20/30`

/** Every frame takes minutes; without this every eleventh of them is cut. */
const isLong = process.env['GODWIT_LONG'] !== undefined
const stride = isLong ? 1 : 11

/** A lost connection is dialled again after a tenth of a second, and that is long. */
const quickClock: Clock = {
  ...systemClock,
  nowMs: () => systemClock.nowMs() * 20,
  after: (delayMs, task) => systemClock.after(delayMs / 20, task),
}

/** A frame by its place: the `index`-th unit of a channel in that direction. */
interface Place {
  readonly role: number
  readonly epoch: number
  readonly direction: Direction
  readonly index: number
}

interface Seen extends Place {
  readonly name: UnitName
}

interface Cut extends Seen {
  /** Before anybody gets it, or behind it. */
  readonly verdict: Extract<Verdict, 'lose' | 'cut'>
  readonly takes: 'one' | 'all'
}

const keyOf = ({ role, epoch, direction, index }: Place): string =>
  `${role}/${epoch}/${direction}/${index}`

/** The channels of one migration under the test's eyes. */
class Wire {
  /** From COMMIT on. */
  readonly seen: Seen[] = []
  /** Cuts that were come by. */
  readonly done: Cut[] = []
  readonly #cuts: ReadonlyMap<string, Cut>
  readonly #channels: { readonly channel: Channel; readonly isOf: (epoch: number) => boolean }[] =
    []
  #isCommitted = false

  constructor(cuts: readonly Cut[]) {
    this.#cuts = new Map(cuts.map((cut) => [keyOf(cut), cut]))
  }

  wrap(channel: Channel): Channel {
    let preface: Preface | undefined
    this.#channels.push({ channel, isOf: (epoch) => preface?.epoch === epoch })
    return new TapChannel(channel, ({ direction, name, index }, bytes) => {
      preface ??= decodePreface(bytes)!
      const { role, epoch } = preface
      if (name === 'Commit' && direction === 'written') this.#isCommitted = true
      if (!this.#isCommitted) return 'pass'
      const seen = { role, epoch, direction, index, name }
      this.seen.push(seen)
      const cut = this.#cuts.get(keyOf(seen))
      if (cut === undefined) return 'pass'
      this.done.push({ ...cut, name })
      if (cut.takes === 'all') this.#cutAll(epoch)
      return cut.verdict
    })
  }

  /** Every channel of a connection, whatever is on its way. */
  #cutAll(epoch: number): void {
    for (const { channel, isOf } of this.#channels) if (isOf(epoch)) channel.destroy()
  }
}

/** What the source says of a migration that was cut there; `perhaps`: it may not have mattered. */
function expectedOf({ role, name, verdict, takes }: Cut): 'recovered' | 'perhaps' {
  const isAfter = verdict === 'cut' && takes === 'one'
  if (role !== ChannelRole.Control) {
    const isNeeded = name === 'Pages' || name === 'Barrier'
    return isNeeded && !isAfter ? 'recovered' : 'perhaps'
  }
  // COMMIT goes once more where the destination says that it has only prepared.
  if (name === 'Commit') return 'recovered'
  if (name === 'RoundAck') return verdict === 'cut' ? 'perhaps' : 'recovered'
  return ['Running', 'RoundBegin', 'RoundEnd'].includes(name) ? 'recovered' : 'perhaps'
}

/** How a migration must have ended, on both sides. */
function endOf(done: readonly Cut[]): object {
  const expected = done.map(expectedOf)
  const end = { here: 'completed', there: 'completed', held: 1, runs: 1, sessions: 1 }
  // The end of the session may be lost, the guest is not.
  if (expected.includes('perhaps')) {
    return { ...end, code: expect.toBeOneOf([undefined, 'VERIFY_INCOMPLETE']) }
  }
  return { ...end, code: undefined, equal: true }
}

/** Migrates once; whatever was cut, at most one guest runs, with the memory that it must have. */
async function migrate(fetch: FetchName, cuts: readonly Cut[]): Promise<Wire> {
  const wire = new Wire(cuts)
  const { identity } = parseGuest(guestSpec, memoryBytes)
  const guest = await WorkloadGuest.start(identity, memoryBytes)
  const rig = await createRig(new WorkloadHost(), { recoverMs: Infinity, clock: quickClock })
  try {
    const migration = await rig.source(guest, {
      mode: 'post-copy',
      recoverMs: Infinity,
      clock: quickClock,
      fetch,
      wrap: (channel) => wire.wrap(channel),
    })
    const report = await migration.run()
    await rig.idle()
    const { outcome: here, error, memory, recoveries = 0 } = report
    const there = rig.reports[0]!.outcome
    const [held, runs, sessions] = [rig.held(), rig.runs(), rig.sessions.length]
    const told = { here, there, code: error?.code, equal: memory?.equal }
    expect({ ...told, held, runs, sessions }).toMatchObject(endOf(wire.done))
    const lost = wire.done.filter((cut) => expectedOf(cut) === 'recovered')
    // More where the destination was not ready yet.
    expect(recoveries).toBeGreaterThanOrEqual(lost.length)
    const arrived = rig.sessions[0]!.guest as IncomingWorkload
    if (runs === 1) await expectContinuous(arrived, guest.identity, guest.steps())
    return wire
  } finally {
    await guest.stop()
    for (const session of rig.sessions) await session.release()
  }
}

/** Fails where a migration hangs. */
async function within<T>(seconds: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('it hangs')), seconds * 1000)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/** Cuts at each of these frames in turn. @returns what went wrong, and how many were come by */
async function sweep(
  fetch: FetchName,
  first: readonly Cut[],
  places: readonly Seen[],
  takes: Cut['takes'],
): Promise<{ readonly failures: string[]; readonly done: number }> {
  const failures: string[] = []
  let done = 0
  for (const [number, place] of places.entries()) {
    for (const verdict of ['lose', 'cut'] as const) {
      if ((number * 2 + (verdict === 'cut' ? 1 : 0)) % stride !== 0) continue
      const cut: Cut = { ...place, verdict, takes }
      try {
        const wire = await within(10, migrate(fetch, [...first, cut]))
        done += wire.done.length - first.length
      } catch (error) {
        failures.push(`${place.name} ${keyOf(place)} ${verdict} ${takes}: ${String(error)}`)
      }
    }
  }
  return { failures, done }
}

const long = { timeout: 600_000 }
/** Page requests come as threads come by: some frame may not be there a second time. */
const shareDone = 0.6

describe.each<FetchName>(['push', 'demand'])('post-copy by %s, cut at every frame', (fetch) => {
  const takings = ['one', 'all'] as const
  const some = fetch === 'push' ? takings.slice(0, 1) : takings.slice(1)
  it.each(isLong ? takings : some)('ends with equal memory: %s', long, async (takes) => {
    const { seen } = await migrate(fetch, [])
    expect(seen.length).toBeGreaterThan(12)
    const { failures, done } = await sweep(fetch, [], seen, takes)
    expect(failures).toEqual([])
    expect(done).toBeGreaterThan((shareDone * seen.length * 2) / stride)
  })

  it.runIf(isLong)('ends so where the next connection is cut, too', long, async () => {
    const { seen } = await migrate(fetch, [])
    const pages = seen.filter(({ name }) => name === 'Pages')
    const first: Cut = { ...pages[pages.length >> 1]!, verdict: 'lose', takes: 'all' }
    const again = (await migrate(fetch, [first])).seen.filter(({ epoch }) => epoch === 1)
    expect(again.length).toBeGreaterThan(10)
    const { failures, done } = await sweep(fetch, [first], again, 'one')
    expect(failures).toEqual([])
    expect(done).toBeGreaterThan(shareDone * again.length)
  })
})

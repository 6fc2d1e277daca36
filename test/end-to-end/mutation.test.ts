import type { Channel, GuestHost, IncomingGuest, OwnerStore } from '@godwit/core'
import { MemoryOwners } from '@godwit/destination'
import { allocateRegion } from '@godwit/memory'
import { randomBytes, seededRandom } from '@godwit/testkit'
import { afterAll, describe, expect, it } from 'vitest'
import { Peer } from './peer.ts'
import { createRig } from './rig.ts'
import { ShadowGuest } from './shadow.ts'
import type { UnitName } from './tap.ts'

/** What the destination says when time has passed: who is quicker next time does not hear it. */
const byTheClock: ReadonlySet<UnitName> = new Set(['Credit', 'Heartbeat'])

/** What happened at the source of a good session, in order. */
interface Step {
  readonly channel: 0 | 1
  /** Absent: the destination said something. */
  readonly bytes?: Uint8Array
  readonly name: UnitName
}

const memoryBytes = 40 * 4096

/** The same session comes again and again, and is to be a new one each time. */
const records = new MemoryOwners()
const owners: OwnerStore = {
  open: (facts) => records.open(facts),
  find: () => undefined,
  refuse: () => Promise.resolve(),
}

const host: GuestHost = {
  async reserve({ regions }): Promise<IncomingGuest> {
    return {
      regions: regions.map((region) => allocateRegion({ ...region, backing: 'plain' })),
      restoreState: () => {},
      run: () => {},
      discard: () => {},
    }
  },
}
const rig = await createRig(host, { owners })
const recording = await record()

async function record(): Promise<Step[]> {
  const memory = randomBytes(memoryBytes, 1)
  memory.fill(0, 3 * 4096, 9 * 4096)
  const guest = new ShadowGuest([memory])
  const steps: Step[] = []
  const note = (channel: 0 | 1) => {
    return (unit: { direction: string; name: UnitName }, bytes: Uint8Array) => {
      const { name } = unit
      if (name === 'RoundAck' && !guest.isPaused) guest.store(0, 4096, Uint8Array.of(steps.length))
      if (unit.direction === 'read' && byTheClock.has(name)) return 'pass' as const
      steps.push({ channel, name, ...(unit.direction === 'written' ? { bytes } : {}) })
      return 'pass' as const
    }
  }
  const migration = await rig.source(guest, { onControl: note(0), onData: note(1) })
  const report = await migration.run()
  expect(report.outcome).toBe('completed')
  await rig.idle()
  return steps
}

/** Says what was recorded, hearing each answer before going on; stops when the other side does. */
async function play(steps: readonly Step[]): Promise<void> {
  const channels: Channel[] = []
  const peers: Peer[] = []
  for (const { channel, bytes, name } of steps) {
    if (channels[channel] === undefined) {
      channels[channel] = await rig.dial()
      peers[channel] = new Peer(channels[channel])
    }
    const peer = peers[channel]!
    if (bytes !== undefined) peer.raw(bytes)
    else if (name === 'Preface') await peer.introduced()
    else if (((await peer.next())?.name ?? 'Error') === 'Error') break
  }
  for (const channel of channels) channel.end()
  for (const peer of peers) await peer.refusal()
}

type Mutate = (steps: Step[], at: number, next: (limit: number) => number) => void

/** Ways to spoil the step `at`, which has bytes. */
const mutations: Readonly<Record<string, Mutate>> = {
  'one bit': (steps, at, next) => {
    const bytes = steps[at]!.bytes!.slice()
    bytes[next(bytes.length)]! ^= 1 << next(8)
    steps[at] = { ...steps[at]!, bytes }
  },
  'a few bytes': (steps, at, next) => {
    const bytes = steps[at]!.bytes!.slice()
    const from = next(bytes.length)
    for (let i = from; i < Math.min(bytes.length, from + 4); i++) bytes[i]! ^= 1 + next(255)
    steps[at] = { ...steps[at]!, bytes }
  },
  'a frame too short': (steps, at, next) => {
    const { bytes } = steps[at]!
    steps[at] = { ...steps[at]!, bytes: bytes!.subarray(0, next(bytes!.length)) }
  },
  'a frame twice': (steps, at) => {
    steps.splice(at, 0, steps[at]!)
  },
  'a frame too few': (steps, at) => {
    steps.splice(at, 1)
  },
  'bytes too many': (steps, at, next) => {
    const bytes = randomBytes(1 + next(40), next(1000))
    steps.splice(at, 0, { ...steps[at]!, bytes })
  },
}

/** Steps up to COMMIT: nothing that is spoilt here may let a guest run. */
const commit = recording.findIndex((step) => step.name === 'Commit')
const spoilable = recording.flatMap((step, at) => {
  return step.bytes !== undefined && at <= commit ? [at] : []
})
/** A peer that waits for what does not come would wait for ever: it hangs up instead. */
const waits = new Set(['a frame too short', 'a frame too few'])

function cutAfter(steps: Step[], at: number): Step[] {
  const end = steps.findIndex((step, index) => index >= at && step.bytes === undefined)
  return end < 0 ? steps : steps.slice(0, end)
}

describe('a recorded session', () => {
  it('is taken as it was', async () => {
    const before = rig.runs()
    await play(recording)
    await rig.idle()
    expect(rig.runs()).toBe(before + 1)
    expect(rig.reports.at(-1)).toMatchObject({ outcome: 'completed' })
  })

  it.each(Object.entries(mutations))('never runs with %s wrong', async (name, mutate) => {
    const next = seededRandom(name.length)
    const [runs, held] = [rig.runs(), rig.held()]
    for (let i = 0; i < 40; i++) {
      const steps = [...recording]
      const at = spoilable[next(spoilable.length)]!
      mutate(steps, at, next)
      // A header that was spoilt may ask for more than comes, too.
      const isShort = waits.has(name) || i % 2 === 0
      await play(isShort ? cutAfter(steps, at) : steps.slice(0, at + 1))
      await rig.idle()
      const text = `${name} wrong in ${recording[at]!.name}, step ${at}, run ${i}`
      const now = { runs: rig.runs(), held: rig.held(), sessions: rig.agent.sessions.length }
      expect({ text, ...now }).toEqual({ text, runs, held, sessions: 0 })
      const code = rig.reports.at(-1)!.error?.code ?? 'none'
      expect(`${text}: ${code}`).not.toMatch(/INTERNAL$/)
    }
  })
})

afterAll(() => rig.agent.close())

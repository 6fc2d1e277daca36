/**
 * A hand-over that loses its connection, or cannot be written down: whose the guest is. What both
 * sides captured of it is as the protocol says, whatever was lost.
 */
import { verifyCapture } from '@godwit/capture'
import type { Channel, OwnerRecord, OwnerStore, Report } from '@godwit/core'
import { GodwitError, KIB, MIB, systemClock } from '@godwit/core'
import type { DestinationOptions } from '@godwit/destination'
import { MemoryOwners } from '@godwit/destination'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import type { SourceLoss, SourceMigration } from '@godwit/source'
import { askOwner } from '@godwit/source'
import { nodePrimitives, nodeSealTools, randomBytes } from 'godwit'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Point } from './cut.ts'
import { cutAt } from './cut.ts'
import { MemoryCapture, inputOf } from '../streams/memory-capture.ts'
import { advances, expectContinuous } from './oracle.ts'
import type { Rig, SourceSettings } from './rig.ts'
import { createRig } from './rig.ts'

const memoryBytes = 2 * MIB
let guest: WorkloadGuest
let rig: Rig
/** What is written, in order; throws where a test says so. */
let written: string[]
let fails: (what: string) => boolean
/** What is found in the place of what was written. */
let found: OwnerRecord['state'] | undefined
/** The destination waits for its source. */
let onHeld: () => void
/** By the source above and below what cuts, and by the destination. */
let captures: Readonly<Record<'said' | 'sent' | 'there', MemoryCapture>>

/** Writes nowhere, but tells. */
function watched(role: string): OwnerStore {
  const inner = new MemoryOwners()
  return {
    async open(facts) {
      const log = await inner.open(facts)
      return {
        async write(owned) {
          const what = `${role} ${owned.state} ${owned.epoch}`
          if (fails(what)) throw new GodwitError('FILE_UNWRITABLE', 'No space left on device')
          written.push(what)
          await log.write(owned)
        },
        close: (forget) => log.close(forget),
      }
    },
    find(session) {
      const record = inner.find(session)
      return record === undefined || found === undefined ? record : { ...record, state: found }
    },
    refuse: (session) => inner.refuse(session),
  }
}

beforeEach(async () => {
  written = []
  fails = () => false
  found = undefined
  onHeld = () => {}
  const spec = `writer,wss=${512 * KIB},rate=20000,content=0/30/20/50`
  const { identity } = parseGuest(spec, memoryBytes)
  guest = await WorkloadGuest.start(identity, memoryBytes)
  const host = new WorkloadHost({ memoryBytesMax: memoryBytes })
  captures = {
    said: new MemoryCapture('source'),
    sent: new MemoryCapture('source'),
    there: new MemoryCapture('destination'),
  }
  rig = await capturedRig(host, { recoverMs: Infinity, onSuspended: () => onHeld() })
})
afterEach(async () => {
  rig.agent.cancel()
  await guest.stop()
  for (const session of rig.sessions) await session.release()
  await expectCaptured()
})

async function expectCaptured(): Promise<void> {
  const primitives = await nodePrimitives()
  for (const capture of Object.values(captures)) {
    const input = inputOf(capture.end())
    const { failure } = verifyCapture(input, { primitives, memoryBytesMax: 16 * MIB })
    expect(failure).toBeUndefined()
  }
}

async function capturedRig(host: WorkloadHost, options: Partial<DestinationOptions>): Promise<Rig> {
  const { said, sent, there } = captures
  const owners = watched('destination')
  const made = await createRig(host, { owners, ...options }, (one) => there.recorder.capture(one))
  return {
    ...made,
    source: (moved, settings = {}) => {
      const { wrap = (channel: Channel) => channel } = settings
      return made.source(moved, {
        ...settings,
        wrap: (channel, index) => {
          return said.recorder.capture(wrap(sent.recorder.capture(channel), index))
        },
      })
    },
  }
}

const isLong = process.env['GODWIT_LONG'] !== undefined
const longModes = ['stop-copy', 'pre-copy', 'post-copy', 'hybrid'] as const
/** With rounds and without; the guest runs there before all of its pages are there, or not. */
const modes = isLong ? longModes : (['pre-copy', 'post-copy'] as const)
/** Where they take the same way. */
const anyModes = isLong ? longModes : (['post-copy'] as const)

interface Moved {
  readonly report: Report
  readonly losses: readonly SourceLoss[]
}

async function move(points: readonly Point[], settings: SourceSettings = {}): Promise<Moved> {
  const losses: SourceLoss[] = []
  const { settings: cut, done } = cutAt(points)
  const migration = await rig.source(guest, {
    recoverMs: Infinity,
    owners: watched('source'),
    onSuspended: (_error, loss) => losses.push(loss),
    ...cut,
    ...settings,
  })
  const report = await migration.run()
  expect(done()).toBe(points.length)
  return { report, losses }
}

async function expectThere(): Promise<void> {
  await rig.idle()
  expect([rig.held(), rig.runs(), rig.sessions.length]).toEqual([1, 1, 1])
  const arrived = rig.sessions[0]!.guest as IncomingWorkload
  await expectContinuous(arrived, guest.identity, guest.steps())
}

/** ... and nowhere else, and it can be moved. */
async function expectHere(): Promise<void> {
  await advances(guest)
  await rig.idle()
  expect([rig.held(), rig.runs()]).toEqual([0, 0])
  const report = await (await rig.source(guest)).run()
  expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
}

describe('what is written', () => {
  it.each(anyModes)('comes before what it promises: %s', async (mode) => {
    const { report } = await move([], { mode })
    expect(report.error).toBeUndefined()
    expect(written).toEqual([
      'source owner 0',
      'destination reserved 0',
      'destination prepared 1',
      'source released 1',
      'destination owner 1',
      'source moved 1',
    ])
    await expectThere()
  })
})

describe('a connection lost after COMMIT', () => {
  it.each(modes.flatMap((mode) => [[mode, 'lose'] as const, [mode, 'cut'] as const]))(
    'is made again, and the guest runs there: %s, %s Commit',
    async (mode, verdict) => {
      const resume = vi.spyOn(guest, 'resume')
      const { report, losses } = await move([['control', 'written', verdict, 'Commit', 1, 0]], {
        mode,
      })
      expect(losses[0]).toBe('in-doubt')
      expect(resume).not.toHaveBeenCalled()
      await expectThere()
      // Where the guest ran already, a pre-copy source has nothing left but its word for it.
      const isToldOnly = verdict === 'cut' && mode !== 'post-copy'
      const proof = isToldOnly
        ? { error: { code: 'VERIFY_INCOMPLETE' } }
        : { memory: { equal: true } }
      expect(report).toMatchObject({ outcome: 'completed', ...proof })
    },
  )

  it.each(anyModes)('once more while it is asked: %s', async (mode) => {
    const { report } = await move(
      [
        ['control', 'written', 'lose', 'Commit', 1, 0],
        ['control', 'written', 'lose', 'OwnerQuery', 1, 1],
        ['control', 'read', 'lose', 'Owner', 1, 2],
        ['control', 'written', 'lose', 'Commit', 1, 3],
      ],
      { mode },
    )
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    await expectThere()
  })

  it.each(anyModes)('leaves the guest here where the destination refused it: %s', async (mode) => {
    const resume = vi.spyOn(guest, 'resume')
    onHeld = () => expect(rig.agent.cancel()).toBe(1)
    const { report } = await move([['control', 'written', 'lose', 'Commit', 1, 0]], { mode })
    expect(report.outcome).toBe('failed')
    expect(written).toContain('destination refused 1')
    expect(resume).toHaveBeenCalledTimes(1)
    await expectHere()
  })
})

describe('a guest that died with the process that held it', () => {
  it.each(anyModes)('leaves it to an operator whether its copy goes on: %s', async (mode) => {
    found = 'lost'
    const losses: SourceLoss[] = []
    const migration: SourceMigration = await rig.source(guest, {
      mode,
      recoverMs: Infinity,
      ...cutAt([['control', 'read', 'lose', 'Running', 1, 0]]).settings,
      onSuspended: (_error, loss) => {
        losses.push(loss)
        expect(() => migration.cancel()).toThrow(expect.objectContaining({ code: 'TOO_LATE' }))
        if (loss === 'lost-with-host') migration.giveUp()
      },
    })
    // The session is over there, and the record alone is asked.
    onHeld = () => rig.sessions[0]!.giveUp()
    const report = await migration.run()
    expect([losses.at(-1), migration.state]).toEqual(['lost-with-host', 'lost'])
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'LOST_WITH_HOST' } })
    expect(() => migration.cancel()).toThrow(expect.objectContaining({ code: 'TOO_LATE' }))
  })
})

describe('a connection lost before COMMIT', () => {
  it('leaves the guest here, and what is held there is given up in time', async () => {
    await rig.agent.close()
    const host = new WorkloadHost({ memoryBytesMax: memoryBytes })
    rig = await capturedRig(host, { recoverMs: 50 })
    const { report } = await move([['control', 'read', 'lose', 'Ready', 1, 0]])
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'CONNECTION_LOST' } })
    await rig.idle()
    expect(written.at(-1)).toBe('destination refused 1')
    await expectHere()
  })
})

describe('a question on channels that are sealed', () => {
  const security = { ...nodeSealTools, method: 'psk', key: randomBytes(32) } as const
  // Nothing is to be seen of frames there.
  const wrap = (channel: Channel): Channel => channel

  beforeEach(async () => {
    await rig.agent.close()
    const host = new WorkloadHost({ memoryBytesMax: memoryBytes })
    const owners = watched('destination')
    rig = await createRig(host, { recoverMs: Infinity, owners, security })
  })

  it('is answered where the session goes on', async () => {
    let isFirst = true
    fails = (what) => what === 'destination owner 1' && isFirst && !(isFirst = false)
    const { report } = await move([], { security, wrap })
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    await expectThere()
  })

  it('is answered from what is written, to who is of the session', async () => {
    const records = new MemoryOwners()
    let session: string | undefined
    fails = (what) => {
      // The guest is the destination's when this is written, and its source does not hear of it.
      if (what === 'destination owner 1') rig.sessions[0]!.control.link.channel.destroy()
      return false
    }
    const owners: OwnerStore = {
      open(facts) {
        session = facts.session
        return records.open(facts)
      },
      find: (id) => records.find(id),
      refuse: (id) => records.refuse(id),
    }
    let record: OwnerRecord | undefined
    const onSuspended = (): void => {
      record ??= records.find(session!)
    }
    const { report } = await move([], { security, wrap, owners, onSuspended })
    expect(report).toMatchObject({ outcome: 'completed', error: { code: 'VERIFY_INCOMPLETE' } })
    const dialler = { address: 'destination', dial: () => rig.dial() }
    const network = { dialler, security, clock: systemClock }
    expect(record).toMatchObject({ state: 'released' })
    expect(await askOwner(record!, network)).toBe('running')
    const stranger = askOwner({ ...record!, binding: undefined }, network)
    await expect(stranger).rejects.toMatchObject({ code: 'AUTH_FAILED' })
    await expectThere()
  })
})

it('a guest that is held makes room for the next attempt of its source', async () => {
  const { report } = await move([['control', 'read', 'lose', 'Ready', 1, 0]])
  expect(report).toMatchObject({ outcome: 'failed', error: { code: 'CONNECTION_LOST' } })
  await vi.waitUntil(() => rig.sessions[0]!.state === 'holding')
  const { report: next } = await move([])
  expect(next).toMatchObject({ outcome: 'completed', memory: { equal: true } })
  expect(written).toContain('destination refused 1')
})

describe('what cannot be written', () => {
  const failsOnce = (what: string): void => {
    fails = (asked) => {
      if (asked !== what) return false
      fails = () => false
      return true
    }
  }

  it.each(['source owner 0', 'destination reserved 0', 'destination prepared 1'])(
    'before the hand-over leaves the guest here: %s',
    async (what) => {
      failsOnce(what)
      const { report } = await move([])
      expect(report).toMatchObject({ outcome: 'failed', error: { code: 'FILE_UNWRITABLE' } })
      await expectHere()
    },
  )

  it.each(anyModes)('by the source leaves the guest here: %s', async (mode) => {
    failsOnce('source released 1')
    const { report } = await move([], { mode })
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'FILE_UNWRITABLE' } })
    expect(written).toContain('source owner 0')
    await expectHere()
  })

  it.each(anyModes)('by the destination is tried again: %s', async (mode) => {
    failsOnce('destination owner 1')
    const { report, losses } = await move([], { mode })
    expect(losses).toEqual(['in-doubt'])
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    await expectThere()
  })
})

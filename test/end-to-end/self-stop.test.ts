/**
 * A guest that stops by itself, like one whose hypervisor streams its memory: rounds go on until it
 * says so, at its pace, and wherever a migration fails it is told to go on.
 */
import type { GuestStop, Report } from '@godwit/core'
import { CancelledError, PAGE_BYTES_DEFAULT } from '@godwit/core'
import { ByteMapTracker, allocateRegion, markDirty } from '@godwit/memory'
import type { SourceMigration } from '@godwit/source'
import type { Guest } from 'godwit'
import { createMigration, MemoryHost } from 'godwit'
import { afterEach, describe, expect, it } from 'vitest'
import type { Rig } from './rig.ts'
import { createRig } from './rig.ts'

const pageCount = 64
const byteLength = pageCount * PAGE_BYTES_DEFAULT

/** Stores to some pages before each round, and then stands. */
class SelfStopped implements Guest {
  readonly identity = { kind: 'memory', options: {} }
  readonly #region = allocateRegion({ id: 0, name: 'ram', byteLength })
  readonly #marks = new Uint8Array(new SharedArrayBuffer(pageCount))
  readonly regions = [this.#region]
  readonly trackers = [new ByteMapTracker({ map: this.#marks, pageCount })]
  /** What was asked of it, in order. */
  readonly calls: string[] = []
  readonly #rounds: number
  readonly #whenAsked: (round: number) => void

  constructor(rounds: number, whenAsked: (round: number) => void = () => {}) {
    this.#rounds = rounds
    this.#whenAsked = whenAsked
  }

  protected store(page: number): void {
    this.#region.bytes.fill(page + 1, page * PAGE_BYTES_DEFAULT, (page + 1) * PAGE_BYTES_DEFAULT)
    markDirty(this.#marks, page)
  }

  async nextRound(): Promise<GuestStop | undefined> {
    const round = this.calls.push('next')
    this.#whenAsked(round)
    for (let page = 0; page < 4; page++) this.store((round * 4 + page) % pageCount)
    if (round < this.#rounds) return undefined
    return { stoodMs: 500, numbers: { passes: 2 } }
  }

  async pause(): Promise<void> {
    this.calls.push('pause')
  }

  resume(): void {
    this.calls.push('resume')
  }

  captureState(): Uint8Array {
    return Uint8Array.of(1)
  }
}

/** Stores come in the order of pages while a round goes on: once through memory in each pass. */
class Streamed extends SelfStopped {
  #page = 0
  #passes = 0

  override async nextRound(): Promise<GuestStop | undefined> {
    this.calls.push('next')
    if (this.#passes === 3) return { stoodMs: 0, numbers: { passes: 3 } }
    this.#come()
    return undefined
  }

  async nextPages(): Promise<number> {
    if (this.#passes === 3) return 0
    this.#come()
    return 4
  }

  /** A few more pages; behind the last one comes the first. */
  #come(): void {
    for (let i = 0; i < 3; i++) this.store(this.#page++ % pageCount)
    if (this.#page >= (this.#passes + 1) * pageCount) this.#passes++
  }
}

let rig: Rig

/** To a destination whose memory is compared. */
async function move(
  guest: SelfStopped,
  act: (migration: SourceMigration) => void = () => {},
  refuse = false,
  lanes = 1,
): Promise<Report> {
  const prepare = (): void => {
    if (refuse) throw new Error('no')
  }
  rig = await createRig(new MemoryHost({ prepare }, byteLength))
  const migration = await rig.source(guest, { stop: 'max-rounds=30', tracker: 'barrier', lanes })
  act(migration)
  const report = await migration.run()
  await rig.idle()
  return report
}

afterEach(async () => {
  for (const session of rig.sessions) await session.guest?.discard()
})

describe('a guest that stops by itself', () => {
  it('has rounds until it stands, and all of its memory arrives', async () => {
    const guest = new SelfStopped(6)
    const report = await move(guest)
    expect(report.outcome).toBe('completed')
    expect(report.stop).toEqual({ rule: 'guest', passes: 2, round: 6, dirtyPages: 4 })
    expect(guest.calls).toEqual(['next', 'next', 'next', 'next', 'next', 'next', 'pause'])
    expect(report.rounds.map(({ pages }) => pages)).toEqual([pageCount, 4, 4, 4, 4, 4, 4])
    expect(report.memory?.equal).toBe(true)
    const [arrived] = rig.sessions[0]!.guest!.regions
    expect(Buffer.compare(arrived!.bytes, guest.regions[0]!.bytes)).toBe(0)
  })

  it.each([1, 2])('sends what comes in a round in the same, by %i lanes', async (lanes) => {
    const guest = new Streamed(0)
    const report = await move(guest, () => {}, false, lanes)
    expect(report.outcome).toBe('completed')
    const pages = report.rounds.map((round) => round.pages)
    // Three passes over 64 pages, and little beside them: 3 a round would make more than 60.
    expect(pages.length).toBeLessThan(12)
    expect(pages.slice(1).reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(180)
    expect(Math.max(...pages.slice(1))).toBeGreaterThan(48)
    expect(report.memory?.equal).toBe(true)
    const [arrived] = rig.sessions[0]!.guest!.regions
    expect(Buffer.compare(arrived!.bytes, guest.regions[0]!.bytes)).toBe(0)
  })

  it('was down since it stands, not since it was asked to', async () => {
    const report = await move(new SelfStopped(2))
    expect(report.downtimeMs).toBeGreaterThan(500)
    expect(report.downtime!.pauseMs).toBeGreaterThanOrEqual(500)
  })

  it('goes on when the migration is cancelled while it was not asked to stop', async () => {
    const guest = new SelfStopped(6, (round) => {
      if (round === 3) migration!.cancel()
    })
    let migration: SourceMigration | undefined
    const report = await move(guest, (made) => void (migration = made))
    expect(report.outcome).toBe('cancelled')
    expect(guest.calls).toEqual(['next', 'next', 'next', 'resume'])
  })

  it('is not waited for any longer when the migration is cancelled', async () => {
    const guest = new SelfStopped(6)
    guest.nextRound = () => new Promise(() => migration!.cancel(new CancelledError()))
    let migration: SourceMigration | undefined
    const report = await move(guest, (made) => void (migration = made))
    expect(report.outcome).toBe('cancelled')
    expect(guest.calls).toEqual(['resume'])
  })

  it('is asked to stop when rounds are to end before it does', async () => {
    const guest = new SelfStopped(6)
    guest.nextRound = () =>
      new Promise(() => migration!.endRounds({ rule: 'timeout', numbers: { limitMs: 1 } }))
    let migration: SourceMigration | undefined
    const report = await move(guest, (made) => void (migration = made))
    expect(report).toMatchObject({ outcome: 'completed', stop: { rule: 'timeout' } })
    expect(guest.calls).toEqual(['pause'])
  })

  it('goes on where the destination refuses its state: once', async () => {
    const guest = new SelfStopped(2)
    const report = await move(guest, undefined, true)
    expect(report.outcome).toBe('failed')
    expect(guest.calls).toEqual(['next', 'next', 'pause', 'resume'])
  })

  it('fails as it fails, and is told to go on', async () => {
    const guest = new SelfStopped(2)
    guest.nextRound = () => Promise.reject(new Error('gone'))
    const report = await move(guest)
    expect(report).toMatchObject({ outcome: 'failed', error: { text: 'gone' } })
    expect(guest.calls).toEqual(['resume'])
  })
})

describe('what a guest that stops by itself does not go with', () => {
  const to = '127.0.0.1:1'

  it.each([
    [{ mode: 'post-copy' }, /cannot go on before all of its pages/],
    [{ mode: 'hybrid' }, /cannot go on before all of its pages/],
    [{ stop: 'max-rounds=3' }, /stops by a rule of its own/],
    [{ preset: 'xen' }, /stops by a rule of its own/],
    [{ preset: 'auto', mode: 'pre-copy' }, /stops by a rule of its own/],
    [{ tracker: 'scan' }, /has a tracker of its own/],
    [{ tracker: 'pagemap' }, /has a tracker of its own/],
  ] as const)('%o', async (options, text) => {
    rig = await createRig(new MemoryHost({}, byteLength))
    const created = createMigration(new SelfStopped(2), { to, ...options })
    await expect(created).rejects.toMatchObject({ code: 'USAGE', message: text })
  })
})

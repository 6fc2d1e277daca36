import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MIB } from '@godwit/core'
import type { Report } from '@godwit/core'
import type { IncomingMigration } from '@godwit/destination'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import { Learning, encodeStaticMap } from '@godwit/static'
import type { ReceiveOptions, SendStatic } from 'godwit'
import { ImageDirectory, learnSamples, receive, send } from 'godwit'
import { afterEach, describe, expect, it } from 'vitest'
import { advances, expectContinuous } from './oracle.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** A machine that takes guests, and keeps images of those that leave. */
interface Place {
  readonly address: string
  readonly images: ImageDirectory
  readonly reports: readonly Report[]
  arrived(): Promise<{ guest: IncomingWorkload; images: IncomingMigration['images'] }>
}

async function open(known: ReceiveOptions['static'] = {}): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'godwit-past-'))
  cleanups.push(() => rmSync(folder, { recursive: true }))
  const images = await ImageDirectory.open(join(folder, 'images'))
  const migrations: IncomingMigration[] = []
  const reports: Report[] = []
  const receiver = await receive(
    new WorkloadHost(),
    { listen: '127.0.0.1:0', static: { ...known, images }, onReport: (one) => reports.push(one) },
    { ended: (one) => migrations.push(one) },
  )
  cleanups.push(() => receiver.close())
  return {
    address: receiver.address,
    images,
    reports,
    async arrived() {
      await receiver.arrival()
      const migration = migrations.at(-1)!
      const guest = migration.guest as IncomingWorkload
      cleanups.push(() => guest.discard())
      return { guest, images: migration.images }
    },
  }
}

async function move(
  guest: WorkloadGuest,
  to: Place,
  known: SendStatic,
  mode = 'pre-copy',
): Promise<Report> {
  const settings = { to: to.address, stop: 'max-rounds=2', mode, static: known } as const
  const report = await send(guest, settings)
  expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
  await guest.stop()
  return report
}

/** Nearly all of it stays as it was. */
async function start(): Promise<WorkloadGuest> {
  const spec = 'writer,wss=64KiB,rate=1000,content=0/30/30/40'
  const { identity, memoryBytes } = parseGuest(spec, 8 * MIB + 123)
  const guest = await WorkloadGuest.start(identity, memoryBytes, { regionBytesMax: 3 * MIB + 5 })
  cleanups.push(() => guest.stop())
  await advances(guest, 20)
  return guest
}

/** Of 2051 pages, those that are whole and were not stored to meanwhile. */
const unchangedMin = 2000

describe('the past of a guest', () => {
  it('is at home when it comes back, by way of a machine that knows nothing of it', async () => {
    const first = await start()
    const [a, b, c] = [await open(), await open(), await open()]
    const away = await move(first, b, { keepImage: a.images })
    expect(away.static).toBeUndefined()
    const atB = await b.arrived()
    expect(atB.images).toHaveLength(1)
    expect(await a.images.find(atB.images[0]!.id)).toMatchObject({ token: atB.images[0]!.token })

    const further = await move(atB.guest.asGuest(), c, {
      images: atB.images,
      keepImage: b.images,
    })
    expect(further.static).toMatchObject({ entries: 0, heldEntries: 0, pages: 0 })
    const atC = await c.arrived()
    expect(atC.images).toHaveLength(2)
    expect(atC.images[1]).toEqual(atB.images[0])

    await advances(atC.guest, 20)
    const steps = atC.guest.steps()
    const back = await move(atC.guest.asGuest(), a, { images: atC.images }, 'hybrid,rounds=1')
    expect(back.static!.pages).toBeGreaterThan(unchangedMin)
    expect(back.wireBytes).toBeLessThan(away.wireBytes * 0.15)
    const atA = await a.arrived()
    expect(a.reports[0]!.static!.heldEntries).toBe(back.static!.heldEntries)
    expect(atA.images).toEqual(atC.images)
    await expectContinuous(atA.guest, first.identity, steps)
  })

  it('is not kept where a guest stayed, and why not is told', async () => {
    const guest = await start()
    const [a, b] = [await open(), await open()]
    const failures: (string | undefined)[] = []
    const onKept = (failure?: Error): void => void failures.push(failure?.message)
    const known = { keepImage: a.images, onKept }
    const refused = await send(guest, { to: b.address, signal: AbortSignal.abort(), static: known })
    expect([refused.outcome, failures]).toEqual(['cancelled', []])
    const small = await ImageDirectory.open(join(a.images.path, 'small'), MIB)
    await move(guest, b, { keepImage: small, onKept })
    expect(failures).toEqual([expect.stringMatching(/is more than 1 MiB/)])
    expect((await a.images.list()).images).toEqual([])
    // Nobody knows whether it was kept when the guest has arrived: it is offered in vain.
    const { images, guest: arrived } = await b.arrived()
    const back = await move(arrived.asGuest(), a, { images })
    expect(back.static).toMatchObject({ pages: 0 })
  })
})

describe('a sibling', () => {
  it('spares what a map says that both have', async () => {
    const guests = [await start(), await start()]
    const [sibling, moving] = guests
    const pair = { os: 'debian/13', hypervisor: 'godwit/0.1', pageBytes: 4096 }
    const learning = Learning.begin(pair)
    const regions = guests.map((one) => one.regions.map(({ bytes }) => bytes))
    await learnSamples(
      learning,
      regions.map((one) => ({ regions: one })),
    )
    const map = encodeStaticMap(learning.map()!)
    const siblings = [{ name: 'sibling', regions: regions[0]! }]
    const b = await open({ maps: [map], siblings })
    const report = await move(moving!, b, { map, mode: 'position' })
    expect(report.static).toMatchObject({ mode: 'position', os: 'debian/13', mapVersion: 2 })
    expect(report.static!.pages).toBeGreaterThan(unchangedMin)
    const never = (): Promise<typeof siblings> => new Promise(() => {})
    const none = await open({ maps: [map], siblings: never, siblingSearchMs: 0 })
    const late = await move(sibling!, none, { map })
    expect(late.static).toMatchObject({ heldEntries: 0, pages: 0 })
  })

  it('is not looked for by a map that is none', async () => {
    const guest = await start()
    const settings = { to: '127.0.0.1:9', static: { map: new Uint8Array(9) } }
    await expect(send(guest, settings)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
  })
})

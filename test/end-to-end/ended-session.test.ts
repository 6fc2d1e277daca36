/**
 * What comes to a destination for a session that is over there.
 */
import type { Channel } from '@godwit/core'
import { GodwitError, MIB, systemClock } from '@godwit/core'
import { MemoryOwners } from '@godwit/destination'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import { Link } from '@godwit/link'
import type { Frame } from '@godwit/wire'
import { ChannelRole, decodeMessage, decodePreface, errorCodeOf } from '@godwit/wire'
import { afterEach, describe, expect, it } from 'vitest'
import { cutAt } from './cut.ts'
import type { Rig, SourceSettings } from './rig.ts'
import { createRig } from './rig.ts'
import { TapChannel } from './tap.ts'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

describe('a question', () => {
  it('is answered once on a connection', async () => {
    const records = new MemoryOwners()
    const session = '00'.repeat(16)
    const facts = { session, role: 'destination', guest: '', memoryBytes: 0, peer: '' } as const
    const log = await records.open(facts)
    await log.write({ state: 'ended', epoch: 1, postCopy: false })
    const rig = await createRig(new WorkloadHost(), { owners: records })
    const heard: string[] = []
    const over = Promise.withResolvers<void>()
    const handler = {
      frame({ type, body }: Frame) {
        const { name } = decodeMessage(type, body)
        heard.push(name)
        if (name === 'Owner') link.sendMessage({ name: 'OwnerQuery', body: { epoch: 1 } })
      },
      closed: () => over.resolve(),
    }
    const link: Link = new Link(
      await rig.dial(),
      systemClock,
      () => handler,
      () => over.resolve(),
    )
    link.sendPreface({
      role: ChannelRole.Control,
      index: 0,
      epoch: 1,
      session: new Uint8Array(16),
    })
    link.sendMessage({ name: 'OwnerQuery', body: { epoch: 1 } })
    await over.promise
    expect(heard).toEqual(['Owner', 'Error'])
  })
})

describe('a session that was here before', () => {
  /** Moves a guest. @returns the id of its session */
  async function move(rig: Rig, settings: SourceSettings): Promise<Uint8Array> {
    const { identity } = parseGuest('writer,wss=512KiB,rate=20000', 2 * MIB)
    const guest = await WorkloadGuest.start(identity, 2 * MIB)
    cleanups.push(
      () => guest.stop(),
      async () => {
        for (const session of rig.sessions) await session.release()
      },
    )
    let session: Uint8Array | undefined
    const wrap = (channel: Channel, index: number): Channel => {
      const inner = settings.wrap?.(channel, index) ?? channel
      return new TapChannel(inner, (_unit, bytes) => {
        session ??= decodePreface(bytes)!.session
        return 'pass'
      })
    }
    const migration = await rig.source(guest, { recoverMs: Infinity, wrap })
    expect(await migration.run()).toMatchObject({ outcome: 'completed' })
    return session!
  }

  /** What a first connection is told that comes late. */
  async function comesLate(rig: Rig, session: Uint8Array): Promise<GodwitError | undefined> {
    const told = Promise.withResolvers<GodwitError | undefined>()
    const handler = {
      frame({ type, body }: Frame) {
        const { code } = decodeMessage(type, body).body as { code: number }
        told.resolve(new GodwitError(errorCodeOf(code), 'told'))
      },
      closed: told.resolve,
    }
    const link = new Link(await rig.dial(), systemClock, () => handler, told.resolve)
    link.sendPreface({ role: ChannelRole.Control, index: 0, epoch: 0, session })
    return told.promise
  }

  it('is not begun again by a connection that comes late', async () => {
    const rig = await createRig(new WorkloadHost(), { owners: new MemoryOwners() })
    const { settings } = cutAt([['control', 'written', 'cut', 'Commit', 1, 0]])
    const session = await move(rig, settings)
    await rig.idle()
    expect(await comesLate(rig, session)).toMatchObject({ code: 'PROTOCOL_STATE' })
  })
})

/**
 * A source that greets and says no more.
 */
import { MIB } from '@godwit/core'
import { WorkloadHost } from '@godwit/guest'
import { FakeClock } from '@godwit/testkit'
import { expect, it } from 'vitest'
import { Peer, hello } from './peer.ts'
import { createRig } from './rig.ts'

const id = new Uint8Array(16).fill(7)

it('is given up after 10 s; one that has said what it brings is not', async () => {
  const clock = new FakeClock()
  const rig = await createRig(new WorkloadHost({ memoryBytesMax: MIB }), { clock })
  const silent = new Peer(await rig.dial())
  silent.preface(id).send('Hello', hello)
  await silent.until('Welcome')
  const serious = new Peer(await rig.dial())
  serious.preface(new Uint8Array(16)).send('Hello', hello)
  await serious.until('Welcome')
  const regions = [{ id: 0, name: 'ram', byteLength: 4096 }]
  serious.send('Reserve', { guest: { kind: 'idle', options: {} }, regions })
  await serious.until('Reserved')
  clock.advance(9_999)
  expect(rig.agent.sessions.map(({ state }) => state)).toEqual(['welcomed', 'reserved'])
  clock.advance(1)
  expect(rig.agent.sessions[0]!.state).toBe('discarded')
  await rig.agent.sessions[0]!.done
  expect(rig.reports).toMatchObject([{ outcome: 'failed', error: { code: 'PEER_SILENT' } }])
  expect(rig.agent.sessions.map(({ state }) => state)).toEqual(['reserved'])
  serious.channel.destroy()
  await rig.idle()
  expect(rig.held()).toBe(0)
})

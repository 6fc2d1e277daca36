/**
 * Destinations that break the rules of post-copy.
 */
import { setImmediate } from 'node:timers/promises'
import type { Report } from '@godwit/core'
import { createMemoryNetwork } from '@godwit/transport'
import { PREFACE, decodePageRuns } from '@godwit/wire'
import { beforeEach, describe, expect, it } from 'vitest'
import { Peer } from './peer.ts'
import type { SourceSettings } from './rig.ts'
import { createSource } from './rig.ts'
import { ShadowGuest } from './shadow.ts'

describe('a source', { timeout: 5000 }, () => {
  const pages = 40
  let guest: ShadowGuest

  beforeEach(() => {
    guest = new ShadowGuest([new Uint8Array(pages * 4096).fill(1)])
  })

  interface Heard {
    readonly control: Peer
    readonly urgent: Promise<Peer>
    /** Pages that DISCARD named. */
    discarded: number
  }

  /** Plays a destination; `say` goes on from READY being due. */
  async function sendTo(
    say: (heard: Heard) => Promise<void>,
    settings: SourceSettings = {},
  ): Promise<Report> {
    const network = createMemoryNetwork()
    const urgent = Promise.withResolvers<Peer>()
    const played: Promise<void>[] = []
    const play = async (peer: Peer, isControl: boolean): Promise<void> => {
      await peer.introduced()
      peer.raw(peer.prefaceHeard)
      if (peer.prefaceHeard[PREFACE.role] === 3) urgent.resolve(peer)
      if (!isControl) return
      const heard: Heard = { control: peer, urgent: urgent.promise, discarded: 0 }
      await prepared(heard)
      await say(heard)
    }
    await network.listen('pretender', (channel) => {
      played.push(play(new Peer(channel), played.length === 0))
    })
    const dialler = network.createDialler('pretender')
    const all = { mode: 'post-copy', fetch: 'demand', verify: 'none', ...settings } as const
    const migration = await createSource(guest, (signal) => dialler.dial(signal), all)
    const report = await migration.run()
    await Promise.all(played)
    return report
  }

  /** Answers rightly up to STATE. */
  async function prepared(heard: Heard): Promise<void> {
    const { control } = heard
    await control.until('Hello')
    const terms = { version: 1, software: 'pretender', pageBytes: 4096, dataChannels: 1 }
    control.send('Welcome', { ...terms, capabilities: ['post-copy'], heartbeatMs: 60_000 })
    await control.until('Reserve')
    control.send('Reserved', { reservedBytes: pages * 4096 })
    expect(await control.until('SwitchOver')).toMatchObject({ body: { round: 0, postCopy: true } })
    control.send('SwitchOverAck', {})
    for (;;) {
      const message = (await control.next())!
      if (message.name === 'State') return
      if (message.name !== 'Discard') throw new Error(message.name)
      for (const run of decodePageRuns(message.body.runs)) heard.discarded += run.pageCount
    }
  }

  async function commit(control: Peer): Promise<void> {
    control.send('Ready', { epoch: 1 })
    await control.until('Commit')
  }

  const ask = (urgent: Peer, page: number, region = 0): void => {
    urgent.send('PageRequest', { region, page })
  }

  it.each([
    ['early', 0, 'PROTOCOL_STATE'],
    ['early, of a page that is not there', pages, 'CODEC_PAGE_RANGE'],
  ])('refuses to be asked for a page: %s', async (_name, page, code) => {
    const report = await sendTo(async ({ control, urgent }) => {
      ask(await urgent, page)
      expect(await control.refusal()).toMatch(new RegExp(`^${code}: `))
    })
    expect(report).toMatchObject({ outcome: 'failed', error: { code } })
    expect([guest.isPaused, guest.pauses, guest.resumes]).toEqual([false, 1, 1])
  })

  it.each([
    ['behind the region', 0, pages],
    ['far away', 0, 2 ** 32 - 1],
    ['of another region', 1, 0],
  ])('refuses to be asked for a page %s, and stays stopped', async (_name, region, page) => {
    const report = await sendTo(async ({ control, urgent }) => {
      await commit(control)
      control.send('Running', { epoch: 1, resumeMs: 0 })
      await control.until('RoundBegin')
      ask(await urgent, page, region)
      expect(await control.refusal()).toMatch(/^CODEC_PAGE_RANGE: /)
    })
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'POST_COPY_LOST' } })
    expect([guest.isPaused, guest.resumes]).toEqual([true, 0])
  })

  it('sends a page once, however often it is asked for, and counts what waits', async () => {
    const report = await sendTo(async ({ control, urgent: opening, discarded }) => {
      const urgent = await opening
      await commit(control)
      // More than there are slots, all at once, while the rest is about to be sent.
      for (let page = 0; page < pages; page++) {
        ask(urgent, page)
        ask(urgent, page)
      }
      control.send('Running', { epoch: 1, resumeMs: 0 })
      expect(await control.until('RoundBegin')).toMatchObject({ body: { pages } })
      expect(discarded).toBe(pages)
      const totals = { round: 1, batches: pages, pages }
      expect(await control.until('RoundEnd')).toMatchObject({ body: totals })
      expect(await urgent.until('Barrier')).toMatchObject({ body: totals })
      // After its barrier nothing is answered any more.
      ask(urgent, 3)
      for (let turn = 0; turn < 5; turn++) await setImmediate()
      control.send('RoundAck', { round: 1 })
      await control.until('End')
      control.send('EndAck', { usage: {} })
      for (const peer of [control, urgent]) peer.channel.end()
    })
    expect(report.error).toBeUndefined()
    expect(report).toMatchObject({ outcome: 'completed', pages: { raw: pages } })
    expect(guest.resumes).toBe(0)
  })
})

import { MIB } from '@godwit/core'
import type { Channel, Report } from '@godwit/core'
import { FakeClock } from '@godwit/testkit'
import { createMemoryNetwork } from '@godwit/transport'
import type { Welcome } from '@godwit/wire'
import { PREFACE_BYTES } from '@godwit/wire'
import { describe, expect, it } from 'vitest'
import { Peer } from './peer.ts'
import type { SourceSettings } from './rig.ts'
import { createSource } from './rig.ts'
import { ShadowGuest } from './shadow.ts'

const welcome: Welcome = {
  version: 1,
  software: 'pretender',
  capabilities: [],
  pageBytes: 4096,
  dataChannels: 1,
  heartbeatMs: 60_000,
}
const digest = new Uint8Array(8)

/** Sends a guest to whoever `pretend` plays; it must go on here. */
async function sendTo(
  pretend: (control: Peer, channel: Channel) => Promise<void>,
  settings: SourceSettings = {},
  playData: (data: Peer) => Promise<void> = answer,
  memoryBytes = MIB,
): Promise<Report> {
  const guest = new ShadowGuest([new Uint8Array(memoryBytes).fill(1)])
  const network = createMemoryNetwork()
  const played: Promise<void>[] = []
  await network.listen('pretender', (channel) => {
    const peer = new Peer(channel)
    // Only the first channel is a control channel; data channels are let in.
    if (played.length === 0) played.push(pretend(peer, channel))
    else played.push(playData(peer))
  })
  const dialler = network.createDialler('pretender')
  const migration = await createSource(guest, (signal) => dialler.dial(signal), settings)
  const report = await migration.run()
  await Promise.allSettled(played)
  expect(report.outcome).toBe('failed')
  expect(guest.isPaused).toBe(false)
  expect(guest.pauses).toBe(guest.resumes)
  return report
}

/** Gives a channel its preface back. */
async function answer(peer: Peer): Promise<void> {
  await peer.introduced()
  peer.raw(peer.prefaceHeard)
}

/** A control channel that answers rightly up to RESERVED. */
async function reserved(control: Peer, terms: Partial<Welcome> = {}): Promise<void> {
  await answer(control)
  await control.until('Hello')
  control.send('Welcome', { ...welcome, ...terms })
  await control.until('Reserve')
  control.send('Reserved', { reservedBytes: MIB })
}

/** ... and up to the pause. */
async function paused(control: Peer): Promise<void> {
  await reserved(control)
  for (let round = 1; round <= 2; round++) {
    await control.until('RoundEnd')
    control.send('RoundAck', { round })
  }
  await control.until('SwitchOver')
  control.send('SwitchOverAck', {})
}

describe('a destination that is none', () => {
  it.each<[string, string, string]>([
    ['text', 'SSH-2.0-OpenSSH_9.2p1\r\n', 'WIRE_MAGIC'],
    ['HTTP', 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n', 'WIRE_MAGIC'],
  ])('and answers %s', async (_name, text, code) => {
    const report = await sendTo(async (control) => {
      control.raw(Buffer.from(text))
    })
    expect(report.error).toMatchObject({ code, phase: 'preparation' })
  })

  it('and closes at once', async () => {
    const report = await sendTo(async (control) => control.channel.end())
    expect(report.error).toMatchObject({ code: 'CONNECTION_LOST' })
    expect(report.error!.text).toMatch(/is it a Godwit destination/)
  })

  it('and says nothing at all', async () => {
    const clock = new FakeClock()
    const report = await sendTo(
      async (control) => {
        await control.introduced()
        clock.advance(6000)
      },
      { clock },
    )
    expect(report.error).toMatchObject({ code: 'PEER_SILENT' })
  })

  it('and says nothing more after WELCOME', async () => {
    const clock = new FakeClock()
    const report = await sendTo(
      async (control) => {
        await answer(control)
        await control.until('Hello')
        control.send('Welcome', { ...welcome, heartbeatMs: 1000 })
        await control.until('Reserve')
        clock.advance(7000)
      },
      { clock, heartbeatMs: 1000 },
    )
    expect(report.error).toMatchObject({ code: 'PEER_SILENT', phase: 'reservation' })
  })
})

describe('a WELCOME on terms that were not offered', () => {
  it.each<[string, Partial<Welcome>, string]>([
    ['version', { version: 2 }, 'PROTOCOL_VERSION'],
    ['page size', { pageBytes: 8192 }, 'PAGE_SIZE_MISMATCH'],
    ['capability', { capabilities: ['zstd'] }, 'PROTOCOL_CAPABILITY'],
    ['FINAL', { finalAfterMs: 5 }, 'PROTOCOL_CAPABILITY'],
    ['data channels', { dataChannels: 2 }, 'PROTOCOL_CAPABILITY'],
    ['no data channel', { dataChannels: 0 }, 'WIRE_BODY'],
    ['heartbeat', { heartbeatMs: 1 }, 'WIRE_BODY'],
  ])('is refused: %s', async (_name, terms, code) => {
    const report = await sendTo(async (control) => {
      await answer(control)
      await control.until('Hello')
      control.send('Welcome', { ...welcome, ...terms })
      expect(await control.refusal()).toMatch(new RegExp(`^${code}: |^closed$`))
    })
    expect(report.error).toMatchObject({ code })
  })

  it('is refused: another session', async () => {
    const report = await sendTo(async (control) => {
      await control.introduced()
      control.preface(new Uint8Array(16)).send('Welcome', welcome)
    })
    expect(report.error).toMatchObject({ code: 'PROTOCOL_STATE' })
  })
})

describe('an answer out of turn', () => {
  const early: [string, (control: Peer) => void][] = [
    ['RUNNING', (control) => control.send('Running', { epoch: 1, resumeMs: 0 })],
    ['READY', (control) => control.send('Ready', { epoch: 1 })],
    ['END_ACK', (control) => control.send('EndAck', { usage: {} })],
    ['VERIFIED', (control) => control.send('Verified', { equal: true, digest, differing: [] })],
    ['another round', (control) => control.send('RoundAck', { round: 9 })],
    ['a frame of the source', (control) => control.send('Commit', { epoch: 1 })],
  ]

  it.each(early)('is refused before WELCOME: %s', async (_name, say) => {
    const report = await sendTo(async (control) => {
      await answer(control)
      await control.until('Hello')
      say(control)
    })
    expect(report.error).toMatchObject({ code: 'PROTOCOL_STATE' })
  })

  it.each(early)('is refused in a round: %s', async (_name, say) => {
    const report = await sendTo(async (control) => {
      await reserved(control)
      await control.until('RoundEnd')
      say(control)
      expect(await control.refusal()).toMatch(/^PROTOCOL_STATE: /)
    })
    expect(report.error).toMatchObject({ code: 'PROTOCOL_STATE', phase: 'pre-copy' })
  })

  it.each(early.filter(([name]) => name !== 'READY'))(
    'is refused while the guest is paused: %s',
    async (_name, say) => {
      const report = await sendTo(async (control) => {
        await paused(control)
        await control.until('State')
        say(control)
        expect(await control.refusal()).toMatch(/^PROTOCOL_STATE: /)
      })
      expect(report.error).toMatchObject({ code: 'PROTOCOL_STATE', phase: 'stop-and-copy' })
    },
  )

  it('is an ERROR that the source takes as it is, of whatever number', async () => {
    for (const [code, name] of [[97, 'NO_ROOM'] as const, [60_000, 'INTERNAL'] as const]) {
      const report = await sendTo(async (control) => {
        await paused(control)
        control.send('Error', { code, text: 'so sorry', phase: 'stop-and-copy' })
      })
      expect(report.error).toEqual({ code: name, text: 'so sorry', phase: 'stop-and-copy' })
    }
  })
})

describe('a credit window', () => {
  const windowBytes = 8 * MIB
  const memoryBytes = 20 * MIB

  /** Resolves when nothing has come for so many turns of the event loop that nothing will. */
  async function stalled(data: Peer): Promise<number> {
    for (let turns = 0, before = -1; turns < 50; turns++) {
      if (data.byteCount !== before) turns = 0
      before = data.byteCount
      await new Promise(setImmediate)
    }
    return data.byteCount - PREFACE_BYTES
  }

  it('is kept, and opened by CREDIT', async () => {
    const seen: number[] = []
    const report = await sendTo(
      async (control) => {
        await reserved(control, { creditBytes: windowBytes })
        await control.until('RoundEnd')
        control.channel.end()
      },
      {},
      async (data) => {
        await answer(data)
        for (let bytes = await stalled(data); seen.at(-1) !== bytes; bytes = await stalled(data)) {
          expect(bytes - (seen.at(-1) ?? 0)).toBeLessThanOrEqual(windowBytes)
          seen.push(bytes)
          if (bytes < memoryBytes) data.send('Credit', { bytes })
        }
      },
      memoryBytes,
    )
    expect(report.error).toMatchObject({ code: 'CONNECTION_LOST', phase: 'pre-copy' })
    expect(seen.length).toBe(3)
    expect(seen.at(-1)).toBeGreaterThan(memoryBytes)
  })

  it.each([
    ['more than was sent', [windowBytes + 1]],
    ['less than before', [MIB, MIB - 1]],
  ])('is not opened for %s', async (_name, credits) => {
    const report = await sendTo(
      async (control) => {
        await reserved(control, { creditBytes: windowBytes })
        await control.refusal()
      },
      {},
      async (data) => {
        await answer(data)
        await stalled(data)
        for (const bytes of credits) data.send('Credit', { bytes })
      },
      memoryBytes,
    )
    expect(report.error).toMatchObject({ code: 'PROTOCOL_STATE', phase: 'pre-copy' })
  })
})

import type { Channel, ChannelSink, GodwitError, Thread } from '@godwit/core'
import { CodecError, PageBitmap, PeerError, errorParts } from '@godwit/core'
import { ChannelRole } from '@godwit/wire'
import { describe, expect, test } from 'vitest'
import { FaultBoard } from './fault-board.ts'
import { RemoteUrgent } from './remote-urgent.ts'
import type { LaneRound } from './round-work.ts'
import { emptyRound } from './round-work.ts'
import type { UrgentCommand, UrgentReport } from './urgent-messages.ts'

const preface = { role: ChannelRole.Urgent, index: 0, epoch: 0, session: new Uint8Array(16) }

/** A thread whose code is the test. */
class ScriptedThread implements Thread<UrgentCommand, UrgentReport> {
  readonly ended: Promise<GodwitError | undefined>
  readonly commands: string[] = []
  readonly die: (error: GodwitError | undefined) => void
  say: (report: UrgentReport) => void = () => {}

  constructor() {
    const { promise, resolve } = Promise.withResolvers<GodwitError | undefined>()
    this.ended = promise
    this.die = resolve
  }

  post(command: UrgentCommand): void {
    this.commands.push(command.do)
  }

  listen(hear: (report: UrgentReport) => void): void {
    this.say = hear
  }

  end(): void {
    this.commands.push('(end)')
    this.die(undefined)
  }
}

/** A connection whose descriptor is 7, and 8 once it is duplicated. */
const channel: Channel = {
  remote: 'tcp other',
  bytesWritten: 0,
  bytesRead: 0,
  open(_sink: ChannelSink) {},
  write() {},
  end() {},
  destroy() {},
  async detach(duplicate) {
    const descriptor = duplicate(7)
    return {
      descriptor,
      early: new Uint8Array(0),
      remote: 'tcp other',
      bytesWritten: 0,
      bytesRead: 0,
    }
  },
}

function start(): {
  urgent: RemoteUrgent
  thread: ScriptedThread
  lost: (GodwitError | undefined)[]
  closed: number[]
} {
  const thread = new ScriptedThread()
  const lost: (GodwitError | undefined)[] = []
  const closed: number[] = []
  const threads = {
    start: () => thread,
    duplicate: (descriptor: number) => descriptor + 1,
    close: (descriptor: number) => void closed.push(descriptor),
  }
  const plan = { pageBytes: 4096, sent: [], hash: 'xxh3', memoryBytes: 0 } as const
  const onLost = (error: GodwitError | undefined): void => void lost.push(error)
  const urgent = new RemoteUrgent(threads, { ...plan, seed: new Uint8Array(8), onLost })
  return { urgent, thread, lost, closed }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const endOf = (urgent: RemoteUrgent): Promise<LaneRound> =>
  new Promise((resolve) => urgent.end(resolve))

describe('RemoteUrgent', () => {
  test('hands its connection to the thread, and says what it is told', async () => {
    const { urgent, thread, lost, closed } = start()
    const opening = urgent.open(channel, preface)
    await turn()
    expect(thread.commands).toEqual(['prepare', 'open'])
    thread.say({ type: 'attached' })
    thread.say({ type: 'opened' })
    await opening
    const push = { left: [new PageBitmap(1)], board: new FaultBoard(), fetch: 'demand' } as const
    urgent.begin(2, true, push)
    const ending = endOf(urgent)
    expect(thread.commands.slice(2)).toEqual(['begin', 'end'])
    const done = { ...emptyRound(), pages: 3 }
    thread.say({ type: 'sent', done, cpuSeconds: 0.5 })
    expect((await ending).pages).toBe(3)
    urgent.close()
    urgent.close()
    thread.say({ type: 'ended', wireBytes: 99, cpuSeconds: 0.75 })
    await urgent.ended
    expect(thread.commands.slice(4)).toEqual(['close', '(end)'])
    expect([urgent.wireBytes, urgent.cpuSeconds]).toEqual([99, 0.75])
    expect([lost, closed]).toEqual([[], []])
  })

  test('closes the connection that a dead thread did not take over', async () => {
    const { urgent, thread, lost, closed } = start()
    const opening = urgent.open(channel, preface)
    await turn()
    const error = new CodecError('CODEC_BATCH', 'it died')
    thread.die(error)
    await expect(opening).rejects.toBe(error)
    await urgent.ended
    expect([lost, closed]).toEqual([[error], [8]])
    expect(await endOf(urgent)).toEqual(emptyRound())
  })

  test('closes the connection when it was closed itself before it had it', async () => {
    const { urgent, thread, lost, closed } = start()
    const opening = urgent.open(channel, preface)
    urgent.close()
    await expect(opening).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(closed).toEqual([8])
    expect(thread.commands).toEqual(['prepare', '(end)'])
    expect(lost).toEqual([])
  })

  test('rejects with what the destination said, and ends a round that goes on', async () => {
    const refused = start()
    const opening = refused.urgent.open(channel, preface)
    await turn()
    const error = new PeerError('PROTOCOL_STATE', 'no')
    refused.thread.say({ type: 'lost', error: errorParts(error) })
    await expect(opening).rejects.toMatchObject({ code: 'PROTOCOL_STATE', message: 'no' })
    const { urgent, thread, lost } = start()
    void urgent.open(channel, preface)
    await turn()
    thread.say({ type: 'opened' })
    const ending = endOf(urgent)
    thread.say({ type: 'lost', error: undefined })
    expect(await ending).toEqual(emptyRound())
    expect(lost).toEqual([undefined])
  })
})

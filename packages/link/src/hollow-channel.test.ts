import { FrameType, FrameWriter } from '@godwit/wire'
import type { Frame } from '@godwit/wire'
import type { Clock } from '@godwit/core'
import { CancelledError } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import { HollowChannel, openHollow } from './hollow-channel.ts'
import type { Link, LinkHandler } from './link.ts'

/** Tasks that wait for {@link turn}. */
class Turns implements Clock {
  #tasks: (() => void)[] = []

  nowMs(): number {
    return 0
  }

  after(): () => void {
    return () => {}
  }

  soon(task: () => void): void {
    this.#tasks.push(task)
  }

  turn(): void {
    for (const task of this.#tasks.splice(0)) task()
  }
}

class Recorder implements LinkHandler {
  readonly types: number[] = []
  readonly ends: unknown[] = []
  readonly link: Link

  constructor(link: Link) {
    this.link = link
  }

  frame({ type }: Frame): void {
    this.types.push(type)
  }

  closed(error: unknown): void {
    this.ends.push(error)
  }
}

describe('a hollow channel', () => {
  const open = (): { clock: Turns; channel: HollowChannel; peer: Recorder } => {
    const clock = new Turns()
    const channel = new HollowChannel(clock)
    return { clock, channel, peer: openHollow(channel, clock, (link) => new Recorder(link)) }
  }

  it('forgets what is written, a turn later', () => {
    const { clock, channel, peer } = open()
    const before = channel.bytesWritten
    let isWritten = false
    const bytes = new Uint8Array(100)
    peer.link.sendInPlace(FrameType.Pages, bytes, 0, 100, () => {
      isWritten = true
    })
    expect(channel.bytesWritten - before).toBe(100)
    expect(isWritten).toBe(false)
    clock.turn()
    expect(isWritten).toBe(true)
  })

  it('says what was written, after whoever wrote it was told', () => {
    const clock = new Turns()
    const heard: (number | string)[] = []
    const channel = new HollowChannel(clock, (byteCount) => heard.push(byteCount))
    const peer = openHollow(channel, clock, (link) => new Recorder(link))
    const write = (): void => {
      peer.link.sendInPlace(FrameType.Pages, new Uint8Array(100), 0, 100, () => {
        heard.push('told')
      })
    }
    write()
    expect(heard).toEqual([])
    clock.turn()
    expect(heard).toEqual(['told', 100])
    write()
    peer.link.fail(new CancelledError())
    clock.turn()
    expect(heard).toEqual(['told', 100])
  })

  it('delivers frames that are fed, however long', () => {
    const { channel, peer } = open()
    const writer = new FrameWriter()
    channel.feed(writer.frame(FrameType.Pages, new Uint8Array(300_000)))
    channel.feed(writer.frame(FrameType.Credit, new Uint8Array(10)))
    expect(peer.types).toEqual([FrameType.Pages, FrameType.Credit])
  })

  it('is silent once its link is over', () => {
    const { clock, channel, peer } = open()
    let isWritten = false
    peer.link.sendInPlace(FrameType.Pages, new Uint8Array(100), 0, 100, () => {
      isWritten = true
    })
    const error = new CancelledError()
    peer.link.fail(error)
    clock.turn()
    channel.feed(new FrameWriter().frame(FrameType.Credit, new Uint8Array(10)))
    expect([isWritten, peer.types, peer.ends]).toEqual([false, [], [error]])
  })
})

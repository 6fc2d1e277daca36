import { describe, expect, it } from 'vitest'
import { LinkMeter } from './link-meter.ts'

const mib = 1 << 20

/** A link, and what the destination says of it: a word for every so many bytes. */
class Link {
  readonly meter = new LinkMeter()
  nowMs = 0
  #sent = 0
  #installed = 0

  send(bytes: number): void {
    this.meter.sent(bytes, this.nowMs)
    this.#sent += bytes
  }

  /** So many bytes get through, and that is said. */
  install(bytes: number, ms: number): void {
    this.nowMs += ms
    this.#installed += bytes
    this.meter.installed(this.#installed, this.nowMs)
  }

  /** There are always 4 MiB on their way, at most. */
  keepBusy(rate: number, bytes: number, grain = mib): void {
    const end = this.#sent + bytes
    while (this.#installed < end) {
      const more = Math.min(end - this.#sent, this.#installed + 4 * mib - this.#sent)
      if (more > 0) this.send(more)
      this.install(grain, grain / rate)
    }
  }

  get rate(): number | undefined {
    return this.meter.bytesPerMs(this.nowMs)
  }
}

describe('LinkMeter', () => {
  it('knows nothing before the first word, or 8 ms without one', () => {
    const link = new Link()
    link.nowMs = 1000
    expect(link.rate).toBeUndefined()
    link.send(mib)
    link.nowMs += 7.9
    expect(link.rate).toBeUndefined()
    expect(link.meter.backlogMs(link.nowMs)).toBe(0)
    link.nowMs += 0.1
    expect(link.rate).toBeCloseTo(mib / 8, 0)
    link.nowMs += 92
    expect(link.rate).toBeCloseTo(mib / 100, 0)
    expect(link.meter.outstandingBytes).toBe(mib)
  })

  it.each([
    ['10 Mbit/s', 1.25e3],
    ['100 Mbit/s', 12.5e3],
    ['1 Gbit/s', 125e3],
    ['10 Gbit/s', 1.25e6],
    ['3.5 GB/s', 3.5e6],
  ])('measures %s while the destination is behind', (_, rate) => {
    const link = new Link()
    link.keepBusy(rate, 64 * mib)
    expect(link.rate).toBeCloseTo(rate, 0)
    expect(link.meter.outstandingBytes).toBe(0)
  })

  it('comes to the rate of a link whose first word was late', () => {
    const link = new Link()
    link.send(4 * mib)
    link.install(mib, 30 + mib / 125e3)
    expect(link.rate).toBeCloseTo(mib / (30 + mib / 125e3), 0)
    link.keepBusy(125e3, 64 * mib)
    expect(link.rate! / 125e3).toBeCloseTo(1, 2)
  })

  it('is not misled by pauses', () => {
    const link = new Link()
    for (let i = 0; i < 20; i++) {
      link.keepBusy(125e3, 8 * mib)
      link.nowMs += 500
    }
    expect(link.rate).toBeCloseTo(125e3, 0)
  })

  it('is not misled by a receiver that installs in bursts', () => {
    const link = new Link()
    link.keepBusy(125e3, 64 * mib)
    link.send(32 * mib)
    link.install(mib, mib / 125e3)
    // 4 MiB every 33 ms, word by word within 1 ms.
    for (let burst = 0; burst < 6; burst++) {
      link.nowMs += (4 * mib) / 125e3 - 1
      for (let i = 0; i < 4; i++) link.install(mib, 0.25)
      expect(link.rate! / 125e3).toBeCloseTo(1, 0)
    }
  })

  it('follows a link that becomes slower or faster, within 100 ms or so', () => {
    for (const [before, after] of [
      [100e3, 10e3],
      [10e3, 100e3],
    ] as const) {
      const link = new Link()
      link.keepBusy(before, 64 * mib)
      link.send(64 * mib)
      for (let ms = 0; ms < 200; ms += 10) link.install(10 * after, 10)
      expect(link.rate! / after).toBeCloseTo(1, 2)
    }
  })

  it('does not take the encoder for the link', () => {
    const link = new Link()
    link.keepBusy(125e3, 64 * mib)
    // Never as much as 256 KiB on their way: 12.5 MB/s is what is encoded.
    for (let i = 0; i < 100; i++) {
      link.send(mib / 8)
      link.install(mib / 8, mib / 8 / 12.5e3)
    }
    expect(link.rate).toBeCloseTo(125e3, 0)
  })

  it('knows how long the link has enough to do', () => {
    const link = new Link()
    link.keepBusy(100e3, 64 * mib)
    expect(link.meter.backlogMs(link.nowMs)).toBe(0)
    link.send(3e6)
    expect(link.meter.backlogMs(link.nowMs)).toBeCloseTo(30, 3)
    expect(link.meter.backlogMs(link.nowMs + 10)).toBeCloseTo(20, 3)
    expect(link.meter.backlogMs(link.nowMs + 50)).toBe(0)
    link.install(1e6, 10)
    expect(link.meter.backlogMs(link.nowMs)).toBeCloseTo(20, 3)
  })

  it('takes words of no time and no bytes', () => {
    const link = new Link()
    link.send(mib)
    link.install(mib / 4, 0)
    expect(link.rate).toBeUndefined()
    link.install(0, 1)
    link.install(0, 4)
    expect(link.rate).toBeGreaterThan(0)
    for (let i = 0; i < 30; i++) link.install(0, 10)
    expect(link.rate).toBe(0)
    expect(Number.isNaN(link.meter.backlogMs(link.nowMs))).toBe(false)
    link.install((3 * mib) / 4, 10)
    expect(Number.isFinite(link.rate)).toBe(true)
  })
})

import { describe, expect, it } from 'vitest'
import { LinkMeter } from './link-meter.ts'

const mib = 1 << 20

/** A link, what the socket has taken, and what the destination says of it. */
class Link {
  readonly meter: LinkMeter
  nowMs = 1000
  #sent = 0
  #installed = 0

  constructor(roundTripMs = 0, isLoopback = false) {
    this.meter = new LinkMeter(roundTripMs, isLoopback)
  }

  /** @param isTaken - at once, by the kernel's buffers */
  send(bytes: number, isTaken = true): void {
    this.meter.sent(bytes, this.nowMs)
    if (isTaken) this.meter.taken(bytes, this.nowMs)
    this.#sent += bytes
  }

  install(bytes: number, ms: number): void {
    this.nowMs += ms
    this.meter.doubt(this.nowMs)
    this.#installed += bytes
    this.meter.installed(this.#installed, this.nowMs)
  }

  /** There are always 4 MiB on their way, at most. */
  keepBusy(rate: number, bytes: number): void {
    const end = this.#sent + bytes
    while (this.#installed < end) {
      const more = Math.min(end - this.#sent, this.#installed + 4 * mib - this.#sent)
      if (more > 0) this.send(more)
      this.install(mib, mib / rate)
    }
  }

  get rate(): number | undefined {
    return this.meter.bytesPerMs(this.nowMs)
  }
}

describe('LinkMeter', () => {
  it('knows nothing before two words, or 25 ms without one', () => {
    const link = new Link()
    expect(link.rate).toBeUndefined()
    link.send(mib)
    link.nowMs += 24.9
    expect(link.rate).toBeUndefined()
    expect(link.meter.backlogMs).toBe(0)
    link.nowMs += 0.1
    expect(link.rate).toBeCloseTo(mib / 25, 0)
    link.nowMs += 75
    expect(link.rate).toBeCloseTo(mib / 100, 0)
  })

  it.each([
    ['10 Mbit/s', 1.25e3],
    ['100 Mbit/s', 12.5e3],
    ['1 Gbit/s', 125e3],
    ['10 Gbit/s', 1.25e6],
    ['3.5 GB/s', 3.5e6],
  ])('measures %s while it is waited for', (_, rate) => {
    const link = new Link()
    link.keepBusy(rate, 64 * mib)
    expect(link.rate! / rate).toBeCloseTo(1, 6)
  })

  it('takes no speed within one machine for that of the link, but for that of a tunnel', () => {
    const isFast = (rate: number, isLoopback: boolean): boolean => {
      const link = new Link(0, isLoopback)
      link.keepBusy(rate, 64 * mib)
      return link.meter.isAtLeast
    }
    expect(isFast(350e3, true)).toBe(true)
    expect(isFast(350e3, false)).toBe(false)
    expect(isFast(99e3, true)).toBe(false)
  })

  it('measures from the first word on: what comes before is no speed', () => {
    const link = new Link()
    link.send(4 * mib)
    link.install(mib, 20 + mib / 125e3)
    expect(link.rate).toBeUndefined()
    // Slow at first sight only counts after 25 ms; so fast counts at once.
    for (let i = 0; i < 3; i++) link.install(mib, mib / 125e3)
    expect(link.rate! / 125e3).toBeCloseTo(1, 6)
  })

  it('is not misled by a receiver that installs in bursts', () => {
    const link = new Link()
    link.keepBusy(125e3, 64 * mib)
    link.send(32 * mib)
    // 4 MiB every 33 ms, word by word within 1 ms.
    for (let burst = 0; burst < 6; burst++) {
      link.nowMs += (4 * mib) / 125e3 - 1
      for (let i = 0; i < 4; i++) link.install(mib, 0.25)
      expect(link.rate! / 125e3).toBeCloseTo(1, 0)
    }
  })

  it('follows a link that becomes slower or faster while it is waited for', () => {
    for (const [before, after] of [
      [100e3, 10e3],
      [10e3, 100e3],
    ] as const) {
      const link = new Link()
      link.keepBusy(before, 64 * mib)
      link.send(64 * mib, false)
      for (let ms = 0; ms < 200; ms += 10) link.install(10 * after, 10)
      expect(link.rate! / after).toBeCloseTo(1, 2)
    }
  })

  it('does not take the encoder for the link, but doubts what it knows after a while', () => {
    const link = new Link()
    link.keepBusy(125e3, 64 * mib)
    const known: number[] = []
    // Nothing waits: 12.5 MB/s is what is encoded.
    for (let ms = 0; ms < 1400; ms += 10) {
      link.send(125e3)
      link.install(125e3, 10)
      if (link.rate !== undefined) known.push(link.rate / 125e3)
      else break
    }
    // A measurement over a whole window is believed for a second.
    expect(known.length).toBeGreaterThan(90)
    for (const ratio of known) expect(ratio).toBeCloseTo(1, 6)
    expect(link.rate).toBeUndefined()
  })

  it.each([
    ['of the same time but for the first', [2.4, 2.9, 4.2, 4.4, 4.3, 4.6, 4.3], 1000],
    ['of which one comes a little late', [2.9, 4.2, 4.4, 4.4, 5.5, 3.1, 4.3], 1000],
    ['that take longer and longer', [2.9, 3.2, 3.6, 4.4, 5.5, 6.8], 15],
    ['of which there are few', [9, 9, 9], 15],
  ])('believes a first measurement by pieces %s', (_, piecesMs, trustMs) => {
    const link = new Link()
    link.send(8 * mib)
    link.install(mib / 2, 0)
    for (const ms of piecesMs) link.install(mib / 2, ms)
    const known = link.nowMs
    expect(link.rate).toBeDefined()
    link.install(8 * mib - (piecesMs.length + 1) * (mib / 2), 0)
    // From here on the encoder is what is waited for.
    while (link.rate !== undefined && link.nowMs < known + 3000) {
      link.send(1e3)
      link.install(1e3, 1)
    }
    expect((link.nowMs - known) / trustMs).toBeCloseTo(1, 0)
  })

  it.each([
    ['as fast as before', 1, 4000],
    ['somewhat faster', 2.5, 4000],
    ['much faster, as where code is warm now', 4, 60],
  ])('believes a link that is found to be %s', (_, factor, trustMs) => {
    const link = new Link()
    // Neither time the pieces take the same time each: that would do by itself.
    const piecesMs = [2.9, 3.2, 3.6, 4.4, 5.5, 6.8]
    const measure = (bytes: number): number => {
      link.send(16 * bytes)
      link.install(bytes, 0)
      for (const ms of piecesMs) link.install(bytes, ms)
      const rate = link.rate!
      link.install(9 * bytes, 0)
      return rate
    }
    const untilDoubt = (): number => {
      const fromMs = link.nowMs
      while (link.rate !== undefined && link.nowMs < fromMs + 6000) {
        link.send(1e3)
        link.install(1e3, 1)
      }
      return link.nowMs - fromMs
    }
    const before = measure(mib / 16)
    expect(untilDoubt() / 15).toBeCloseTo(1, 0)
    expect(measure((factor * mib) / 16) / before / factor).toBeCloseTo(1, 0)
    expect(untilDoubt() / trustMs).toBeCloseTo(1, 0)
  })

  it('measures anew after a doubt, and not with what was sent before it', () => {
    const link = new Link()
    link.keepBusy(12.5e3, 16 * mib)
    while (link.rate !== undefined) {
      link.send(10e3)
      link.install(10e3, 1)
    }
    link.nowMs += 10
    link.send(2 * mib)
    link.install(mib, 3)
    link.install(mib, 0.5)
    expect(link.rate! / (mib / 0.5)).toBeCloseTo(1, 6)
  })

  it('takes a link that was fast for a moment for fast until a window has measured it', () => {
    const link = new Link()
    link.send(4 * mib)
    // Cold code at both ends, and then a mebibyte in a millisecond.
    link.install(mib / 2, 8)
    expect(link.rate).toBeUndefined()
    link.install(mib, 1)
    expect(link.rate).toBeGreaterThanOrEqual(600e3)
    expect(link.meter.isAtLeast).toBe(true)
    link.keepBusy(125e3, 16 * mib)
    expect(link.meter.isAtLeast).toBe(false)
    expect(link.rate! / 125e3).toBeCloseTo(1, 6)
  })

  it('does not take a slow link for fast when it hears of much at once', () => {
    const link = new Link()
    link.send(3 * mib)
    // 1 Gbit/s takes 25 ms for these, but nobody had a processor until then.
    link.install(mib / 2, 24)
    link.install(2 * mib, 0.3)
    expect(link.meter.isAtLeast).toBe(false)
  })

  it('takes no encoder for a slow link after a link was fast for a moment', () => {
    const link = new Link()
    link.send(2 * mib)
    link.install(mib, 0.5)
    link.install(mib, 0.5)
    for (let ms = 0; ms < 500; ms += 10) {
      link.send(500e3)
      link.install(500e3, 10)
    }
    expect(link.meter.isAtLeast).toBe(true)
  })

  it('says when enough is on its way to find out', () => {
    const link = new Link()
    expect(link.meter.isTrying(link.nowMs)).toBe(false)
    link.send(2 * mib)
    expect(link.meter.isTrying(link.nowMs)).toBe(true)
    link.nowMs += 25
    expect(link.meter.isTrying(link.nowMs)).toBe(false)
  })

  it('presumes what it knew, or 1 Gbit/s, when enough was sent to find out', () => {
    const link = new Link()
    link.send(2 * mib - 1)
    expect(link.meter.presumedBytesPerMs).toBeUndefined()
    link.send(1)
    expect(link.meter.presumedBytesPerMs).toBe(120e3)
    link.keepBusy(12.5e3, 16 * mib)
    const rate = link.rate!
    expect(link.meter.presumedBytesPerMs).toBeUndefined()
    while (link.rate !== undefined) {
      link.send(10e3)
      link.install(10e3, 1)
    }
    expect(link.meter.presumedBytesPerMs).toBeUndefined()
    link.send(2 * mib)
    expect(link.meter.presumedBytesPerMs).toBe(rate)
    const within = new Link(0, true)
    within.send(4 * mib)
    expect(within.meter.presumedBytesPerMs).toBeUndefined()
  })

  it('knows how long the link has something to do with all that is on its way', () => {
    const link = new Link()
    link.send(mib)
    expect(link.meter.onTheWayMs).toBe(0)
    link.keepBusy(100e3, 64 * mib)
    link.send(3e6)
    expect(link.meter.onTheWayMs).toBeCloseTo(30, 0)
  })

  it('knows how long the link has something to do with what the socket has not taken', () => {
    const link = new Link()
    link.keepBusy(100e3, 64 * mib)
    expect(link.meter.backlogMs).toBe(0)
    link.send(3e6, false)
    expect(link.meter.backlogMs).toBeCloseTo(30, 3)
    link.meter.taken(1e6, link.nowMs)
    expect(link.meter.backlogMs).toBeCloseTo(20, 3)
  })

  it('takes words of no time and no bytes', () => {
    const link = new Link()
    link.send(mib)
    link.install(0, 0)
    link.install(mib, 0)
    expect(Number.isFinite(link.rate ?? 0)).toBe(true)
    link.install(0, 5)
    expect(Number.isFinite(link.rate ?? 0)).toBe(true)
  })
})

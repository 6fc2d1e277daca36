/**
 * Whether to compress the next batch, and how hard: an encoder is used only while it pays.
 * After BAC (Hu et al.), which picks a compressor by the speed of the link; the break-even is that
 * of the time a byte takes: encoding and sending go on side by side, so the slower one counts.
 *
 * Pure: what is measured is told, times are parameters.
 *
 * @module
 */
import type { LinkMeter } from './link-meter.ts'

/** What batches are made of; each kind has costs of its own. */
export type ContentKind = 'plain' | 'records'

/** Decides batch by batch. Level 0 is no compression. */
export interface CompressionPolicy {
  /**
   * @param bytes - of the batch
   * @param slackMs - for which the link has something to do that the socket has not taken yet
   * @param onTheWayMs - the same with all that the destination has not installed
   */
  level(kind: ContentKind, bytes: number, slackMs: number, onTheWayMs: number): number
  /** Time has gone on, maybe without anything being compressed. */
  at(nowMs: number): void
  /** A batch was compressed in `ms` of one core. */
  compressed(
    kind: ContentKind,
    level: number,
    inBytes: number,
    outBytes: number,
    ms: number,
    nowMs: number,
  ): void
}

/** Always the same. */
export class FixedCompression implements CompressionPolicy {
  readonly #level: number

  constructor(level: number) {
    this.#level = level
  }

  level(): number {
    return this.#level
  }

  at(): void {}

  compressed(): void {}
}

/** A level as long as compression takes no more than its share of CPU time (MECOM's budget). */
export class BudgetedCompression implements CompressionPolicy {
  readonly #level: number
  readonly #share: number
  #usedMs = 0
  #beginMs: number | undefined
  #nowMs = 0

  /** @param share - CPU time per elapsed time: 0.5 for half a core */
  constructor(level: number, share: number) {
    this.#level = level
    this.#share = share
  }

  level(kind: ContentKind): number {
    if (this.#beginMs === undefined) return this.#level
    const allowedMs = (this.#nowMs - this.#beginMs) * this.#share
    const isFree = this.#share === Infinity || this.#usedMs <= allowedMs
    if (isFree) return kind === 'records' ? 1 : this.#level
    // Records are cheap: they are the last that is given up.
    return kind === 'records' && this.#usedMs <= 2 * allowedMs ? 1 : 0
  }

  at(nowMs: number): void {
    this.#nowMs = nowMs
  }

  compressed(
    _kind: ContentKind,
    _level: number,
    _inBytes: number,
    _outBytes: number,
    ms: number,
    nowMs: number,
  ): void {
    this.#beginMs ??= nowMs - ms
    this.#nowMs = nowMs
    this.#usedMs += ms
  }
}

/** A level of compression beside level 1: how much slower and smaller, on all sorts of memory. */
interface LevelFacts {
  readonly level: number
  readonly speed: number
  readonly size: number
}

/** Where a machine or its memory is different, what is measured corrects level 1, and so all. */
const levelFacts: Readonly<Record<ContentKind, readonly LevelFacts[]>> = {
  plain: [
    { level: 1, speed: 1, size: 1 },
    { level: 3, speed: 0.7, size: 0.96 },
    { level: 6, speed: 0.28, size: 0.94 },
    { level: 9, speed: 0.19, size: 0.925 },
    { level: 12, speed: 0.12, size: 0.915 },
  ],
  records: [{ level: 1, speed: 1, size: 1 }],
}

/** Before anything is measured. */
const firstGuess: Readonly<Record<ContentKind, { bytesPerMs: number; size: number }>> = {
  plain: { bytesPerMs: 350e3, size: 0.33 },
  records: { bytesPerMs: 1500e3, size: 0.13 },
}

/** What looking at pages one by one takes, before anything of them is compressed. */
const lookBytesPerMs = 2500e3
/** Share of a new measurement in what is held true. */
const weight = 0.2
/** What compression must save of the time, to be worth a core's. */
const gainMin = 0.1
/** Of the time that the link has enough to do, what encoding must not count on. */
const reserveMs = 10
/**
 * Longer than this, encoding would keep what waits from the socket, and the link would have nothing
 * to do after all.
 */
const freeMsMax = 6
/**
 * The same for levels that take some milliseconds a batch, and for all that is on its way: that is
 * in the kernel's buffers, and leaves by itself. Some of it has arrived, and is not installed yet.
 */
const easyReserveMs = 20
const easyFreeMsMax = 20
/**
 * So much for the link to do makes a version free: keeping one may cost as much as 15 us, where its
 * memory is used for the first time.
 */
const keepSlackMs = 4
/** A harder level that saves less than this is not worth its CPU time. */
const levelGainMin = 0.01
/**
 * Levels above this take a core for tens of milliseconds a batch. Whoever has no processor for a
 * moment looks like a slow link, and would have even less then: so they are for links that were
 * slow for so long.
 */
const easyLevelMax = 3
const slowForMs = 1000

/** What was measured, for the report. */
export interface CompressionFacts {
  readonly linkBytesPerSecond: number
  readonly plainBytesPerSecond: number
  /** Output per input. */
  readonly plainSize: number
}

/** See `LinkMeter`. */
export type KnownLink = Pick<LinkMeter, 'bytesPerMs' | 'isAtLeast' | 'presumedBytesPerMs'>

/** Picks the level by which a byte takes least time; none where that takes less. */
export class BreakEvenCompression implements CompressionPolicy {
  readonly #parallel: number
  readonly #measured: Record<ContentKind, { bytesPerMs: number; size: number }>
  #linkBytesPerMs: number | undefined
  /** The last that was known. */
  #knownBytesPerMs = 0
  readonly #lately = new RecentMost(slowForMs)

  /** @param parallel - batches that are compressed at the same time */
  constructor(parallel: number) {
    this.#parallel = Math.max(1, parallel)
    this.#measured = { plain: { ...firstGuess.plain }, records: { ...firstGuess.records } }
  }

  /**
   * What the link takes: nothing is compressed while that is unknown, or may be much more.
   *
   * @param rate - undefined as long as nothing is known of it
   */
  linkTakes(rate: number | undefined, isAtLeast: boolean, nowMs: number): void {
    this.#linkBytesPerMs = isAtLeast ? undefined : rate
    this.#knownBytesPerMs = rate ?? this.#knownBytesPerMs
    if (this.#linkBytesPerMs !== undefined) this.#lately.add(this.#linkBytesPerMs, nowMs)
  }

  /** What is known of the link now, or presumed. */
  linkIs(link: KnownLink, nowMs: number): void {
    this.linkTakes(link.bytesPerMs(nowMs), link.isAtLeast, nowMs)
    this.#linkBytesPerMs ??= link.presumedBytesPerMs
  }

  /** Whether nothing is worth compressing. */
  get isLinkFast(): boolean {
    return this.level('plain') === 0 && this.level('records') === 0
  }

  level(kind: ContentKind, bytes = 0, slackMs = 0, onTheWayMs = 0): number {
    const link = this.#linkBytesPerMs
    if (link === undefined) return 0
    // While the link has enough to do, encoding takes no time that counts.
    const perByte = bytes > 0 ? 1 / bytes : 0
    const freeMs = perByte * Math.min(freeMsMax, slackMs - reserveMs)
    const level = this.#levelFor(kind, link, freeMs)
    if (level > easyLevelMax) {
      return Math.max(easyLevelMax, this.#levelFor(kind, this.#lately.most, freeMs))
    }
    const easyFreeMs = perByte * Math.min(easyFreeMsMax, onTheWayMs - easyReserveMs)
    return this.#levelFor(kind, link, Math.max(freeMs, easyFreeMs), easyLevelMax)
  }

  #levelFor(kind: ContentKind, link: number, freeMs: number, most = Infinity): number {
    const { bytesPerMs, size } = this.#measured[kind]
    let best = 0
    let bestMs = (1 - gainMin) / link
    for (const facts of levelFacts[kind]) {
      if (facts.level > most) break
      const encodeMs = 1 / lookBytesPerMs + 1 / (bytesPerMs * facts.speed * this.#parallel)
      const sendMs = (size * facts.size) / link
      const ms = encodeMs <= freeMs ? sendMs : Math.max(encodeMs, sendMs)
      if (ms < bestMs * (best === 0 ? 1 : 1 - levelGainMin)) {
        best = facts.level
        bestMs = ms
      }
    }
    return best
  }

  /**
   * Whether a version for a later delta is worth its copy: where the link is waited for, that takes
   * no time that counts; where encoding is, pages are compressed so well already that it is more
   * than their deltas save.
   */
  keepsVersions(slackMs: number): boolean {
    return slackMs >= keepSlackMs
  }

  at(): void {}

  compressed(
    kind: ContentKind,
    level: number,
    inBytes: number,
    outBytes: number,
    ms: number,
  ): void {
    const facts = levelFacts[kind].find((one) => one.level === level)
    if (facts === undefined || ms <= 0 || inBytes < 65536) return
    const one = this.#measured[kind]
    const speed = inBytes / ms / facts.speed
    const size = outBytes / inBytes / facts.size
    one.bytesPerMs += weight * (speed - one.bytesPerMs)
    one.size += weight * (size - one.size)
  }

  get facts(): CompressionFacts {
    const { bytesPerMs, size } = this.#measured.plain
    return {
      linkBytesPerSecond: this.#knownBytesPerMs * 1e3,
      plainBytesPerSecond: bytesPerMs * 1e3 * this.#parallel,
      plainSize: size,
    }
  }
}

/** The largest of what was told in the last `windowMs` to twice as long. */
class RecentMost {
  readonly #windowMs: number
  #startMs: number | undefined
  #now = 0
  /** Of the window before; that before the first one is not known. */
  #before = Infinity

  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  /** Infinity in the first window. */
  get most(): number {
    return Math.max(this.#before, this.#now)
  }

  add(value: number, nowMs: number): void {
    this.#startMs ??= nowMs
    if (nowMs - this.#startMs >= this.#windowMs) {
      this.#before = this.#now
      this.#now = 0
      this.#startMs = nowMs
    }
    this.#now = Math.max(this.#now, value)
  }
}

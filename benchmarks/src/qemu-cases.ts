/**
 * What `qemu` compares: virtual machines, how QEMU moves them itself, and what Godwit is to reach.
 *
 * @module
 */
import { MIB } from '@godwit/core'
import { limitDefaultMs, multifdZstd, precopy, sizes, xbzrle } from './link-cases.ts'
import type { QemuMode } from './peer/migration-command.ts'
import type { GuestLoad } from './peer/saved-guest.ts'
import type { Attach } from './peer/vm-migration.ts'

/** Largest ratios to QEMU's best mode in each repeat; `pauseMs` is no ratio. */
export interface QemuBars {
  readonly total?: number
  readonly bytes?: number
  /** To the pause of the mode whose total is best. */
  readonly pause?: number
  readonly pauseMs?: number
}

/** One way of Godwit's. */
export interface QemuWay {
  readonly attach: Attach
  /** Of `godwit send`. */
  readonly options: readonly string[]
  readonly bars: QemuBars
}

export interface QemuCase {
  readonly name: string
  readonly load: GuestLoad
  readonly route: 'shaped' | 'loopback'
  readonly peers: readonly QemuMode[]
  readonly ways: readonly QemuWay[]
  /** What QEMU itself is told, and what it tells Godwit's `attach=stream`. */
  readonly downtimeLimitMs: number
}

/** As many channels as QEMU's multifd has. */
const lanes = ['--lanes', '2']

function file(bars: QemuBars, own: readonly string[] = lanes): QemuWay {
  return { attach: 'file', options: ['--preset', 'auto', ...own], bars }
}

function stream(bars: QemuBars): QemuWay {
  return { attach: 'stream', options: ['--encode', 'auto', ...lanes], bars }
}

/** Small: of half the size. */
export function qemuCases(size: 'full' | 'small'): readonly QemuCase[] {
  const { memoryBytes } = sizes[size]
  const load = (work: string, rate: number, style: GuestLoad['style']): GuestLoad => ({
    name: `${size}-${work}`,
    ...sizes[size],
    rate,
    style,
  })
  const idle = load('idle', 0, 'few')
  const peers = [multifdZstd, precopy, xbzrle(memoryBytes)]
  const shaped = { route: 'shaped', peers, downtimeLimitMs: limitDefaultMs } as const
  const streamBars = { total: 0.9, pause: 1 }
  return [
    {
      ...shaped,
      name: 'idle',
      load: idle,
      ways: [file({ total: 0.95, bytes: 0.95, pauseMs: 150 }), stream(streamBars)],
    },
    {
      ...shaped,
      name: 'few25k',
      load: load('few25k', 25_000, 'few'),
      ways: [file({ total: 1, pause: 1 }), stream(streamBars)],
    },
    {
      ...shaped,
      name: 'page25k',
      load: load('page25k', 25_000, 'page'),
      ways: [file({ total: 1, pause: 1 }), stream(streamBars)],
    },
    {
      ...shaped,
      name: 'loopback-idle',
      load: idle,
      route: 'loopback',
      // As it is by default, one lane: both ends share the cores of one machine.
      ways: [file({ total: 1.5 }, [])],
    },
    {
      ...shaped,
      name: 'small-idle',
      load: { name: 'tiny-idle', memoryBytes: 256 * MIB, fillBytes: 100 * MIB, ...still },
      peers: [],
      ways: [file({ pauseMs: 80 })],
    },
  ]
}

/** A guest that does nothing; its working set is filled all the same. */
const still = { wssBytes: 16 * MIB, rate: 0, style: 'few' } as const

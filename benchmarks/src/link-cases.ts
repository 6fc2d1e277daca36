/**
 * What `link` compares: guests, how QEMU moves them, and what Godwit is to reach.
 *
 * @module
 */
import { MIB } from '@godwit/core'
import type { QemuMode } from './peer/migration-command.ts'
import type { GuestLoad } from './peer/saved-guest.ts'

/** QEMU's own default, in ms. */
export const limitDefaultMs = 300
const limitShortMs = 30

export const multifdZstd: QemuMode = {
  name: 'qemu multifd+zstd',
  capabilities: ['multifd'],
  parameters: {
    'multifd-channels': 2,
    'multifd-compression': 'zstd',
    'multifd-zstd-level': 1,
    'downtime-limit': limitDefaultMs,
  },
}
const multifdZstdShort: QemuMode = {
  ...multifdZstd,
  name: `${multifdZstd.name}, ${limitShortMs} ms`,
  parameters: { ...multifdZstd.parameters, 'downtime-limit': limitShortMs },
}
export const precopy: QemuMode = {
  name: 'qemu precopy',
  capabilities: [],
  parameters: { 'downtime-limit': limitDefaultMs },
}

const postCopyAtOnce: QemuMode = {
  name: 'qemu postcopy at once',
  capabilities: ['postcopy-ram'],
  parameters: { 'downtime-limit': limitDefaultMs },
  postCopyAfter: 0,
}
const postCopyLater: QemuMode = {
  ...postCopyAtOnce,
  name: 'qemu postcopy after pass 1',
  postCopyAfter: 1,
}

/** With room in its cache for the whole guest. */
export function xbzrle(memoryBytes: number): QemuMode {
  const parameters = { 'xbzrle-cache-size': memoryBytes, 'downtime-limit': limitDefaultMs }
  return { name: 'qemu xbzrle', capabilities: ['xbzrle'], parameters }
}

/** Largest ratios to the first peer; `pauseMs` is no ratio. */
export interface LinkBars {
  readonly total?: number
  readonly bytes?: number
  readonly pause?: number
  readonly pauseMs?: number
  /** Of the time that the guest waits for pages. */
  readonly blocked?: number
  /** Of the total, to that of the quickest peer of each repeat. */
  readonly totalOfBest?: number
  /** Of total and pause, to the smaller ones of Godwit's own modes in each repeat. */
  readonly ofBestMode?: number
}

/** Godwit itself, in another way. */
export interface OwnMode {
  readonly name: string
  /** Of `godwit send`. */
  readonly options: readonly string[]
}

export interface LinkCase {
  readonly name: string
  readonly load: GuestLoad
  readonly route: 'shaped' | 'loopback'
  /** The first is what bars are about. */
  readonly peers: readonly QemuMode[]
  /** What Godwit is compared with beside. */
  readonly modes?: readonly OwnMode[]
  /** Options of `godwit send`. */
  readonly options: readonly string[]
  readonly bars: LinkBars
}

const encode = ['--encode', 'auto']
const shortPause = [...encode, '--stop', 'downtime=15ms']
const peersPause = [...encode, '--stop', `downtime=${limitDefaultMs}ms`]
const ownModes: readonly OwnMode[] = ['pre-copy', 'post-copy'].map((mode) => ({
  name: `godwit ${mode}`,
  options: [...shortPause, '--mode', mode],
}))
const pauseMs = 20
const postCopyPauseMs = 10

/** Sizes of guests: the one that peers were measured with, and a smaller one. */
type Size = 'full' | 'small'
export const sizes: Record<Size, Pick<GuestLoad, 'memoryBytes' | 'fillBytes' | 'wssBytes'>> = {
  full: { memoryBytes: 1024 * MIB, fillBytes: 780 * MIB, wssBytes: 100 * MIB },
  small: { memoryBytes: 512 * MIB, fillBytes: 340 * MIB, wssBytes: 48 * MIB },
}

/** All cases, with guests of one size. */
export function linkCases(size: Size): readonly LinkCase[] {
  const { memoryBytes } = sizes[size]
  const load = (work: string, rate: number, style: GuestLoad['style']): GuestLoad => ({
    name: `${size}-${work}`,
    ...sizes[size],
    rate,
    style,
  })
  const idle = load('idle', 0, 'few')
  const few = { total: 0.9, bytes: 0.9, pauseMs }
  const shaped = { route: 'shaped', options: shortPause } as const
  return [
    {
      ...shaped,
      name: 'idle',
      load: idle,
      peers: [multifdZstd],
      bars: { total: 0.95, bytes: 0.95, pauseMs },
    },
    {
      ...shaped,
      name: 'few25k',
      load: load('few25k', 25_000, 'few'),
      peers: [multifdZstd, multifdZstdShort],
      bars: few,
    },
    {
      ...shaped,
      name: 'few25k-hybrid',
      load: load('few25k', 25_000, 'few'),
      peers: [],
      modes: ownModes,
      options: [...shortPause, '--mode', 'hybrid'],
      bars: { ofBestMode: 1.1 },
    },
    {
      ...shaped,
      name: 'few40k',
      load: load('few40k', 40_000, 'few'),
      peers: [multifdZstd],
      bars: { total: 0.9, pauseMs },
    },
    {
      ...shaped,
      name: 'page25k',
      load: load('page25k', 25_000, 'page'),
      peers: [multifdZstd, xbzrle(memoryBytes)],
      options: peersPause,
      bars: { total: 0.9, pause: 1 },
    },
    ...postCopyCases(load('page40k', 40_000, 'page'), load('page25k', 25_000, 'page'), memoryBytes),
    {
      ...shaped,
      name: 'loopback-idle',
      load: idle,
      route: 'loopback',
      peers: [precopy],
      bars: { total: 1, pauseMs },
    },
  ]
}

/** Guests that dirty pages faster than the link carries them. */
function postCopyCases(
  fast: GuestLoad,
  slower: GuestLoad,
  memoryBytes: number,
): readonly LinkCase[] {
  const bars = { total: 0.6, pauseMs: postCopyPauseMs, blocked: 0.5 }
  const case40k = { route: 'shaped', load: fast, bars } as const
  return [
    {
      ...case40k,
      name: 'page40k-at-once',
      peers: [postCopyAtOnce],
      options: [...encode, '--mode', 'post-copy'],
    },
    {
      ...case40k,
      name: 'page40k-hybrid',
      peers: [postCopyLater],
      options: [...encode, '--mode', 'hybrid,rounds=1'],
    },
    {
      name: 'page25k-post-copy',
      route: 'shaped',
      load: slower,
      peers: [postCopyLater, postCopyAtOnce, multifdZstd, xbzrle(memoryBytes)],
      options: [...encode, '--mode', 'post-copy'],
      bars: { totalOfBest: 0.6, pauseMs: postCopyPauseMs },
    },
  ]
}

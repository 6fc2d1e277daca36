/**
 * One migration by Godwit of a guest with the same memory, over the same link.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Report } from '@godwit/core'
import { MIB } from '@godwit/core'
import { readStatus } from '../control-status.ts'
import { migrate } from '../process.ts'
import type { Route } from './namespaces.ts'
import { sentBytes } from './namespaces.ts'
import type { Figures } from './qemu-migration.ts'
import { SETTLE_MS } from './qemu-migration.ts'
import { dumpRam } from './ram-dump.ts'
import type { SavedGuest } from './saved-guest.ts'
import { warmMemory } from './workshop.ts'

/** How long the guest runs: memory is warmed meanwhile, which may take long the first time. */
const warmupMs = SETTLE_MS + 3700
const warmTries = 5
const pollMs = 20

export interface GodwitFigures extends Figures {
  /** Before the total: until pages began to flow, so connecting and making room there. */
  readonly preparationMs: number
  readonly report: Report
}

export interface GodwitOptions {
  /** How to start `godwit` as a process: program and first arguments. */
  readonly godwit: readonly string[]
  /** Of `godwit send`. */
  readonly options: readonly string[]
}

/** @throws when a migration was not right, or memory could not be warmed in time, try after try */
export async function migrateGodwit(
  guest: SavedGuest,
  options: GodwitOptions,
  route: Route,
): Promise<GodwitFigures> {
  for (let i = 0; i < warmTries; i++) {
    const figures = await migrateOnce(guest, options, route)
    if (figures !== undefined) return figures
  }
  throw new Error('memory was not warm in time; is the machine busy?')
}

/** Undefined when memory was not warm when the guest moved: such figures mean little. */
async function migrateOnce(
  guest: SavedGuest,
  { godwit, options }: GodwitOptions,
  route: Route,
): Promise<GodwitFigures | undefined> {
  const { memoryBytes } = guest.load
  const guestOption = await guestOf(guest)
  const folder = mkdtempSync(join(tmpdir(), 'godwit-control-'))
  const control = join(folder, 'control')
  const warmup = ['--warmup', `${warmupMs}ms`, '--control', control]
  const over = new AbortController()
  try {
    const bytesBefore = await sentBytes(route)
    const sent = ['--memory', String(memoryBytes), ...warmup, ...options]
    const [{ source }, isWarm] = await Promise.all([
      migrate(godwit, guestOption, sent, route).finally(() => over.abort()),
      warmBeforeMove(guest, control, over.signal),
    ])
    const wireBytes = (await sentBytes(route)) - bytesBefore
    return isWarm ? { ...figuresOf(source), wireBytes } : undefined
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function guestOf(guest: SavedGuest): Promise<string> {
  const { rate, style, wssBytes } = guest.load
  const file = await dumpRam(guest)
  if (rate === 0) return `image,file=${file}`
  return `writer,file=${file},wss=${wssBytes / MIB}MiB,rate=${rate},style=${style}`
}

/**
 * Warms while the guest settles, again and again, so that the last time is shortly before it moves;
 * whether that was over then.
 */
async function warmBeforeMove(
  { load, workshop }: SavedGuest,
  control: string,
  over: AbortSignal,
): Promise<boolean> {
  while ((await readStatus(control)).guest === 'starting') {
    if (over.aborted) return false
    await sleep(pollMs)
  }
  const endMs = performance.now() + warmupMs
  for (let tookMs = 0; performance.now() + 2 * tookMs < endMs; ) {
    const startMs = performance.now()
    await warmMemory(workshop, load.memoryBytes)
    tookMs = performance.now() - startMs
  }
  return (await readStatus(control)).state === 'warming-up'
}

/**
 * QEMU's total begins with the command, ours with the first round: what comes before, connecting
 * and making room at the destination, is told beside.
 */
function figuresOf(report: Report): Omit<GodwitFigures, 'wireBytes'> {
  const first = report.stages.find(({ name }) => name === 'pre-copy' || name === 'stop-and-copy')
  return {
    report,
    totalMs: report.totalMs!,
    preparationMs: first!.atMs,
    blockedMs: report.faults?.blockedMs,
    pauseMs: report.downtimeMs!,
    cpuSeconds: report.cpu!.sourceSeconds! + report.cpu!.destinationSeconds!,
  }
}

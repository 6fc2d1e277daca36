/**
 * Plays a cell on a stage and has it judged.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import type { MigrationMode, Report } from '@godwit/core'
import { freshFile } from './agent-process.ts'
import type { Cell } from './cell.ts'
import type { Evidence, Verdict } from './judge.ts'
import { isBad, judge } from './judge.ts'
import type { Place } from './place.ts'
import { textOf } from './place.ts'
import type { ProxiedUnit } from './proxy.ts'
import { FaultProxy } from './proxy.ts'
import type { Stage } from './stage.ts'

/** Whatever is not over by then hangs: the slowest lawful end takes half of it. */
const hangMs = 90_000

const guest = 'writer,wss=64KiB,rate=20000,content=20/30/20/30'
/**
 * Room for a guest, and for the one that a destination has not given up yet: what is held for a
 * source that went on without it is held for so long.
 */
const receiveAlways = ['--run-for', '100ms', '--memory-limit', '512KiB', '--recover-for', '25s']
const sendAlways = ['--memory', '256KiB', '--warmup', '10ms', '--retry', '30', '--lanes', '0']
const modeOptions: Readonly<Record<MigrationMode, readonly string[]>> = {
  'stop-copy': ['--mode', 'stop-copy'],
  'pre-copy': ['--mode', 'pre-copy', '--stop', 'max-rounds=2'],
  'post-copy': ['--mode', 'post-copy'],
  hybrid: ['--mode', 'hybrid,rounds=2'],
}

/** The command of the source goes on until it ends; what follows the fault runs beside it. */
interface Play {
  wasStruck: boolean
  wasReady: boolean
  wasCommitted: boolean
}

/** Migrates with nothing lost. @returns every unit that came, but for heartbeats */
export async function rehearse(stage: Stage, mode: MigrationMode): Promise<readonly Place[]> {
  const places: Place[] = []
  await stage.prepare(receiveAlways)
  const verdict = await playWith(stage, { mode }, ({ place }) => {
    if (place.name !== 'Heartbeat') places.push(place)
    return true
  })
  // On a busy machine a guest may come to nothing in its time there: then it proves nothing.
  if (isBad(verdict)) {
    throw new Error(`${mode} by itself: ${verdict.outcome}, ${verdict.why}: ${stage.source.stderr}`)
  }
  return places
}

export async function play(stage: Stage, { mode, fault, place }: Cell): Promise<Verdict> {
  const at = textOf(place)
  await stage.prepare([...receiveAlways, ...(fault.receive ?? [])], fault)
  return playWith(stage, { mode, fault }, (unit, now) => {
    if (now.wasStruck || textOf(unit.place) !== at) return true
    now.wasStruck = true
    return fault.strike(stage, unit)
  })
}

async function playWith(
  stage: Stage,
  { mode, fault = { name: 'none', isAt: () => false, strike: () => true } }: Partial<Cell>,
  onUnit: (unit: ProxiedUnit, now: Play) => boolean,
): Promise<Verdict> {
  const now: Play = { wasStruck: false, wasReady: false, wasCommitted: false }
  const struck = Promise.withResolvers<void>()
  const proxy = new FaultProxy(stage.address, (unit) => {
    const isPassed = onUnit(unit, now)
    if (isPassed && unit.place.name === 'Ready') now.wasReady = true
    if (isPassed && unit.place.name === 'Commit') now.wasCommitted = true
    if (now.wasStruck) struck.resolve()
    return isPassed
  })
  stage.proxy = proxy
  const json = freshFile('source.json')
  const to = ['--to', await proxy.listen(), '--control', stage.control, '--json', json]
  const more = [...modeOptions[mode!], ...(fault.send ?? [])]
  const sent = stage.send(['send', guest, ...sendAlways, ...to, ...more])
  const over = (async () => {
    await Promise.race([sent, struck.promise])
    if (now.wasStruck) await fault.follow?.(stage)
    const ended = await sent
    await stage.destinationIdle()
    return ended
  })()
  try {
    const ended = await within(hangMs, over)
    if (ended === undefined) return { outcome: 'HANG', why: await stage.describe() }
    return judge({
      fault,
      ...now,
      ...ended,
      report: reportOf(json),
      ...takeRecords(stage),
      recoveryCode: stage.recoveryCode,
    })
  } finally {
    proxy.close()
  }
}

function takeRecords(stage: Stage): Pick<Evidence, 'source' | 'destination' | 'dead'> {
  const take = ({ journal, endNs }: Stage['source']): Evidence['source'] => {
    return journal.take(endNs ?? process.hrtime.bigint())
  }
  const { source, destination, dead } = stage
  return { source: take(source), destination: take(destination), dead: dead.map(take) }
}

function reportOf(json: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(json, 'utf8')) as Report
  } catch {
    return undefined
  }
}

async function within<T>(milliseconds: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), milliseconds)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

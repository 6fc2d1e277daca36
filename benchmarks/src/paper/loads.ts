/**
 * The loads of `survey` and `presets`: the same, so that what one says of a load holds in the
 * other.
 *
 * @module
 */
import type { Scale } from './cell.ts'

/** Guests as `godwit send` takes them. */
const loads: Readonly<Record<string, string>> = {
  idle: 'idle',
  cpu: 'cpu,load=40',
  'cpu-busy': 'cpu,load=100',
  'memory-read': 'memory-read',
  'memory-write': 'memory-write,wss=64MiB,rate=8000',
  writer: 'writer,wss=64MiB,rate=20000,style=few',
  'writer-random': 'writer,wss=64MiB,rate=20000,style=page,order=rand',
  disk: 'disk,rate=10000',
  network: 'network,rate=200Mbit',
  cache: 'cache,wss=64MiB,rate=10000',
  kcs: 'kcs,rate=10000',
  ikcs: 'ikcs,rate=10000',
}
const quickLoads: readonly string[] = ['writer', 'kcs', 'network']
/** As `cpu`, but busier. */
const fullLoad = 'cpu-busy'

/** Hardly store anything: one round moves them. */
export const STILL_LOADS: ReadonlySet<string> = new Set(['idle', 'cpu', 'cpu-busy', 'memory-read'])

/** Names and guests. */
export function loadsOf(scale: Scale): readonly (readonly [load: string, guest: string])[] {
  return Object.entries(loads).filter(([load]) =>
    scale === 'quick' ? quickLoads.includes(load) : scale === 'full' || load !== fullLoad,
  )
}

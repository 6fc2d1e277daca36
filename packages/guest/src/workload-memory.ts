/**
 * Guest memory as a workload sees it, with the barrier that every store of a workload ends in.
 *
 * @module
 */
import { writeSync } from 'node:fs'
import { Gate, type GateMemory, markDirty } from '@godwit/memory'
import { WORK_PAGE_BYTES } from './layout.ts'

/** The memory of a workload; everything is shared with other threads. */
export interface WorkloadMemory {
  readonly regions: readonly Uint8Array[]
  /** Byte maps of the regions, one byte per migration page; undefined: stores are not marked. */
  readonly maps: readonly Uint8Array[] | undefined
  /** The migration's page size: a power of two, at least 4096. */
  readonly pageBytes: number
  /** Where pages may be still to come. */
  readonly gate?: GateMemory | undefined
  /** Of a `network` guest: the queue of its card; undefined: the guest makes its stream itself. */
  readonly receive?: SharedArrayBuffer | undefined
}

/** Waits until a page of 4096 bytes of one region is there; called before it is touched. */
export type Enter = (workPage: number) => void

/** The gates to all regions, in order. */
export function entriesOf({ gate, pageBytes, regions }: WorkloadMemory): readonly Enter[] {
  if (gate === undefined) return regions.map(() => () => {})
  const open = new Gate(gate, ring)
  const shift = Math.log2(pageBytes / WORK_PAGE_BYTES)
  return regions.map((_, region) => (workPage) => open.enter(region, workPage >>> shift))
}

const one = new Uint8Array(BigUint64Array.of(1n).buffer)

/** To an `eventfd`: whoever waits for it wakes up. */
function ring(descriptor: number): void {
  writeSync(descriptor, one)
}

/** Marks a page of 4096 bytes of one region; called after the data was stored. */
export type Mark = (workPage: number) => void

// x64 keeps stores in order, and a plain store costs nothing beside them.
const storesInOrder = process.arch === 'x64' || process.arch === 'ia32'

/** The barrier for stores to one region. */
export function markerOf(memory: WorkloadMemory, region: number): Mark {
  const map = memory.maps?.[region]
  if (map === undefined) return () => {}
  const shift = Math.log2(memory.pageBytes / WORK_PAGE_BYTES)
  if (storesInOrder) {
    return (workPage) => {
      map[workPage >>> shift] = 1
    }
  }
  return (workPage) => {
    markDirty(map, workPage >>> shift)
  }
}

/** The whole 32-bit words of a region. */
export function wordsOf(bytes: Uint8Array): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2)
}

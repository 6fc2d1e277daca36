/**
 * Machines as a guest sees them: with how many of its pair each has.
 *
 * @module
 */
import type { Candidate } from './ranking.ts'
import type { MachineRecord, Pair, VmRecord } from './records.ts'
import { isLive, samePair } from './records.ts'

/** What is known of the pair of a guest; what is unknown is like nothing. */
export type PairOrUnknown = { readonly [K in keyof Pair]: Pair[K] | null }

/**
 * All machines, counting guests of `pair`.
 *
 * @param vms - those that have not expired
 * @param nowMs - by the clock of the catalog
 */
export function candidatesOf(
  machines: readonly MachineRecord[],
  vms: readonly VmRecord[],
  pair: PairOrUnknown,
  nowMs: number,
): readonly Candidate[] {
  const guests = Map.groupBy(
    vms.filter((vm) => samePair(vm, pair)),
    ({ machine }) => machine,
  )
  return machines.map((record) => {
    const here = guests.get(record.name) ?? []
    return {
      machine: record.name,
      address: record.address,
      freeBytes: record.freeBytes,
      load: record.load,
      ofPair: here.length,
      siblings: here.filter(({ state }) => state === 'running').length,
      images: here.filter((vm) => vm.state === 'stored' && vm.memoryPath !== null).length,
      isLive: isLive(record, nowMs),
    }
  })
}

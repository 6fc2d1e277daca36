/**
 * The way of a program's own threads to memory that is still arriving.
 *
 * @module
 */
import type { GateMemory } from '@godwit/memory'
import { Gate } from '@godwit/memory'
import { ringBell } from './bell.ts'

/**
 * Opens the gate that `run` of `receive` was given, on any thread but the one that receives: before
 * a page is touched, `enter(region, page)` waits until it is there. Regions are counted as they
 * were announced; pages have the migration's size.
 */
export function openGate(gate: GateMemory): Gate {
  return new Gate(gate, ringBell)
}

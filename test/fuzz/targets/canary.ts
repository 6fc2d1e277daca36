/**
 * A decoder of deltas with a bug that was put there: it tells whether the fuzzer finds any.
 *
 * @module
 */
import type { Random } from '../mutator.ts'
import { someDelta } from '../deltas.ts'
import type { Target } from '../target.ts'
import { GuardedBytes } from '../target.ts'

const pageBytes = 4096
const memory = new GuardedBytes(pageBytes, 70_000)

/** A length of one or two bytes; -1 when there is none. */
function lengthAt(delta: Uint8Array, at: number): number {
  const [low = 0, high = 0] = delta.subarray(at, at + 2)
  if (at >= delta.length) return -1
  return low < 0x80 ? low : (low & 0x7f) | ((high & 0x7f) << 7)
}

const lengthBytes = (length: number): number => (length < 0x80 ? 1 : 2)

/** Checks that a run begins within the page, and forgets where it ends: from the second run on. */
function apply(around: Uint8Array, start: number, delta: Uint8Array): boolean {
  let i = 0
  for (let at = 0; at < delta.length; ) {
    const unchanged = lengthAt(delta, at)
    at += lengthBytes(unchanged)
    const changed = lengthAt(delta, at)
    at += lengthBytes(changed)
    if (changed <= 0 || at + changed > delta.length || i + unchanged >= pageBytes) return false
    if (i === 0 && unchanged + changed > pageBytes) return false
    i += unchanged
    around.set(delta.subarray(at, at + changed), start + i)
    i += changed
    at += changed
  }
  return true
}

function run(input: Uint8Array): string {
  const around = new Uint8Array(memory.bytes.buffer)
  const isDelta = apply(around, memory.bytes.byteOffset, input)
  memory.check('the canary')
  return `${isDelta}`
}

export const canary: Target = {
  name: 'canary',
  seeds: [Uint8Array.of(3, 1, 7)],
  reaches: [],
  inputBytesMax: 8192,
  allocatedBytesMax: () => 1 << 20,
  cpuMsMax: 100,
  fieldsOf: () => [],
  generate: (random: Random) => someDelta(pageBytes - 8, random),
  run,
}

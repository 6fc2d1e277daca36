/**
 * How a workload must have ended, had it never moved.
 *
 * @module
 */
import './compile-cache.ts'
import { setImmediate } from 'node:timers/promises'
import type { GuestIdentity } from '@godwit/core'
import type { IncomingWorkload } from '@godwit/guest'
import { replay, stepsOf } from '@godwit/guest'
import { expect } from 'vitest'
import { difference } from './shadow.ts'

/** Waits until the guest has done more steps than now: it is alive. */
export async function advances(guest: { steps?(): number }, more = 1): Promise<void> {
  const target = guest.steps!() + more
  while (guest.steps!() < target) await setImmediate()
}

/** Stops an arrived guest; every byte and register must be as if it had stayed. */
export async function expectContinuous(
  arrived: IncomingWorkload,
  identity: GuestIdentity,
  stepsBefore: number,
): Promise<void> {
  await advances(arrived)
  const { steps, registers } = await arrived.stop()
  expect(steps).toBeGreaterThan(stepsBefore)
  const shared = arrived.regions.map((region) => ({
    ...region,
    bytes: new Uint8Array(new SharedArrayBuffer(region.bytes.length)),
  }))
  const stayed = await replay(identity, shared, stepsOf(registers))
  expect(registers).toEqual(stayed.registers)
  const memory = arrived.regions.map((region) => region.bytes)
  const oracle = stayed.regions.map((region) => region.bytes)
  expect(difference(memory, oracle)).toBeUndefined()
}

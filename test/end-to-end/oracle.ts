/**
 * How a workload must have ended, had it never moved.
 *
 * @module
 */
import './compile-cache.ts'
import { setImmediate } from 'node:timers/promises'
import type { GuestIdentity, Region } from '@godwit/core'
import type { IncomingWorkload, WorkloadGuest } from '@godwit/guest'
import { dropsOf, replay, stepsOf } from '@godwit/guest'
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
  await expectUndisturbed(identity, arrived.regions, registers)
}

/** A guest that went on from `steps` is paused; it must be as if nothing had ever happened. */
export async function expectReplayed(guest: WorkloadGuest, steps: number): Promise<void> {
  await advances(guest)
  await guest.pause()
  expect(guest.steps()).toBeGreaterThan(steps)
  await expectUndisturbed(guest.identity, guest.regions, guest.captureState())
}

/** Memory and registers are those of a run of as many steps. */
export async function expectUndisturbed(
  identity: GuestIdentity,
  regions: readonly Region[],
  registers: Uint8Array,
): Promise<void> {
  const shared = regions.map((region) => ({
    ...region,
    bytes: new Uint8Array(new SharedArrayBuffer(region.bytes.length)),
  }))
  const memory = regions.map((region) => region.bytes)
  const stayed = await replay(identity, shared, stepsOf(registers), dropsOf(identity, memory))
  expect(registers).toEqual(stayed.registers)
  const oracle = stayed.regions.map((region) => region.bytes)
  expect(difference(memory, oracle)).toBeUndefined()
}

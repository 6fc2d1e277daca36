/**
 * QEMU's settings of migrations as a stream to this process needs them, for as long as it lasts:
 * plain records of memory, no cap on bandwidth but the link itself, and a short pause at the end of
 * the first pass.
 *
 * @module
 */
import { resetCapabilities, setCapabilities } from './capabilities.ts'
import type { QmpClient } from './qmp.ts'

/** QEMU's own cap is 128 MiB/s, and its rule for the pause would believe that to be the link. */
const bandwidthMax: number = 2 ** 40
/** QEMU's own `downtime-limit`. */
const defaultPauseMs = 300

/**
 * Most of the first pass over memory, in which all of it goes anyway: a machine that stood long
 * before its end would wait for pages that go as well while it runs. Much less, and QEMU would look
 * at its log of stores again and again before it stops; its emulator (TCG) may miss a store behind
 * each such look.
 */
const firstPauseMs = 40

type Parameters = Readonly<Record<string, unknown>>

/** Settings that are in force. */
export interface AppliedSettings {
  /** QEMU may stop the machine where the pause goes within the limit that was asked for. */
  allowPause(): Promise<void>
  /** All is as it was. */
  restore(): Promise<void>
}

/**
 * Changes QEMU's settings.
 *
 * @param downtimeMs - QEMU's `downtime-limit`, behind the first pass; what it has else
 */
export async function applySettings(
  qmp: QmpClient,
  downtimeMs: number | undefined,
): Promise<AppliedSettings> {
  const parameters = await qmp.execute<Parameters>('query-migrate-parameters')
  const pauseMs = downtimeMs ?? Number(parameters['downtime-limit'] ?? defaultPauseMs)
  const first = { 'downtime-limit': Math.min(firstPauseMs, pauseMs) }
  const values = { 'max-bandwidth': bandwidthMax, ...first }
  const names = Object.keys(values).filter((name) => typeof parameters[name] === 'number')
  const old = Object.fromEntries(names.map((name) => [name, parameters[name]]))
  const capabilities = await setCapabilities(qmp, 'stream-source')
  await qmp.execute('migrate-set-parameters', values)
  return {
    async allowPause() {
      await qmp.execute('migrate-set-parameters', { 'downtime-limit': pauseMs })
    },
    async restore() {
      await resetCapabilities(qmp, capabilities)
      await qmp.execute('migrate-set-parameters', old)
    },
  }
}

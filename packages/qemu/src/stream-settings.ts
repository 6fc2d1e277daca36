/**
 * QEMU's settings of migrations as a stream to this process needs them, for as long as it lasts:
 * plain records of memory, and no cap on bandwidth but the link itself.
 *
 * @module
 */
import { resetCapabilities, setCapabilities } from './capabilities.ts'
import type { QmpClient } from './qmp.ts'

/** QEMU's own cap is 128 MiB/s, and its rule for the pause would believe that to be the link. */
const bandwidthMax: number = 2 ** 40

type Parameters = Readonly<Record<string, unknown>>

/** Changes QEMU's settings; whoever calls what it resolves with has them back as they were. */
export async function applySettings(
  qmp: QmpClient,
  downtimeMs: number | undefined,
): Promise<() => Promise<void>> {
  const parameters = await qmp.execute<Parameters>('query-migrate-parameters')
  const limit = downtimeMs === undefined ? {} : { 'downtime-limit': downtimeMs }
  const values = { 'max-bandwidth': bandwidthMax, ...limit }
  const names = Object.keys(values).filter((name) => typeof parameters[name] === 'number')
  const old = Object.fromEntries(names.map((name) => [name, parameters[name]]))
  const capabilities = await setCapabilities(qmp, 'stream-source')
  await qmp.execute('migrate-set-parameters', values)
  return async () => {
    await resetCapabilities(qmp, capabilities)
    await qmp.execute('migrate-set-parameters', old)
  }
}

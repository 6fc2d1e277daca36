/**
 * Records the streams of this release (`pnpm run streams`): see `test/streams/README.md`.
 *
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { SOFTWARE } from 'godwit'
import { capture, lackingFrames, scenarios } from '../streams/scenarios.ts'

const version = SOFTWARE.replace(/^.*\//, '')
const folder = new URL(`../streams/${version}/`, import.meta.url)
mkdirSync(folder, { recursive: true })
for (const [name, scenario] of Object.entries(scenarios)) {
  const { source } = await capture(scenario)
  const lacking = lackingFrames(scenario, source)
  if (lacking.length > 0) throw new Error(`${name} has no ${lacking.join(', ')}: run this again`)
  writeFileSync(new URL(`${name}.gwc`, folder), source)
  process.stdout.write(`${version}/${name}.gwc: ${source.length} bytes\n`)
}

/**
 * Whether WELCOME follows from HELLO.
 *
 * @module
 */
import type { Hello, Welcome } from '@godwit/wire'
import { check } from './failure.ts'

/** @throws {Failure} */
export function checkWelcome(welcome: Welcome, hello: Hello): void {
  const { versionMin, versionMax, pageBytes, required, optional, dataChannels } = hello
  const { version, capabilities } = welcome
  const inRange = version >= versionMin && version <= versionMax
  check('C4.13', inRange, `a version from ${versionMin} to ${versionMax}`, version)
  check('C4.16', pageBytes.includes(welcome.pageBytes), show(pageBytes), welcome.pageBytes)
  const asked = [...required, ...optional]
  const extra = capabilities.filter((name) => !asked.includes(name))
  check('C4.50', extra.length === 0, 'only capabilities of HELLO', extra)
  const lacking = required.filter((name) => !capabilities.includes(name))
  check('C4.50', lacking.length === 0, 'all that HELLO requires', capabilities)
  const channels = welcome.dataChannels
  check('C4.20', channels >= 1 && channels <= dataChannels, `1 to ${dataChannels}`, channels)
  const hasFinal = welcome.finalAfterMs === undefined || capabilities.includes('final')
  check('C4.55', hasFinal, 'no finalAfterMs without final', welcome)
  const hasNonce = welcome.staticNonce !== undefined
  check('C4.15', hasNonce === capabilities.includes('static'), 'staticNonce with static', welcome)
}

function show(sizes: readonly number[]): string {
  return `one of ${sizes.join(', ')}`
}

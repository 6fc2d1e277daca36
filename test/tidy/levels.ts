/**
 * Which package may import which. A package imports only packages of lower levels, and some not
 * even those.
 *
 * @module
 */

/** Everything that is published, by level. */
export const levels: readonly (readonly string[])[] = [
  ['@godwit/core'],
  ['@godwit/wire', '@godwit/kernels', '@godwit/memory', '@godwit/linux', '@godwit/policy'],
  ['@godwit/codec', '@godwit/static', '@godwit/transport', '@godwit/link', '@godwit/seal'],
  ['@godwit/session'],
  ['@godwit/source', '@godwit/destination', '@godwit/conformance', '@godwit/capture'],
  ['@godwit/guest', '@godwit/memcached', '@godwit/qemu', '@godwit/catalog'],
  ['godwit'],
  ['@godwit/benchmarks'],
  ['@godwit/report'],
  ['@godwit/cli'],
]

/** Tools for tests: they see only what they test against. */
export const testkit = '@godwit/testkit'
/** The folder of tests that cross packages; may import everything. */
export const tests = '@godwit/test'

/** What a package must not import although its level would allow it. */
export const forbidden: Readonly<Record<string, readonly string[]>> = {
  '@godwit/session': [
    '@godwit/transport',
    '@godwit/link',
    '@godwit/seal',
    '@godwit/codec',
    '@godwit/memory',
  ],
  godwit: ['@godwit/guest'],
  // It judges the agents: it must not be made of what they are made of.
  '@godwit/conformance': [
    '@godwit/codec',
    '@godwit/transport',
    '@godwit/link',
    '@godwit/session',
    '@godwit/memory',
    '@godwit/linux',
    '@godwit/policy',
  ],
}

/** Packages that run in a browser tab, too: nothing of Node in them. */
export const neutral: ReadonlySet<string> = new Set([
  '@godwit/core',
  '@godwit/wire',
  '@godwit/kernels',
  '@godwit/policy',
  '@godwit/codec',
  '@godwit/static',
  '@godwit/link',
  '@godwit/seal',
  '@godwit/session',
  '@godwit/source',
  '@godwit/destination',
  '@godwit/capture',
  '@godwit/memory',
  '@godwit/report',
])

/** The level of a package, or undefined for one that the table does not know. */
export function levelOf(name: string): number | undefined {
  const level = levels.findIndex((names) => names.includes(name))
  return level < 0 ? undefined : level
}

/** Why `name` must not import the workspace package `imported`; undefined when it may. */
export function objection(name: string, imported: string): string | undefined {
  if (name === tests) return undefined
  if (imported === testkit) return `${name} needs ${testkit} at run time`
  if (name === testkit) {
    return imported === '@godwit/core' ? undefined : `${testkit} imports ${imported}`
  }
  const [from, to] = [levelOf(name), levelOf(imported)]
  if (from === undefined || to === undefined) {
    return `${from === undefined ? name : imported} has no level`
  }
  if (to >= from) return `${name} (level ${from}) imports ${imported} (level ${to})`
  return forbidden[name]?.includes(imported) ? `${name} must not know ${imported}` : undefined
}

/**
 * A catalog of one cast: the map that is learned from its samples, and the options with which both
 * agents use it.
 *
 * @module
 */
import { join } from 'node:path'
import { run, splitCommand } from '../process.ts'
import type { StaticMove } from './static-migration.ts'

/** What all images have; the names say nothing, as long as both ends have the same. */
const pair = ['--os', 'debian/12', '--hypervisor', 'qemu/7.2']

export type StaticMode = 'escdr-content' | 'escdr-position'

/** Learns from files of memory. @returns the catalog */
export async function learnMap(
  godwit: readonly string[],
  folder: string,
  samples: readonly string[],
): Promise<string> {
  const catalog = join(folder, 'catalog.db')
  const learn = [...godwit, 'catalog', 'learn', ...samples, '--catalog', catalog, ...pair]
  await run(...splitCommand(learn))
  return catalog
}

/** What a migration takes more for static pages. */
export function staticOptions(
  mode: StaticMode,
  catalog: string,
  sibling: string,
): Pick<StaticMove, 'send' | 'receive'> {
  return {
    send: ['--static', mode, '--catalog', catalog, ...pair],
    receive: ['--catalog', catalog, '--sibling', sibling],
  }
}

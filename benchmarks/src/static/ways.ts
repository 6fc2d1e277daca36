/**
 * Ways to move a guest, measured in turn.
 *
 * @module
 */
import { createNamespaces } from '../peer/namespaces.ts'
import type { PartOptions } from './part.ts'
import type { StaticFigures, StaticMove } from './static-migration.ts'
import { moveOver } from './static-migration.ts'

/** What everything is compared with. */
export const alone = 'zstd alone'

/** By their names, in the order of the rows. */
export type Ways = ReadonlyMap<string, StaticMove>
/** One value per repeat in each. */
export type Samples = ReadonlyMap<string, readonly StaticFigures[]>

/**
 * All ways once in each repeat, and the first one once before, which finds memory for the others.
 *
 * @param waysOf - the same names in each repeat
 */
export async function measureInTurn(
  rate: string,
  waysOf: (repeat: number) => Promise<Ways>,
  { repeat, say }: Pick<PartOptions, 'repeat' | 'say'>,
): Promise<Samples> {
  const samples = new Map<string, StaticFigures[]>()
  const namespaces = await createNamespaces(rate)
  try {
    for (let i = 0; i < repeat; i++) {
      const ways = await waysOf(i)
      const names = [...ways.keys()]
      if (i === 0) {
        for (const name of names) samples.set(name, [])
        await moveOver(namespaces.shaped, ways.get(names[0]!)!)
      }
      for (const name of rotated(names, i)) {
        say(`${i + 1} of ${repeat}, ${name}`)
        samples.get(name)!.push(await moveOver(namespaces.shaped, ways.get(name)!))
      }
    }
    return samples
  } finally {
    await namespaces.remove()
  }
}

/** Each repeat begins with another one. */
export function rotated<T>(all: readonly T[], by: number): readonly T[] {
  const first = by % all.length
  return [...all.slice(first), ...all.slice(0, first)]
}

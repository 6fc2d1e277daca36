/**
 * Siblings over a link: static pages and zstd against zstd alone.
 *
 * @module
 */
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import type { StaticMode } from './catalog.ts'
import { learnMap, staticOptions } from './catalog.ts'
import type { Cast, Kaslr } from './images.ts'
import { castOf, imagesWith } from './images.ts'
import type { Part } from './part.ts'
import type { StaticMove } from './static-migration.ts'
import type { WayBars } from './static-rows.ts'
import { staticRows } from './static-rows.ts'
import type { Ways } from './ways.ts'
import { alone, encodeZstd, measureInTurn } from './ways.ts'

const bytesBar = 0.35
/** Of the total, by the link's rate: the slower the link, the more the bytes decide. */
const totalBars: Readonly<Record<string, number>> = { '1gbit': 0.7, '100mbit': 0.4 }
/** The paper's way is beside. */
const modes: readonly StaticMode[] = ['escdr-content', 'escdr-position']

/** Of each kind over each link. */
export function siblingParts(): readonly Part[] {
  return (['on', 'off'] as const).flatMap((kaslr) =>
    Object.keys(totalBars).map((rate) => siblingPart(kaslr, rate)),
  )
}

function siblingPart(kaslr: Kaslr, rate: string): Part {
  const name = `${kaslr}-${rate}`
  const title = `siblings, KASLR ${kaslr}, ${rate}`
  const bars: WayBars = {
    [wayOf('escdr-content')]: { wireBytes: bytesBar, fromReservationMs: totalBars[rate]! },
  }
  return {
    name,
    needsLink: true,
    needsImages: true,
    async measure(options) {
      const { images, folder, godwit, say } = options
      const chosen = imagesWith(images, kaslr)
      const waysOf = async (repeat: number): Promise<Ways> => {
        const cast = castOf(chosen, repeat)
        say(`${cast.guest.name}, which has the sibling ${cast.sibling.name}: learning`)
        return siblingWays(cast, mkdtempSync(join(folder, 'cast-')), godwit)
      }
      return staticRows(title, await measureInTurn(rate, waysOf, options), bars)
    },
  }
}

function wayOf(mode: StaticMode): string {
  return `${mode} + zstd`
}

async function siblingWays(
  { guest, sibling, samples }: Cast,
  folder: string,
  godwit: readonly string[],
): Promise<Ways> {
  const files = samples.map(({ file }) => file)
  const catalog = await learnMap(godwit, folder, files)
  const image = `image,file=${guest.file}`
  const ways = new Map<string, StaticMove>()
  ways.set(alone, { guest: image, send: encodeZstd, receive: [] })
  for (const mode of modes) {
    const { send, receive } = staticOptions(mode, catalog, sibling.file)
    ways.set(wayOf(mode), { guest: image, send: [...encodeZstd, ...send], receive })
  }
  return ways
}

/**
 * Siblings over a link: static pages and zstd against zstd alone.
 *
 * @module
 */
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import type { Cast, Kaslr } from './images.ts'
import { castOf, imagesWith } from './images.ts'
import { learnMap } from './map-file.ts'
import type { Part } from './part.ts'
import type { StaticMove } from './static-migration.ts'
import type { WayBars } from './static-rows.ts'
import { staticRows } from './static-rows.ts'
import type { Ways } from './ways.ts'
import { alone, measureInTurn } from './ways.ts'

const bytesBar = 0.35
/** Of the total, by the link's rate: the slower the link, the more the bytes decide. */
const totalBars: Readonly<Record<string, number>> = { '1gbit': 0.7, '100mbit': 0.4 }
/** The paper's way is beside. */
const modes = ['content', 'position'] as const

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
    [wayOf('content')]: { wireBytes: bytesBar, totalMs: totalBars[rate]! },
  }
  return {
    name,
    needsLink: true,
    needsImages: true,
    async measure(options) {
      const { images, folder, say } = options
      const chosen = imagesWith(images, kaslr)
      const waysOf = async (repeat: number): Promise<Ways> => {
        const cast = castOf(chosen, repeat)
        say(`${cast.guest.name}, which has the sibling ${cast.sibling.name}: learning`)
        return siblingWays(cast, mkdtempSync(join(folder, 'cast-')))
      }
      return staticRows(title, await measureInTurn(rate, waysOf, options), bars)
    },
  }
}

function wayOf(mode: (typeof modes)[number]): string {
  return `escdr-${mode} + zstd`
}

async function siblingWays(cast: Cast, folder: string): Promise<Ways> {
  const files = cast.samples.map(({ file }) => file)
  const has = { map: await learnMap(folder, files), sibling: cast.sibling.file }
  const guest = [`image,file=${cast.guest.file}`] as const
  const ways = new Map<string, StaticMove>([[alone, { guest: [...guest], offers: {}, has }]])
  for (const mode of modes) ways.set(wayOf(mode), { guest: [...guest], offers: { mode }, has })
  return ways
}

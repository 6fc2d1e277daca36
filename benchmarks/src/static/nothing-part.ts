/**
 * What static pages cost a guest that has none of them: a map as large as the guest, all of it held
 * by the destination's sibling, and none of it in the guest.
 *
 * @module
 */
import { join } from 'node:path'
import { GIB, MIB, PAGE_BYTES_DEFAULT } from '@godwit/core'
import { learnMap } from './map-file.ts'
import type { Part, PartOptions } from './part.ts'
import type { StaticMove } from './static-migration.ts'
import { staticRows } from './static-rows.ts'
import { content, writeMemory } from './synthetic.ts'
import type { Ways } from './ways.ts'
import { alone, measureInTurn } from './ways.ts'

const rate = '1gbit'
const way = 'escdr-content + zstd'
const bars = { [way]: { wireBytes: 1.01, totalMs: 1.03 } }
const guestSeed = 1
const siblingSeed = 2

export const nothingPart: Part = {
  name: 'nothing',
  needsLink: true,
  needsImages: false,
  async measure(options) {
    const ways = await unlikeWays(options)
    const samples = await measureInTurn(rate, async () => ways, options)
    return staticRows(`nothing in common, ${rate}`, samples, bars)
  },
}

async function unlikeWays({ quick, folder, say }: PartOptions): Promise<Ways> {
  const memoryBytes = quick ? 64 * MIB : GIB
  const [sibling, other] = [join(folder, 'sibling.ram'), join(folder, 'other.ram')]
  say('making siblings that the guest has nothing of')
  const memory = content(siblingSeed, memoryBytes)
  writeMemory(sibling, [memory])
  // All but this page is static.
  memory.fill(1, memoryBytes - PAGE_BYTES_DEFAULT)
  writeMemory(other, [memory])
  const has = { map: await learnMap(folder, [sibling, other]), sibling }
  const guest: StaticMove['guest'] = [`idle,content=40/30/20/10,seed=${guestSeed}`, memoryBytes]
  return new Map([
    [alone, { guest, offers: {}, has }],
    [way, { guest, offers: { mode: 'content' }, has }],
  ])
}

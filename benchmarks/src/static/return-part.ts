/**
 * A guest that comes back to a machine which kept its memory when it left: a tenth of its pages
 * were stored to meanwhile.
 *
 * @module
 */
import { MIB, PAGE_BYTES_DEFAULT } from '@godwit/core'
import type { Namespaces } from '../peer/namespaces.ts'
import { createNamespaces } from '../peer/namespaces.ts'
import type { Part } from './part.ts'
import type { StaticFigures } from './static-migration.ts'
import { checked, measured, startPair } from './static-migration.ts'
import { staticRows } from './static-rows.ts'
import { alone, rotated } from './ways.ts'

const rate = '1gbit'
const withImage = 'own image + zstd'
const bars = { [withImage]: { wireBytes: 0.15 } }
const memoryMib = 512
const quickMib = 64
const changedShare = 0.1
/** Slow, so that what it writes while it moves is little. */
const sweepSeconds = 6

export const returnPart: Part = {
  name: 'return',
  needsLink: true,
  needsImages: false,
  async measure(options) {
    const { quick, repeat, say } = options
    const samples = new Map<string, StaticFigures[]>([
      [alone, []],
      [withImage, []],
    ])
    const namespaces = await createNamespaces(rate)
    try {
      for (let i = 0; i < repeat; i++) {
        for (const way of rotated([...samples.keys()], i)) {
          say(`${i + 1} of ${repeat}, ${way}`)
          const mib = quick ? quickMib : memoryMib
          samples.get(way)!.push(await roundTrip(way === withImage, mib * MIB, namespaces))
        }
      }
    } finally {
      await namespaces.remove()
    }
    return staticRows(`return, ${rate}`, samples, bars)
  },
}

/** There and back; what the way back took. */
async function roundTrip(
  offersImage: boolean,
  memoryBytes: number,
  { shaped }: Namespaces,
): Promise<StaticFigures> {
  const pages = Math.round((memoryBytes / PAGE_BYTES_DEFAULT) * changedShare)
  const wss = pages * PAGE_BYTES_DEFAULT
  const guest = `writer,wss=${wss},rate=${Math.round(pages / sweepSeconds)},style=few`
  const { source: home, destination: away, end } = await startPair(shaped)
  try {
    await home.tell('start', guest, memoryBytes)
    checked(await home.tell('send', away.address, {}))
    await away.tell('arrived')
    const images = [await home.tell('keep')]
    await home.tell('drop')
    await away.tell('work', pages)
    const offers = offersImage ? { images } : {}
    return await measured(shaped, away, home, offers)
  } finally {
    await end()
  }
}

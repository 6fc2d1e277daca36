/**
 * A guest that comes back to a machine which kept its memory when it left: a tenth of its pages
 * were stored to meanwhile.
 *
 * @module
 */
import { join } from 'node:path'
import { MIB, PAGE_BYTES_DEFAULT } from '@godwit/core'
import type { Namespaces } from '../peer/namespaces.ts'
import { carriedBytes, createNamespaces } from '../peer/namespaces.ts'
import type { ImageName } from './machine.ts'
import { RemoteMachine } from './machine.ts'
import type { Part, PartOptions } from './part.ts'
import type { StaticFigures } from './static-migration.ts'
import { figuresOf } from './static-migration.ts'
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
          samples.get(way)!.push(await roundTrip(way === withImage, mib * MIB, options, namespaces))
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
  { folder }: PartOptions,
  { shaped }: Namespaces,
): Promise<StaticFigures> {
  const pages = Math.round((memoryBytes / PAGE_BYTES_DEFAULT) * changedShare)
  const wss = pages * PAGE_BYTES_DEFAULT
  const guest = `writer,wss=${wss},rate=${Math.round(pages / sweepSeconds)},style=few`
  const home = await RemoteMachine.start(shaped.source, shaped.sourceHost, join(folder, 'home'))
  const away = await RemoteMachine.start(shaped.destination, shaped.host, join(folder, 'away'))
  try {
    await home.tell('start', guest, memoryBytes)
    figuresOf(await home.tell('send', away.address, []))
    await away.tell('arrived')
    const images: readonly ImageName[] = [await home.tell('keep')]
    await home.tell('drop')
    await away.tell('work', pages)
    const before = await carriedBytes(shaped)
    const report = await away.tell('send', home.address, offersImage ? images : [])
    const wireBytes = (await carriedBytes(shaped)) - before
    return { ...figuresOf(report), wireBytes }
  } finally {
    await home.end()
    await away.end()
  }
}

/**
 * The regions that a VM's blocks of memory are offered as: one each, or several for a block that is
 * larger than a region may be.
 *
 * @module
 */
import type { RegionShape } from '@godwit/core'
import { REGION_BYTES_MAX } from '@godwit/memory'
import type { StreamBlock } from './stream-format.ts'

/** Of a region that is a part of a block. */
const partName = /^(.+)#(\d+)$/s

/** A block, and the regions that it is cut into, in order. */
export interface BlockRegions extends StreamBlock {
  readonly shapes: readonly RegionShape[]
}

/** Regions that so many bytes are cut into. */
export function regionCount(byteLength: number): number {
  return Math.ceil(byteLength / REGION_BYTES_MAX)
}

/** Their lengths: all but the last are full. */
export function cutLengths(byteLength: number): readonly number[] {
  return Array.from({ length: regionCount(byteLength) }, (_, index) =>
    Math.min(REGION_BYTES_MAX, byteLength - index * REGION_BYTES_MAX),
  )
}

/**
 * Cuts blocks. A region is called as its block; parts of a block, and one that has a name like a
 * part's, have their number behind it: `pc.ram#0`, `pc.ram#1`. Ids count all regions.
 */
export function cutBlocks(blocks: readonly StreamBlock[]): readonly BlockRegions[] {
  let id = 0
  return blocks.map(({ name, byteLength }) => {
    const lengths = cutLengths(byteLength)
    const hasParts = lengths.length > 1 || partName.test(name)
    const shapes = lengths.map((length, index) => {
      return { id: id++, name: hasParts ? `${name}#${index}` : name, byteLength: length }
    })
    return { name, byteLength, shapes }
  })
}

/** The blocks that regions are of; undefined where {@link cutBlocks} makes no such regions. */
export function joinRegions(regions: readonly RegionShape[]): readonly BlockRegions[] | undefined {
  const blocks: { name: string; byteLength: number; shapes: RegionShape[] }[] = []
  for (const shape of regions) {
    const [, name = shape.name, part = '0'] = partName.exec(shape.name) ?? []
    const last = blocks.at(-1)
    if (Number(part) > 0 && last?.name === name) {
      last.byteLength += shape.byteLength
      last.shapes.push(shape)
    } else blocks.push({ name, byteLength: shape.byteLength, shapes: [shape] })
  }
  const again = cutBlocks(blocks).flatMap(({ shapes }) => shapes)
  const areSame = again.every(({ name, byteLength }, index) => {
    return name === regions[index]?.name && byteLength === regions[index].byteLength
  })
  return areSame && again.length === regions.length ? blocks : undefined
}

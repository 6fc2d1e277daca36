/**
 * Memory images of siblings: virtual machines with the same system that did different work, as
 * `guest/siblings/make.sh` makes them.
 *
 * @module
 */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { GodwitError } from '@godwit/core'

const recipe = fileURLToPath(new URL('../../guest/siblings/make.sh', import.meta.url))
/** One that moves, its sibling at the destination, and two samples, of which one is the sibling. */
export const IMAGES_MIN = 3

/** Whether the kernel lies at another place in each machine. */
export type Kaslr = 'on' | 'off'

export interface SiblingImage {
  readonly name: string
  readonly kaslr: Kaslr
  /** Of memory from address 0 on. */
  readonly file: string
  readonly memoryBytes: number
}

/** Who plays which part in one repeat. */
export interface Cast {
  readonly guest: SiblingImage
  /** What the destination has. */
  readonly sibling: SiblingImage
  /** What the map is learned from. */
  readonly samples: readonly SiblingImage[]
}

interface Listed {
  readonly images: readonly {
    readonly name: string
    readonly kaslr: Kaslr
    readonly file: string
  }[]
}

/** @throws {GodwitError} `USAGE` with how to make them, when they are not there */
export function readImages(folder: string | undefined): readonly SiblingImage[] {
  if (folder === undefined) throw missing('Which images? --images DIR has those of siblings')
  const list = join(folder, 'images.json')
  try {
    const { images } = JSON.parse(readFileSync(list, 'utf8')) as Listed
    return images.map(({ name, kaslr, file }) => {
      const path = join(folder, file)
      return { name, kaslr, file: path, memoryBytes: statSync(path).size }
    })
  } catch (cause) {
    throw missing(`The images of siblings that ${list} lists are not there`, cause)
  }
}

/** Those of one kind. @throws {GodwitError} `USAGE` when they are too few */
export function imagesWith(images: readonly SiblingImage[], kaslr: Kaslr): readonly SiblingImage[] {
  const found = images.filter((image) => image.kaslr === kaslr)
  if (found.length >= IMAGES_MIN) return found
  throw missing(`There are ${found.length} images with KASLR ${kaslr}; it takes ${IMAGES_MIN}`)
}

/**
 * Another guest in each repeat, and another sibling. A map is learned from neither of them where
 * there are enough.
 */
export function castOf(images: readonly SiblingImage[], repeat: number): Cast {
  const at = (i: number): SiblingImage => images[(repeat + i) % images.length]!
  const samples = images.length > IMAGES_MIN ? [at(2), at(3)] : [at(1), at(2)]
  return { guest: at(0), sibling: at(1), samples }
}

function missing(text: string, cause?: unknown): GodwitError {
  const help =
    `Make them with ${recipe} DIR, which takes about a minute for each, and say --images DIR; ` +
    'or take made-up ones with --synthetic'
  return new GodwitError('USAGE', `${text}. ${help}`, { cause })
}

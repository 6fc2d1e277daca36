/**
 * Images of guests that were here, in a directory (`--keep-image`): when one of them comes back,
 * only what changed has to travel.
 *
 * @module
 */
import { mkdir, readdir, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { GuestIdentity, Region } from '@godwit/core'
import {
  CONTENT_HASH_BYTES,
  GIB,
  GodwitError,
  LimitError,
  MIB,
  formatBytes,
  parseBytes,
  toHex,
} from '@godwit/core'
import { allocatePageHashes } from '@godwit/static'
import type { ImageKey } from '@godwit/wire'
import { IMAGE_ID_BYTES, IMAGE_TOKEN_BYTES } from '@godwit/wire'
import { makeDirectory } from './directory.ts'
import { syncDirectory } from './owner-file.ts'
import { PageScanner } from './page-scanner.ts'
import { randomBytes } from './runtime.ts'
import { piecesOf } from './sample.ts'
import type { ImageFacts, StoredImage } from './stored-image.ts'
import {
  createMemoryFile,
  isLost,
  isOfImage,
  readFacts,
  readImage,
  removeImage,
  writeImage,
} from './stored-image.ts'

/** Of all images of a directory, where nothing else is said. */
export const IMAGE_BYTES_MAX: number = 16 * GIB

/** What it takes of the disk beside memory and hashes, at most. */
const factsBytes = 65536
/** After that, a folder that was never finished is nobody's. */
const abandonedMs = 3_600_000

// Whatever is called otherwise is somebody else's.
const isImage = (name: string): boolean => /^[0-9a-f]{32}\.image$/.test(name)
const isTorn = (name: string): boolean => /^[0-9a-f]{32}\.image\.tmp$/.test(name)
const nameOf = (id: Uint8Array): string => `${toHex(id)}.image`
const tornNameOf = (name: string): string => `${name}.tmp`

/** What a guest was when its memory is kept. It is not to be stored to meanwhile. */
export interface KeptGuest {
  readonly identity: GuestIdentity
  readonly regions: readonly Region[]
  readonly pageBytes: number
}

/** Of an image that is still to be stored: its guest may be told before. */
export function createImageKey(): ImageKey {
  return { id: randomBytes(IMAGE_ID_BYTES), token: randomBytes(IMAGE_TOKEN_BYTES) }
}

export interface ImageList {
  /** The newest first. */
  readonly images: readonly ImageFacts[]
  readonly damaged: readonly DamagedImage[]
}

/** What is called like an image and is none, or cannot be read. */
export interface DamagedImage {
  readonly name: string
  readonly reason: string
  /**
   * Whether it goes when room is made: it is lost for good, and has nothing but files of an image.
   */
  readonly isLost: boolean
}

/** Images up to `bytesMax` on the disk. One process writes to it. */
export class ImageDirectory {
  readonly path: string
  readonly bytesMax: number
  #last: Promise<unknown> = Promise.resolve()

  private constructor(path: string, bytesMax: number) {
    this.path = path
    this.bytesMax = bytesMax
  }

  /** @throws {GodwitError} `FILE_UNWRITABLE`: the directory cannot be made or read */
  static async open(path: string, bytesMax: number = IMAGE_BYTES_MAX): Promise<ImageDirectory> {
    try {
      makeDirectory(path)
      await tidy(path)
    } catch (thrown) {
      throw unwritable(path, thrown)
    }
    return new ImageDirectory(path, bytesMax)
  }

  /** What there is. Never rejects but where the directory itself is gone. */
  async list(): Promise<ImageList> {
    const images: ImageFacts[] = []
    const damaged: DamagedImage[] = []
    for (const name of (await readdir(this.path)).filter(isImage)) {
      const folder = join(this.path, name)
      try {
        images.push(named(await readFacts(folder), name))
      } catch (thrown) {
        const goes = isLost(thrown) && (await isOfImage(folder))
        damaged.push({ name, reason: reasonOf(thrown), isLost: goes })
      }
    }
    return { images: images.toSorted((a, b) => b.storedMs - a.storedMs), damaged }
  }

  /** What is known of an image; undefined when there is none, or none that is whole. */
  async find(id: Uint8Array): Promise<ImageFacts | undefined> {
    const name = nameOf(id)
    try {
      return named(await readFacts(join(this.path, name)), name)
    } catch {
      return undefined
    }
  }

  /** @throws {GodwitError} `FILE_UNREADABLE` when there is no such image, or none that is whole */
  async load(id: Uint8Array): Promise<StoredImage> {
    const name = nameOf(id)
    try {
      const image = await readImage(join(this.path, name))
      named(image.facts, name)
      return image
    } catch (thrown) {
      const text = `The image ${toHex(id)} cannot be read: ${reasonOf(thrown)}`
      throw new GodwitError('FILE_UNREADABLE', text, { cause: thrown })
    }
  }

  /** Idempotent. */
  async remove(id: Uint8Array): Promise<void> {
    await this.#after(() => this.#drop(nameOf(id)))
  }

  /**
   * Keeps the memory of a guest; the oldest images make room.
   *
   * @param key - of no other image
   * @returns what proves at this directory that somebody has the guest
   * @throws {GodwitError} `NO_ROOM` when it alone is more than the limit, `FILE_UNWRITABLE`
   */
  store(guest: KeptGuest, key: ImageKey = createImageKey()): Promise<ImageKey> {
    return this.#after(() => this.#store(guest, key))
  }

  /** Removes the oldest images until those that are left keep the limit. */
  trim(): Promise<void> {
    return this.#after(() => this.#makeRoom(0))
  }

  async #store(guest: KeptGuest, { id, token }: ImageKey): Promise<ImageKey> {
    const folder = join(this.path, nameOf(id))
    const torn = tornNameOf(folder)
    const scanner = new PageScanner()
    try {
      await this.#makeRoom(await diskBytesOf(guest, scanner))
      await mkdir(torn, { mode: 0o700 })
      await writeAll(torn, guest, { id, token, scanner })
      await syncDirectory(join(torn, 'memory'))
      await rename(torn, folder)
      await syncDirectory(folder)
      return { id, token }
    } catch (thrown) {
      await removeImage(torn, torn)
      throw unwritable(this.path, thrown)
    } finally {
      scanner.end()
    }
  }

  /** @throws {LimitError} `NO_ROOM` */
  async #makeRoom(byteCount: number): Promise<void> {
    if (byteCount > this.bytesMax) {
      const most = formatBytes(this.bytesMax)
      const text = `An image of ${formatBytes(byteCount)} is more than ${most}`
      const facts = { limit: 'imageBytesMax', value: byteCount, maximum: this.bytesMax }
      throw new LimitError('NO_ROOM', text, facts)
    }
    const { images, damaged } = await this.list()
    // Nobody has a use for these, and what they take is not known.
    for (const { name, isLost: goes } of damaged) if (goes) await this.#drop(name)
    let taken = images.reduce((sum, { diskBytes }) => sum + diskBytes + factsBytes, byteCount)
    for (const { id, diskBytes } of images.toReversed()) {
      if (taken <= this.bytesMax) return
      await this.#drop(nameOf(id))
      taken -= diskBytes + factsBytes
    }
  }

  /** Its name goes first: what is left when this is interrupted is no image. */
  async #drop(name: string): Promise<void> {
    const folder = join(this.path, name)
    await removeImage(folder, tornNameOf(folder))
  }

  #after<Kind>(work: () => Promise<Kind>): Promise<Kind> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => {})
    return done
  }
}

/** `DIR` or `DIR,max=SIZE`. @throws {GodwitError} `USAGE` */
export function parseKeepImage(text: string): { path: string; bytesMax: number } {
  const match = /^([^,].*?)(?:,max=([^,]*))?$/s.exec(text)
  if (match === null) {
    throw new GodwitError('USAGE', `"${text}" is no place for images; write it like DIR,max=8GiB`)
  }
  const [, path, size] = match
  const [, name] = /,([\w-]*)=/.exec(path!) ?? []
  if (name !== undefined) {
    const text = `"${name}" is no option of a place for images; write it like DIR,max=8GiB`
    throw new GodwitError('USAGE', text)
  }
  const bytesMax = size === undefined ? IMAGE_BYTES_MAX : parseBytes(size)
  if (bytesMax >= MIB) return { path: path!, bytesMax }
  throw new GodwitError('USAGE', `max=${size} is less than 1 MiB, and no image of a guest`)
}

/** What an image would take of the disk, from the number of pages that are not zero. */
async function diskBytesOf(guest: KeptGuest, scanner: PageScanner): Promise<number> {
  const { pageBytes } = guest
  const { pieces, pageCount } = shapeOf(guest)
  const count = new Int32Array(new SharedArrayBuffer(4))
  await scanner.scan(pieces, pageBytes, { kind: 'count', count })
  return count[0]! * (pageBytes + CONTENT_HASH_BYTES) + pageCount + factsBytes
}

async function writeAll(
  folder: string,
  guest: KeptGuest,
  { id, token, scanner }: { id: Uint8Array; token: Uint8Array; scanner: PageScanner },
): Promise<void> {
  const { identity, pageBytes } = guest
  const { pieces, pageCount } = shapeOf(guest)
  const file = await createMemoryFile(folder, pageCount * pageBytes)
  const into = allocatePageHashes(pageCount, pageBytes)
  try {
    await scanner.scan(pieces, pageBytes, { kind: 'store', into, file: file.fd })
    await file.sync()
  } finally {
    await file.close()
  }
  const regions = guest.regions.map(({ id, name, bytes }) => {
    return { id, name, byteLength: bytes.length }
  })
  const facts = { id, token, guest: identity, pageBytes, regions, storedMs: Date.now() }
  await writeImage(folder, { ...facts, pages: into })
}

function shapeOf({ regions, pageBytes }: KeptGuest): ReturnType<typeof piecesOf> {
  return piecesOf(
    regions.map(({ bytes }) => bytes),
    pageBytes,
  )
}

/** An image that was given another's name is none. */
function named(facts: ImageFacts, name: string): ImageFacts {
  if (nameOf(facts.id) !== name) throw new Error('it is another image')
  return facts
}

/** What is left of images that were never finished goes. */
async function tidy(path: string): Promise<void> {
  for (const name of (await readdir(path)).filter(isTorn)) {
    const folder = join(path, name)
    const memory = await stat(join(folder, 'memory')).catch(() => stat(folder))
    const isOld = Date.now() - memory.mtimeMs > abandonedMs
    if (isOld && (await isOfImage(folder))) await removeImage(folder, folder)
  }
}

function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

function unwritable(path: string, thrown: unknown): GodwitError {
  if (thrown instanceof LimitError) return thrown
  const text = `${path} cannot hold images: ${reasonOf(thrown)}`
  return new GodwitError('FILE_UNWRITABLE', text, { cause: thrown })
}

/**
 * One image of a guest's memory in a folder of its own, so that it is there whole or not at all:
 *
 * - `memory`: every page at its page id, counted over all regions; holes where it is zero
 * - `hashes`: the kinds of all pages, a byte each, then the content hashes of those that have one
 * - `facts.json`: whose it is, its shape, its token, and the SHA-256 of `hashes`
 *
 * What stands in `memory` is checked by whoever copies pages from it.
 *
 * @module
 */
import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { open, readFile, readdir, rename, rmdir, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { GuestIdentity, RegionShape, StaticPlaces, StaticSet } from '@godwit/core'
import {
  CONTENT_HASH_BYTES,
  allocateShared,
  fromHex,
  isPageBytes,
  pagesOfRegions,
  toHex,
} from '@godwit/core'
import type { PageHashes } from '@godwit/static'
import { PageKind } from '@godwit/static'
import * as v from 'valibot'
import { nativeSha256 } from './native-bytes.ts'

const format = 'godwit.image/1'
/** All that an image has. */
const fileNames: ReadonlySet<string> = new Set(['memory', 'hashes', 'facts.json'])
/** More than any facts take: a guest has 65,536 regions at most, but none has so many. */
const factsBytesMax = 2 ** 20
const pagesMax = 2 ** 30
/** A guest's memory and a secret: nobody else may read them. */
const ownerOnly = 0o600

const hex = (byteCount: number) =>
  v.pipe(v.string(), v.regex(new RegExp(`^[0-9a-f]{${byteCount * 2}}$`)))
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))

const schema = v.object({
  format: v.literal(format),
  id: hex(16),
  token: hex(32),
  guest: v.object({
    kind: v.string(),
    options: v.record(v.string(), v.union([v.string(), v.number()])),
  }),
  pageBytes: v.pipe(v.number(), v.check(isPageBytes)),
  regions: v.array(v.object({ id: count, name: v.string(), byteLength: count })),
  storedMs: v.number(),
  contents: count,
  hashesSha256: hex(32),
})

/** Of an image that another release wrote. */
const other = v.object({
  format: v.pipe(v.string(), v.regex(/^godwit\.image\/\d+$/), v.notValue(format)),
})

class OtherFormatError extends Error {
  constructor(name: string) {
    super(`it is of format ${name}, which this release does not read`)
  }
}

/** What is known of an image before its hashes are read. */
export interface ImageFacts {
  /** 16 random bytes, no secret. */
  readonly id: Uint8Array
  /** 32 random bytes, which prove that somebody had this guest since. */
  readonly token: Uint8Array
  readonly guest: GuestIdentity
  readonly pageBytes: number
  readonly regions: readonly RegionShape[]
  readonly storedMs: number
  /** What it takes of the disk. */
  readonly diskBytes: number
}

/** An image as a static set that is held whole. */
export interface StoredImage {
  readonly facts: ImageFacts
  /** Every page with content is an entry; all of them have page ids. */
  readonly set: StaticSet
  readonly places: StaticPlaces
}

/** What an image is written from. */
export interface ImageContent extends Omit<ImageFacts, 'diskBytes'> {
  readonly pages: PageHashes
}

/** Begins the file of an image's memory in an empty folder. */
export async function createMemoryFile(folder: string, byteLength: number): Promise<FileHandle> {
  const file = await open(join(folder, 'memory'), 'wx', ownerOnly)
  await file.truncate(byteLength)
  return file
}

/** Writes what belongs to the memory, durably. */
export async function writeImage(folder: string, content: ImageContent): Promise<void> {
  const { id, token, guest, pageBytes, storedMs, pages } = content
  const { bytes: hashes, contents } = packHashes(pages)
  const text = JSON.stringify({
    format,
    id: toHex(id),
    token: toHex(token),
    guest: { kind: guest.kind, options: guest.options },
    pageBytes,
    regions: content.regions.map(({ id, name, byteLength }) => ({ id, name, byteLength })),
    storedMs,
    contents,
    hashesSha256: toHex(nativeSha256(hashes)),
  } satisfies v.InferInput<typeof schema>)
  await writeDurably(join(folder, 'hashes'), hashes)
  await writeDurably(join(folder, 'facts.json'), new TextEncoder().encode(text))
}

/** @throws {Error} why the folder holds no whole image */
export async function readFacts(folder: string): Promise<ImageFacts> {
  return (await readStored(folder)).facts
}

/** @throws {Error} why the folder holds no whole image */
export async function readImage(folder: string): Promise<StoredImage> {
  const { facts, contents, pageCount, hashesSha256 } = await readStored(folder)
  const bytes = await readFile(join(folder, 'hashes'))
  if (toHex(nativeSha256(bytes)) !== hashesSha256) throw new Error('its hashes are damaged')
  const positions = new Uint32Array(allocateShared(contents * 4).buffer)
  let entry = 0
  for (let page = 0; page < pageCount; page++) {
    if (bytes[page] === PageKind.content) positions[entry++] = page
  }
  const hashes = allocateShared(contents * CONTENT_HASH_BYTES)
  hashes.set(bytes.subarray(pageCount))
  const page = positions
  const origin = allocateShared(contents)
  const places = { origins: [join(folder, 'memory')], origin, page }
  return { facts, set: { pageBytes: facts.pageBytes, hashes, positions }, places }
}

/**
 * Whether an image is lost for good: what stands there is wrong, or lacks something. What could not
 * be read for now, or not by this release, may be whole.
 *
 * @param thrown - by {@link readFacts}
 */
export function isLost(thrown: unknown): boolean {
  if (thrown instanceof OtherFormatError) return false
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined
  return code === undefined || code === 'ENOENT'
}

/** Whether a folder has files of an image, or of a part of one, and nothing of anybody else's. */
export async function isOfImage(folder: string): Promise<boolean> {
  try {
    const entries = await readdir(folder, { withFileTypes: true })
    return entries.every((entry) => entry.isFile() && fileNames.has(entry.name))
  } catch {
    return false
  }
}

/**
 * Removes the files of an image, and its folder where nothing else is in that. Never rejects.
 *
 * @param parting - the name that the folder has meanwhile: what is left of it is no image
 */
export async function removeImage(folder: string, parting: string): Promise<void> {
  try {
    if (folder !== parting) await rename(folder, parting)
    for (const name of fileNames) await unlink(join(parting, name)).catch(() => {})
    await rmdir(parting)
  } catch {
    // It is gone, or somebody else has put something there.
  }
}

interface Stored {
  readonly facts: ImageFacts
  readonly contents: number
  readonly pageCount: number
  readonly hashesSha256: string
}

async function readStored(folder: string): Promise<Stored> {
  const text = await readSmall(join(folder, 'facts.json'))
  const facts: unknown = JSON.parse(text)
  if (v.is(other, facts)) throw new OtherFormatError(facts.format)
  const parsed = v.safeParse(schema, facts)
  if (!parsed.success) throw new Error('its facts are damaged')
  const { format: _format, contents, hashesSha256, ...rest } = parsed.output
  const { pageBytes, regions } = rest
  const pageCount = pagesOfRegions(regions, pageBytes)
  if (!(pageCount <= pagesMax && contents <= pageCount)) throw new Error('its shape cannot be')
  const [memory, hashes] = await Promise.all(
    ['memory', 'hashes'].map((name) => stat(join(folder, name))),
  )
  const isWhole =
    memory!.size === pageCount * pageBytes &&
    hashes!.size === pageCount + contents * CONTENT_HASH_BYTES
  if (!isWhole) throw new Error('it is not whole')
  const diskBytes = (memory!.blocks + hashes!.blocks) * 512
  const [id, token] = [fromHex(rest.id), fromHex(rest.token)]
  return { facts: { ...rest, id, token, diskBytes }, contents, pageCount, hashesSha256 }
}

function packHashes({ kinds, hashes }: PageHashes): { bytes: Uint8Array; contents: number } {
  const bytes = new Uint8Array(kinds.length * (1 + CONTENT_HASH_BYTES))
  bytes.set(kinds)
  let at = kinds.length
  for (let page = 0; page < kinds.length; page++) {
    if (kinds[page] !== PageKind.content) continue
    const start = page * CONTENT_HASH_BYTES
    for (let i = 0; i < CONTENT_HASH_BYTES; i++) bytes[at++] = hashes[start + i]!
  }
  return { bytes: bytes.subarray(0, at), contents: (at - kinds.length) / CONTENT_HASH_BYTES }
}

/** A small regular file; whatever else stands there is not waited for. */
async function readSmall(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const stats = await file.stat()
    if (!stats.isFile() || stats.size > factsBytesMax) throw new Error('its facts are none')
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', ownerOnly)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

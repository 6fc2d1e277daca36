/**
 * Keys of stored images as text, for a program that hands a guest's past on.
 *
 * @module
 */
import { GodwitError, fromHex, toHex } from '@godwit/core'
import type { ImageKey } from '@godwit/wire'
import { IMAGES_MAX, IMAGE_ID_BYTES, IMAGE_TOKEN_BYTES } from '@godwit/wire'
import * as v from 'valibot'

const format = 'godwit.images/1'

const bytes = (byteCount: number) =>
  v.pipe(v.string(), v.regex(new RegExp(`^[0-9a-f]{${byteCount * 2}}$`)), v.transform(fromHex))

const schema = v.object({
  format: v.literal(format),
  images: v.pipe(
    v.array(v.object({ id: bytes(IMAGE_ID_BYTES), token: bytes(IMAGE_TOKEN_BYTES) })),
    v.maxLength(IMAGES_MAX),
    v.check((images) => new Set(images.map(({ id }) => toHex(id))).size === images.length),
  ),
})

/** Whoever can read it can ask for what the images hold: it is to be kept as a key is. */
export function formatImageKeys(images: readonly ImageKey[]): string {
  const text = images.map(({ id, token }) => ({ id: toHex(id), token: toHex(token) }))
  return `${JSON.stringify({ format, images: text }, null, 2)}\n`
}

/** @throws {GodwitError} `FILE_UNREADABLE`: there are none in it */
export function parseImageKeys(text: string): readonly ImageKey[] {
  try {
    return v.parse(schema, JSON.parse(text)).images
  } catch (thrown) {
    const reason = 'These are no keys of stored images'
    throw new GodwitError('FILE_UNREADABLE', reason, { cause: thrown })
  }
}

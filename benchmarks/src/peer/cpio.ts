/**
 * A cpio archive in the format that Linux takes as its first file system (`newc`).
 *
 * @module
 */

/** Type and rights of a program: a regular file that everybody may run. */
const programMode = 0o100755
const magic = '070701'
const trailer = 'TRAILER!!!'
/** Inode, mode, user, group, links, time, bytes, two devices of two numbers, name, checksum. */
const fieldCount = 13

/** An archive with one program in it. */
export function archiveProgram(name: string, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([...entry(name, programMode, bytes), ...entry(trailer, 0, new Uint8Array())])
}

function entry(name: string, mode: number, bytes: Uint8Array): readonly Uint8Array[] {
  const fields = Array.from({ length: fieldCount }, () => 0)
  fields[0] = 1
  fields[1] = mode
  fields[4] = 1
  fields[6] = bytes.length
  fields[11] = name.length + 1
  const digits = fields.map((field) => field.toString(16).padStart(8, '0')).join('')
  return [padded(Buffer.from(`${magic}${digits}${name}\0`)), padded(bytes)]
}

/** Header with name, and content, each end at a multiple of four bytes. */
function padded(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)])
}

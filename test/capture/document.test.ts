import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import {
  CAPTURE_MAGIC,
  CAPTURE_TEXT_BYTES_MAX,
  CAPTURE_VERSION,
  CHANNELS_OPEN_MAX,
  CHUNK,
  CHUNK_PAYLOAD_BYTES_MAX,
  ChunkKind,
  FILE_HEADER,
} from '../../packages/capture/src/layout.ts'

const text = readFileSync(new URL('../../docs/CAPTURE.md', import.meta.url), 'utf8')
/** Cells of all rows of tables. */
const rows = text.split('\n').flatMap((line) => {
  const cells = line.split('|').slice(1, -1)
  return cells.length > 0 ? [cells.map((cell) => cell.trim())] : []
})

/** The offsets of one table, by name; they must leave no gap. */
function offsetsFrom(first: string): Record<string, number> {
  const start = rows.findIndex(([offset, , name]) => offset === '0' && name === first)
  const offsets: Record<string, number> = {}
  let at = 0
  for (const [offset, bytes, name] of rows.slice(start)) {
    if (Number(offset) !== at) break
    offsets[name!] = at
    at += Number(bytes)
  }
  return offsets
}

it('the document has every byte where the code has it', () => {
  expect(offsetsFrom('magic')).toEqual(FILE_HEADER)
  expect(offsetsFrom('channel')).toEqual(CHUNK)
  const kinds = Object.entries(ChunkKind).map(([name, kind]) => [`${kind}`, name.toLowerCase()])
  for (const [kind, name] of kinds) {
    expect(rows.some((row) => row[0] === kind && row[1] === name)).toBe(true)
  }
})

it('the document has the numbers of the code', () => {
  const magic = Array.from(CAPTURE_MAGIC, (byte) => byte.toString(16).padStart(2, '0'))
  expect(text).toContain(magic.join(' ').toUpperCase())
  expect(rows).toContainEqual(['8', '2', 'version', `${CAPTURE_VERSION}`])
  for (const number of [CHUNK_PAYLOAD_BYTES_MAX.toLocaleString('en-US'), CHANNELS_OPEN_MAX]) {
    expect(text).toContain(`at most ${number}`)
  }
  expect(text).toContain(`at most ${CAPTURE_TEXT_BYTES_MAX} bytes`)
})

/**
 * What was learned so far, and its bytes.
 *
 * | bytes | what |
 * |---:|---|
 * | 4 | `GWSL` |
 * | 4 | format: 1 |
 * | 4 each | page bytes, version, samples, samples that a content needs |
 * | 4 each | contents, page ids, static page ids |
 * | 1 + n | operating system: its length, its UTF-8 |
 * | 1 + n | hypervisor, likewise |
 * | ... | runs of contents that equally many samples had: that number, how many contents |
 * | ... | static page ids, as runs (`position-runs.ts`) |
 * | ... | runs of their contents, consecutive like the page ids: how many, the first content |
 * | 32 each | content hashes |
 *
 * Numbers of fixed width are unsigned and little-endian, those of runs LEB128. There is no
 * checksum: a hash that is damaged is of no page.
 *
 * @module
 */
import { CONTENT_HASH_BYTES, LimitError, isPageBytes } from '@godwit/core'
import { ContentTable, FORGOTTEN } from './content-table.ts'
import { OctetReader, OctetWriter } from './octets.ts'
import { readRuns, writeRuns } from './position-runs.ts'
import { MAP_NAME_BYTES_MAX } from './static-map.ts'

export interface LearningState {
  readonly os: string
  readonly hypervisor: string
  readonly pageBytes: number
  readonly minimumSamples: number
  version: number
  sampleCount: number
  readonly contents: ContentTable
  /** Of each page id that all samples have: the content that all have there, or `FORGOTTEN`. */
  positions: Uint32Array
}

const magic = 0x4c535747
const format = 1
/** Numbers that grow by one with each sample stay far from where they would overflow. */
const samplesMax = 2 ** 31

export function encodeLearning(state: LearningState): Uint8Array {
  const { contents, positions } = state
  const pages = staticPages(positions)
  const writer = new OctetWriter()
  writer.u32(magic)
  writer.u32(format)
  writer.u32(state.pageBytes)
  writer.u32(state.version)
  writer.u32(state.sampleCount)
  writer.u32(state.minimumSamples)
  writer.u32(contents.size)
  writer.u32(positions.length)
  writer.u32(pages.length)
  writer.text(state.os)
  writer.text(state.hypervisor)
  writeCounts(writer, contents)
  writeRuns(writer, pages)
  writeContents(
    writer,
    pages.map((page) => positions[page]!),
  )
  writer.octets(contents.hashes)
  return writer.take()
}

/**
 * Reads a state of any origin.
 *
 * @throws {GodwitError} `FILE_UNREADABLE` when it is none; `LIMIT_EXCEEDED` when it has more
 *   contents or page ids than it may
 */
export function decodeLearning(
  bytes: Uint8Array,
  contentsMax: number,
  pagesMax: number,
): LearningState {
  const reader = new OctetReader(bytes, 'What was learned')
  if (reader.u32() !== magic) throw reader.damaged('does not begin like that')
  if (reader.u32() !== format) throw reader.damaged('is of another format')
  const [pageBytes, version, sampleCount] = [reader.u32(), reader.u32(), reader.u32()]
  const minimumSamples = reader.u32()
  const [contentCount, pageCount, staticCount] = [reader.u32(), reader.u32(), reader.u32()]
  const isRight =
    isPageBytes(pageBytes) && version < samplesMax && sampleCount < samplesMax && minimumSamples > 1
  if (!isRight || staticCount > pageCount) throw reader.damaged('has numbers that cannot be')
  check('learnedContents', contentCount, contentsMax)
  check('samplePages', pageCount, pagesMax)
  const [os, hypervisor] = [reader.text(MAP_NAME_BYTES_MAX), reader.text(MAP_NAME_BYTES_MAX)]
  if (reader.left < contentCount * CONTENT_HASH_BYTES) throw reader.damaged('ends too early')
  const counts = readCounts(reader, contentCount, sampleCount)
  const pages = new Uint32Array(staticCount)
  readRuns(reader, pages)
  if (staticCount > 0 && pages[staticCount - 1]! >= pageCount) {
    throw reader.damaged('has page ids that no sample had')
  }
  const there = readContents(reader, staticCount, contentCount)
  if (there.some((content) => counts[content] !== sampleCount)) {
    throw reader.damaged('has page ids that not all samples agree on')
  }
  const contents = readHashes(reader, counts)
  reader.end()
  const positions = new Uint32Array(pageCount).fill(FORGOTTEN)
  for (let i = 0; i < staticCount; i++) positions[pages[i]!] = there[i]!
  const facts = { os, hypervisor, pageBytes, minimumSamples, version, sampleCount }
  return { ...facts, contents, positions }
}

function staticPages(positions: Uint32Array): Uint32Array {
  const pages = new Uint32Array(positions.length)
  let count = 0
  for (let page = 0; page < positions.length; page++) {
    if (positions[page] !== FORGOTTEN) pages[count++] = page
  }
  return pages.subarray(0, count)
}

function writeCounts(writer: OctetWriter, contents: ContentTable): void {
  for (let content = 0; content < contents.size; ) {
    const start = content
    const count = contents.countOf(start)
    while (content < contents.size && contents.countOf(content) === count) content++
    writer.leb128(count)
    writer.leb128(content - start)
  }
}

function readCounts(reader: OctetReader, contentCount: number, sampleCount: number): Uint32Array {
  const counts = new Uint32Array(contentCount)
  for (let content = 0; content < contentCount; ) {
    const [count, length] = [reader.leb128(), reader.leb128()]
    const isRight = count > 0 && count <= sampleCount && length > 0
    if (!isRight || length > contentCount - content) throw reader.damaged('has a wrong count')
    counts.fill(count, content, (content += length))
  }
  return counts
}

function writeContents(writer: OctetWriter, contents: Uint32Array): void {
  for (let i = 0; i < contents.length; ) {
    const start = i
    const first = contents[start]!
    while (i < contents.length && contents[i] === first + (i - start)) i++
    writer.leb128(i - start)
    writer.leb128(first)
  }
}

function readContents(reader: OctetReader, length: number, contentCount: number): Uint32Array {
  const contents = new Uint32Array(length)
  for (let i = 0; i < length; ) {
    const [run, first] = [reader.leb128(), reader.leb128()]
    const isRight = run > 0 && run <= length - i && first + run <= contentCount
    if (!isRight) throw reader.damaged('has contents that are not there')
    for (let k = 0; k < run; k++) contents[i + k] = first + k
    i += run
  }
  return contents
}

function readHashes(reader: OctetReader, counts: Uint32Array): ContentTable {
  const bytes = reader.octets(counts.length * CONTENT_HASH_BYTES).slice()
  const words = new Uint32Array(bytes.buffer)
  const contents = new ContentTable()
  contents.reserve(counts.length)
  for (let content = 0; content < counts.length; content++) {
    const at = (content * CONTENT_HASH_BYTES) / 4
    if (contents.put(words, at) !== content) throw reader.damaged('has a content twice')
    contents.setCount(content, counts[content]!)
  }
  return contents
}

function check(limit: string, value: number, maximum: number): void {
  if (value <= maximum) return
  const text = `What was learned has ${value} ${limit}, more than ${maximum}`
  throw new LimitError('LIMIT_EXCEEDED', text, { limit, value, maximum })
}

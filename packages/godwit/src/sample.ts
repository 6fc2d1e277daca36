/**
 * Memory that is hashed whole: of a guest that runs in this process, or in a file.
 *
 * @module
 */
import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'
import { GodwitError, LimitError, pagesCovering, spanOf } from '@godwit/core'
import type { LearnedSample, Learning, PageHashes } from '@godwit/static'
import { SAMPLE_PAGES_MAX, allocatePageHashes } from '@godwit/static'
import type { ScanPiece } from './page-scan.ts'
import { PageScanner } from './page-scanner.ts'

/**
 * An image of memory in a file, or the regions of a guest, which may store to them meanwhile: each
 * page is hashed as it was at some moment.
 */
export type SampleSource = { readonly file: string } | { readonly regions: readonly Uint8Array[] }

/** What can be looked through; what was opened for it is closed at the end. */
export interface OpenSample {
  readonly pieces: readonly ScanPiece[]
  readonly pageCount: number
  readonly file: FileHandle | undefined
  close(): Promise<void>
}

/**
 * Opens the source of a sample. Regions begin with pages of their own, as they do on the wire.
 *
 * @throws {GodwitError} `FILE_UNREADABLE`: no such file, or none that can be read from any place
 */
export async function openSample(source: SampleSource, pageBytes: number): Promise<OpenSample> {
  if ('regions' in source) {
    return { ...piecesOf(source.regions, pageBytes), file: undefined, close: async () => {} }
  }
  const file = await openFile(source.file)
  try {
    const { size } = await file.stat()
    const pieces = [{ from: file.fd, byteLength: size, firstPage: 0 }]
    const pageCount = pagesCovering(size, pageBytes)
    return { pieces, pageCount, file, close: () => file.close() }
  } catch (thrown) {
    await file.close()
    throw unreadable(source.file, thrown)
  }
}

/** Regions with page ids over all of them. */
export function piecesOf(
  regions: readonly Uint8Array[],
  pageBytes: number,
): { pieces: readonly ScanPiece[]; pageCount: number } {
  let pageCount = 0
  const pieces = regions.map((bytes) => {
    const piece = { from: spanOf(bytes), byteLength: bytes.length, firstPage: pageCount }
    pageCount += pagesCovering(bytes.length, pageBytes)
    return piece
  })
  return { pieces, pageCount }
}

/** A regular file: opening does not wait for anything else, either. */
async function openFile(path: string): Promise<FileHandle> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    if ((await file.stat()).isFile()) return file
    await file.close()
    throw new Error('it is no regular file')
  } catch (thrown) {
    throw unreadable(path, thrown)
  }
}

export function unreadable(path: string, thrown: unknown): GodwitError {
  const reason = thrown instanceof Error ? thrown.message : String(thrown)
  return new GodwitError('FILE_UNREADABLE', `${path} cannot be read: ${reason}`, { cause: thrown })
}

/**
 * Content hashes of a whole guest, made by several threads.
 *
 * @param scanner - whose threads it shall be; others are started for it
 * @throws {GodwitError} `FILE_UNREADABLE`, `CANCELLED`; `LIMIT_EXCEEDED`: more than
 *   `SAMPLE_PAGES_MAX` pages, of which none is read
 */
export async function hashSample(
  source: SampleSource,
  pageBytes: number,
  scanner?: PageScanner,
): Promise<PageHashes> {
  const sample = await openSample(source, pageBytes)
  const threads = scanner ?? new PageScanner()
  try {
    checkSize(source, sample.pageCount)
    const into = allocatePageHashes(sample.pageCount, pageBytes)
    await threads.scan(sample.pieces, pageBytes, { kind: 'hash', into })
    return into
  } catch (thrown) {
    const isOfFile = thrown instanceof GodwitError && thrown.code === 'FILE_UNREADABLE'
    throw isOfFile && 'file' in source ? unreadable(source.file, thrown) : thrown
  } finally {
    if (scanner === undefined) threads.end()
    await sample.close()
  }
}

/** Hashes take 33 bytes a page, which are there before the first page is read. */
function checkSize(source: SampleSource, pageCount: number): void {
  if (pageCount <= SAMPLE_PAGES_MAX) return
  const name = 'file' in source ? source.file : 'A sample'
  const text = `${name} has ${pageCount} pages; at most ${SAMPLE_PAGES_MAX} are learned from`
  const facts = { limit: 'samplePages', value: pageCount, maximum: SAMPLE_PAGES_MAX }
  throw new LimitError('LIMIT_EXCEEDED', text, facts)
}

/**
 * Learns from one sample after the other; threads are started once.
 *
 * @throws {GodwitError} as {@link hashSample} and {@link Learning.add}; those before were learned
 */
export async function learnSamples(
  learning: Learning,
  sources: readonly SampleSource[],
): Promise<readonly LearnedSample[]> {
  const scanner = new PageScanner()
  try {
    const learned: LearnedSample[] = []
    for (const source of sources) {
      learned.push(learning.add(await hashSample(source, learning.pageBytes, scanner)))
    }
    return learned
  } finally {
    scanner.end()
  }
}

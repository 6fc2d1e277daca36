/**
 * Inputs in files: vectors of the conformance suite, and what failed once.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { bytesOf, readVectors } from '../conformance/vector-files.ts'
import type { Octets } from '../conformance/vector-files.ts'

const folder = new URL('./corpus/', import.meta.url)
/** Long vectors only cost time here: the conformance suite has them. */
const vectorBytesMax = 64 * 1024
const columns = 96

/** An input and where it is from. */
export interface CorpusEntry {
  readonly path: string
  readonly input: Uint8Array
}

/** The short ones of some vectors, each turned into an input. */
export function vectorInputs<Kind extends Octets>(
  files: readonly string[],
  inputOf: (bytes: Uint8Array, vector: Kind) => Uint8Array,
): readonly Uint8Array[] {
  return files
    .flatMap((file) => readVectors<Kind>(file))
    .map((vector) => ({ vector, bytes: bytesOf(vector) }))
    .filter(({ bytes }) => bytes.length <= vectorBytesMax)
    .map(({ vector, bytes }) => inputOf(bytes, vector))
}

/** What failed once, by file name. */
export function readCorpus(target: string): readonly CorpusEntry[] {
  const url = new URL(`./${target}/`, folder)
  if (!existsSync(url)) return []
  const names = readdirSync(url).filter((name) => name.endsWith('.hex'))
  return names.sort().map((name) => {
    const path = fileURLToPath(new URL(name, url))
    return { path, input: readInput(path) }
  })
}

/** An input in a file: hex in lines; those that begin with `#` are comments. */
export function readInput(path: string): Uint8Array {
  const lines = readFileSync(path, 'utf8').split('\n')
  const hex = lines.filter((line) => !line.startsWith('#')).join('')
  return new Uint8Array(Buffer.from(hex, 'hex'))
}

/** Writes an input that failed, with the reason in front. @returns the path */
export function writeInput(target: string, input: Uint8Array, reason: string): string {
  const name = createHash('sha256').update(input).digest('hex').slice(0, 12)
  const url = new URL(`./${target}/${name}.hex`, folder)
  mkdirSync(new URL('.', url), { recursive: true })
  const lines =
    Buffer.from(input)
      .toString('hex')
      .match(new RegExp(`.{1,${columns}}`, 'g')) ?? []
  const comment = reason.split('\n')[0]!.slice(0, columns)
  writeFileSync(url, [`# ${comment}`, ...lines, ''].join('\n'))
  return fileURLToPath(url)
}

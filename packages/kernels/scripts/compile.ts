/**
 * Compiles the kernels in memory: sources in, both binaries and their manifest out. Writes nothing.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import asc from 'assemblyscript/asc'

/** Committed beside the binaries: from what, by what and how they were made. */
export interface Manifest {
  /** The compiler, `assemblyscript` and its version. */
  readonly compiler: string
  /** SHA-256 of every source by its name, sorted. */
  readonly sources: Readonly<Record<string, string>>
  readonly binaries: readonly {
    readonly name: string
    readonly flags: readonly string[]
    readonly byteCount: number
    /** SHA-256 of the file. */
    readonly digest: string
  }[]
}

export interface Compiled {
  readonly manifest: Manifest
  /** By file name. */
  readonly binaries: ReadonlyMap<string, Uint8Array>
}

export const WASM_FOLDER: URL = new URL('../wasm/', import.meta.url)
export const MANIFEST_NAME = 'kernels.json'

const entry = new URL('../assembly/index.ts', import.meta.url)
const sourceFolder = new URL('.', entry)

const commonFlags: readonly string[] = [
  '--runtime=stub',
  '--noAssert',
  '--use=abort=',
  '-O3',
  '--enable=simd',
  '--enable=bulk-memory',
  '--importMemory',
  '--noExportMemory',
  '--initialMemory=1',
]

/** A module states whether its memory is shared; the instructions are the same. */
const variants = [
  { name: 'kernels.wasm', flags: commonFlags },
  {
    name: 'kernels.shared.wasm',
    flags: [...commonFlags, '--enable=threads', '--sharedMemory', '--maximumMemory=65536'],
  },
]

function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function readSources(): ReadonlyMap<string, string> {
  const names = readdirSync(sourceFolder).filter((name) => name.endsWith('.ts'))
  return new Map(
    names.sort().map((name) => [name, readFileSync(new URL(name, sourceFolder), 'utf8')]),
  )
}

async function compileVariant(
  sources: ReadonlyMap<string, string>,
  name: string,
  flags: readonly string[],
): Promise<Uint8Array> {
  let binary: Uint8Array | undefined
  const stderr = asc.createMemoryStream()
  const { error } = await asc.main(['index.ts', '--outFile', name, ...flags], {
    // The compiler appends `.ts` to what an import names.
    readFile: (path) => sources.get(path.replace(/\.ts\.ts$/, '.ts')) ?? null,
    writeFile: (_, contents) => {
      binary = contents as Uint8Array
    },
    listFiles: () => [],
    stderr,
  })
  if (error !== null || binary === undefined) {
    throw new Error(`${name} does not compile\n${String(stderr)}`, { cause: error })
  }
  return binary
}

export async function compile(): Promise<Compiled> {
  const sources = readSources()
  const binaries = new Map<string, Uint8Array>()
  const entries: Manifest['binaries'][number][] = []
  for (const { name, flags } of variants) {
    const binary = await compileVariant(sources, name, flags)
    binaries.set(name, binary)
    entries.push({ name, flags, byteCount: binary.byteLength, digest: sha256(binary) })
  }
  const digests = [...sources].map(([name, text]) => [name, sha256(text)] as const)
  const manifest: Manifest = {
    compiler: `assemblyscript ${asc.version}`,
    sources: Object.fromEntries(digests),
    binaries: entries,
  }
  return { manifest, binaries }
}

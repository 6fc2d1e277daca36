/**
 * What the tidy tests look at: the repository's files, as text.
 *
 * @module
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = new URL('../../', import.meta.url)

/** What `.gitignore` leaves out, for copies of the repository that git does not know. */
const ignored = /^(?:\.git|node_modules|dist|coverage|out)$/

/** Paths of all files that are tracked, or would be with the next `git add`; sorted. */
export function listFiles(): readonly string[] {
  const options = { cwd: fileURLToPath(root), encoding: 'utf8', maxBuffer: 1 << 26 } as const
  const query = ['ls-files', '-z', '--cached', '--others', '--exclude-standard']
  const listed = spawnSync('git', query, options).stdout ?? ''
  const paths = listed === '' ? walk('') : new Set(listed.split('\0'))
  return [...paths].filter((path) => path !== '' && hasFile(path)).sort()
}

/** All files of a folder, which is '' or ends in a slash. */
export function walk(folder: string): readonly string[] {
  const entries = readdirSync(new URL(folder, root), { withFileTypes: true })
  return entries.flatMap((entry) => {
    const path = `${folder}${entry.name}`
    if (ignored.test(entry.name) || /\.(?:tsbuildinfo|cpuprofile)$/.test(path)) return []
    return entry.isDirectory() ? walk(`${path}/`) : [path]
  })
}

/** Paths are relative to the repository's root. */
export function hasFile(path: string): boolean {
  return existsSync(new URL(path, root))
}

const texts = new Map<string, string>()

/** The text of a file; read once. */
export function readText(path: string): string {
  let text = texts.get(path)
  if (text === undefined) {
    text = readFileSync(new URL(path, root), 'utf8')
    texts.set(path, text)
  }
  return text
}

/** Whether a file holds text: no zero byte near its start. */
export function isText(path: string): boolean {
  return !readText(path).slice(0, 8000).includes('\0')
}

/** A name from the registry or the workspace, and what is asked for. */
export type Dependencies = Readonly<Record<string, string>>

interface Manifest {
  /** Subpath imports: by name, a package for each runtime. */
  readonly imports?: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly name: string
  readonly exports?: Readonly<Record<string, string>>
  readonly bin?: Readonly<Record<string, string>>
  readonly dependencies?: Dependencies
  readonly optionalDependencies?: Dependencies
  readonly devDependencies?: Dependencies
}

/** One package of the workspace. */
export interface Package {
  /** `packages/core`, ... */
  readonly folder: string
  readonly manifest: Manifest
  readonly dependencies: Dependencies
  readonly devDependencies: Dependencies
  /** Paths of its `.ts` files. */
  readonly sources: readonly string[]
}

/** Every package of the workspace but its root, with the files it has among `files`. */
export function listPackages(files: readonly string[]): readonly Package[] {
  const manifests = files.filter((path) =>
    /^(?:packages\/[^/]+|benchmarks|test)\/package\.json$/.test(path),
  )
  return manifests.map((path) => {
    const manifest = JSON.parse(readText(path)) as Manifest
    const folder = path.slice(0, path.lastIndexOf('/'))
    return {
      folder,
      manifest,
      dependencies: { ...manifest.dependencies, ...manifest.optionalDependencies },
      devDependencies: manifest.devDependencies ?? {},
      sources: files.filter((file) => file.startsWith(`${folder}/`) && file.endsWith('.ts')),
    }
  })
}

/** Names of dependencies that are packages of this workspace. */
export function workspaceNames(dependencies: Dependencies): readonly string[] {
  return Object.keys(dependencies).filter((name) => dependencies[name]!.startsWith('workspace:'))
}

/** Whether a file is a test; what only tests import may be a dev dependency. */
export function isTest(path: string): boolean {
  return path.endsWith('.test.ts')
}

/**
 * What is made once and kept: the folder with the guest's programs, its saved states and its
 * memory. The folder's name has a digest of all that they are made from.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { run } from '../process.ts'
import { archiveProgram } from './cpio.ts'
import { requireTools } from './tools.ts'

const sourceFolder = fileURLToPath(new URL('../../guest/', import.meta.url))
/** Changed when saved states are made in another way. */
const layout = '1'

export interface Workshop {
  readonly folder: string
  /** The guest's kernel and its first file system. */
  readonly kernel: string
  readonly initramfs: string
  /** Touches so many MiB of memory and gives them back. */
  readonly warm: string
  /** As QEMU says it. */
  readonly qemuVersion: string
}

/** Opens the folder and compiles what is not there yet. @throws {GodwitError} `USAGE` */
export async function openWorkshop(): Promise<Workshop> {
  const kernel = requireTools()
  const [qemuVersion = ''] = (await run('qemu-system-x86_64', ['--version'])).split('\n')
  const digest = createHash('sha256').update(layout).update(kernel).update(qemuVersion)
  digest.update(readFileSync(join(sourceFolder, 'load.c')))
  const folder = join(tmpdir(), `godwit-peer-${digest.digest('hex').slice(0, 12)}`)
  mkdirSync(folder, { recursive: true })
  const initramfs = join(folder, 'initramfs.gz')
  const warm = join(folder, 'warm')
  await makeOnce(initramfs, async (file) => {
    const program = `${file}.program`
    await compile('load.c', program, ['-static'])
    writeFileSync(file, gzipSync(archiveProgram('init', readFileSync(program))))
    rmSync(program)
  })
  // Quick to make, and no part of the digest.
  await compile('warm.c', warm, [])
  return { folder, kernel, initramfs, warm, qemuVersion }
}

/** Makes a file under another name first, so that what is there is whole. */
export async function makeOnce(
  file: string,
  make: (file: string) => Promise<unknown>,
): Promise<void> {
  if (existsSync(file)) return
  await make(`${file}.part`)
  renameSync(`${file}.part`, file)
}

async function compile(source: string, program: string, options: readonly string[]): Promise<void> {
  await run('gcc', ['-O2', ...options, '-o', program, join(sourceFolder, source)])
}

/** Right before a migration: so much memory, and a quarter more, is at hand. */
export async function warmMemory({ warm }: Workshop, memoryBytes: number): Promise<void> {
  await run(warm, [String(Math.ceil((memoryBytes * 1.25) / (1 << 20)))])
}

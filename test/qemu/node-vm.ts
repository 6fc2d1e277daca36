/**
 * A VM in which Node runs a module of this folder on Debian's kernel: for what the kernel here may
 * not have. It has these packages with what they depend on, and QEMU itself where that is wanted.
 *
 * @module
 */
import { execFile, execFileSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
} from 'node:fs'
import { existsSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { linux } from './vm.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const emulator = '/usr/bin/qemu-system-x86_64'
/** What QEMU takes from its folders where it has a processor of this kind and no display. */
const ofEmulator = [
  '/usr/share/seabios/bios-256k.bin',
  '/usr/share/seabios/linuxboot_dma.bin',
  '/usr/share/qemu/kvmvapic.bin',
  '/usr/share/qemu/multiboot_dma.bin',
  '/usr/share/qemu/multiboot.bin',
  '/usr/lib/x86_64-linux-gnu/qemu/accel-tcg-x86_64.so',
]

/** What a module needs. */
export interface NodeVmOptions {
  /** Its packages of this repository; what they depend on comes, too. */
  readonly packages: readonly string[]
  readonly hasQemu?: boolean
  readonly memory: string
}

/**
 * Runs a module of this folder.
 *
 * @returns what it told in lines of `PROOF name json`, by their names
 * @throws where it did not end well, with all that was said
 */
export async function runInVm(
  module: string,
  options: NodeVmOptions,
): Promise<ReadonlyMap<string, unknown>> {
  const folder = mkdtempSync(join(tmpdir(), 'godwit-node-vm-'))
  try {
    const boot = linux((root) => fill(root, module, options))(folder)
    const machine = ['-accel', 'tcg,thread=single', '-machine', 'q35', '-cpu', 'max']
    const serial = ['-nodefaults', '-display', 'none', '-serial', 'stdio', '-no-reboot']
    const args = [...machine, '-m', options.memory, ...serial, ...boot]
    const { stdout } = await promisify(execFile)(emulator, args, { timeout: 300_000 })
    const text = stdout.replaceAll('\r', '')
    if (!text.includes('\nEND 0\n')) throw new Error(`${module} in a VM said: ${text}`)
    const lines = [...text.matchAll(/^PROOF (\S+) (.*)$/gm)]
    return new Map(lines.map(([, name = '', json = '']) => [name, JSON.parse(json) as unknown]))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function fill(root: string, module: string, { packages, hasQemu }: NodeVmOptions): void {
  const put = (path: string, at = path): void => {
    mkdirSync(join(root, dirname(at)), { recursive: true })
    copyFileSync(path, join(root, at))
  }
  put(process.execPath, '/bin/node')
  const ofQemu = hasQemu ? [emulator, ...ofEmulator].filter(existsSync) : []
  const libraries = [process.execPath, ...ofQemu.slice(0, 1)].flatMap(librariesOf)
  for (const path of new Set([...libraries, ...ofQemu])) put(path)
  const here = join(root, 'godwit')
  const seen = new Set<string>()
  for (const name of packages) addPackage(name, repository, here, seen)
  for (const name of readdirSync(import.meta.dirname).filter((file) =>
    /^(?!.*\.test\.).*ts$/.test(file),
  )) {
    put(join(import.meta.dirname, name), `/godwit/test/${name}`)
  }
  writeFileSync(join(here, 'package.json'), '{"type":"module"}')
  writeFileSync(join(root, 'init'), initOf(module))
}

/** What a program is linked with. */
function librariesOf(path: string): readonly string[] {
  const told = execFileSync('ldd', [path], { encoding: 'utf8' })
  return [...told.matchAll(/(?:=> |^\s+)(\/\S+) \(/gm)].map(([, file]) => file!)
}

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** A package, where somebody in folder `from` finds it, and all that it depends on. */
function addPackage(name: string, from: string, root: string, seen: Set<string>): void {
  const source = findPackage(name, from)
  // Binaries for other machines are not installed.
  if (source === undefined || seen.has(name)) return
  seen.add(name)
  const own = relative(join(repository, 'packages'), source)
  const isOwn = !own.startsWith('..')
  const link = join(root, 'node_modules', name)
  const place = isOwn ? join(root, 'packages', own) : link
  const others = isOwn ? /\/(?:node_modules|dist)$/ : /\/node_modules$/
  const filter = (path: string): boolean => !others.test(path.slice(source.length))
  cpSync(source, place, { recursive: true, filter })
  mkdirSync(dirname(link), { recursive: true })
  // Node takes no types away of modules in that folder.
  if (isOwn) symlinkSync(relative(dirname(link), place), link)
  const manifest = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as Manifest
  const needed = { ...manifest.dependencies, ...manifest.optionalDependencies }
  for (const each of Object.keys(needed)) addPackage(each, source, root, seen)
}

function findPackage(name: string, from: string): string | undefined {
  const own = join(repository, 'packages', name.replace('@godwit/', ''))
  if (existsSync(join(own, 'package.json'))) return own
  for (let folder = from; ; folder = dirname(folder)) {
    const path = join(folder, 'node_modules', name)
    if (existsSync(path)) return realpathSync(path)
    if (folder === dirname(folder)) return undefined
  }
}

function initOf(module: string): string {
  return `#!/bin/busybox sh
bin=/bin/busybox
$bin mkdir -p /proc /dev /tmp
$bin mount -t proc proc /proc
$bin mount -t devtmpfs dev /dev
$bin mkdir -p /dev/shm
$bin mount -t tmpfs shm /dev/shm
$bin ifconfig lo 127.0.0.1 up
export TMPDIR=/dev/shm PATH=/usr/bin:/bin
cd /godwit/test
/bin/node --disable-warning=ExperimentalWarning ${module} 2>&1
echo END $?
$bin poweroff -f
`
}

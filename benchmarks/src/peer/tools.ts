/**
 * What must be there to run a peer: programs, a guest's kernel, the right to lay a network.
 *
 * @module
 */
import { accessSync, constants, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { GodwitError } from '@godwit/core'

type Programs = readonly (readonly [program: string, packages: readonly string[]])[]

const networkPrograms: Programs = [
  ['ip', ['iproute2']],
  ['tc', ['iproute2']],
]
/** Programs, each with the Debian packages that have it. */
const packagesByProgram: Programs = [
  ['qemu-system-x86_64', ['qemu-system-x86']],
  ['gcc', ['gcc', 'libc6-dev']],
  ...networkPrograms,
]
const kernelPackage = 'linux-image-cloud-amd64'
const kernelFolder = '/boot'

/** The newest kernel for virtual machines among the names of files, if there is one. */
export function newestKernel(names: readonly string[]): string | undefined {
  const kernels = names.filter((name) => /^vmlinuz-.*-cloud-amd64$/.test(name))
  return kernels.toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1)
}

/** Debian packages to install: those of programs that are not there, and of the kernel. */
export function missingPackages(
  hasProgram: (program: string) => boolean,
  kernel: string | undefined,
): readonly string[] {
  const packages = packagesOf(packagesByProgram, hasProgram)
  return kernel === undefined ? [...packages, kernelPackage] : packages
}

/** The packages of programs that are not there. */
function packagesOf(programs: Programs, hasProgram: (program: string) => boolean): string[] {
  const missing = programs.filter(([program]) => !hasProgram(program))
  return [...new Set(missing.flatMap(([, names]) => names))]
}

/** Makes sure of everything; returns the kernel's file. @throws {GodwitError} `USAGE` */
export function requireTools(): string {
  requireSuperuser()
  const kernel = newestKernel(filesOf(kernelFolder))
  const packages = missingPackages(isOnPath, kernel)
  if (packages.length > 0 || kernel === undefined) throw lacking(packages)
  return join(kernelFolder, kernel)
}

/** Makes sure of what laying a network takes. @throws {GodwitError} `USAGE` */
export function requireNetworkTools(): void {
  requireSuperuser()
  const packages = packagesOf(networkPrograms, isOnPath)
  if (packages.length > 0) throw lacking(packages)
}

function requireSuperuser(): void {
  if (process.platform === 'linux' && process.getuid?.() === 0) return
  throw new GodwitError('USAGE', 'This needs Linux and the superuser: it lays a network')
}

function lacking(packages: readonly string[]): GodwitError {
  return new GodwitError('USAGE', `This needs the Debian packages ${packages.join(' ')}`)
}

function filesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function isOnPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

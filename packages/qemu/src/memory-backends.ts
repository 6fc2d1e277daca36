/**
 * Whether the RAM of a VM is what the user says it is: a shared file, and that one.
 *
 * @module
 */
import { statSync } from 'node:fs'
import { GodwitError } from '@godwit/core'
import type { MachineFacts } from './machine-facts.ts'
import type { QmpClient } from './qmp.ts'
import type { RamFile } from './ram-file.ts'

interface MemoryDevice {
  readonly id?: string
  readonly size?: number
  readonly share?: boolean
}

/**
 * Whether all RAM is in one file.
 *
 * @returns the id of its backend, where that is known
 * @throws {GodwitError} `GUEST_OPTION`: stores of the VM would not be seen in the file, or it is
 *   another file
 */
export async function checkBackends(qmp: QmpClient, ram: RamFile): Promise<string | undefined> {
  const backends = await qmp.execute<readonly MemoryDevice[]>('query-memdev')
  const sized = backends.filter(({ size }) => size === ram.byteLength)
  const shared = sized.filter(({ share }) => share === true)
  if (shared.length === 0) {
    const text =
      'The RAM of the VM is in no shared file: start QEMU with -machine ...,memory-backend=ram ' +
      '-object memory-backend-file,id=ram,size=SIZE,mem-path=FILE,share=on'
    throw new GodwitError('GUEST_OPTION', text)
  }
  const paths = await Promise.all(shared.map(({ id }) => pathOf(qmp, id)))
  // Memory without a path (memfd) is whatever the user says.
  const index = paths.findIndex((path) => path === undefined || isFile(ram, path))
  if (index >= 0) return shared[index]!.id
  const text = `The RAM of the VM is in ${paths.join(', ')}, which is not ${ram.path}`
  throw new GodwitError('GUEST_OPTION', text)
}

/**
 * The backend that a block is called after: machine types before 4.0 have a path for that of a file
 * (`x-use-canonical-path-for-ramblock-id`).
 */
export function backendOf(blockName: string): string {
  return blockName.replace(/^\/objects\//, '')
}

/**
 * Whether a block of memory is in a file: QEMU knows blocks by the names of their backends.
 *
 * @param name - of the backend
 * @param isAll - it is all of RAM
 * @throws {GodwitError} `GUEST_OPTION`: its memory has another name, is in no shared file, or in
 *   another one
 */
export async function checkBackend(
  qmp: QmpClient,
  name: string,
  ram: RamFile,
  isAll: boolean,
): Promise<void> {
  const backends = await qmp.execute<readonly MemoryDevice[]>('query-memdev')
  const backend = backends.find(({ id }) => id === name)
  if (backend === undefined) {
    const has = backends.map(({ id = 'without a name' }) => id)
    throw wrongName(name, has.join(', '), isAll)
  }
  const path = await pathOf(qmp, name)
  const isThere = path !== undefined && isFile(ram, path)
  if (backend.share === true && backend.size === ram.byteLength && isThere) return
  const text = `The memory "${name}" of the VM configured here is not all of its shared file`
  throw new GodwitError('GUEST_OPTION', `${text}: ${hintOf(name, isAll)}`)
}

/**
 * Whether RAM in one file is called the same at both sides: QEMU looks for it by that name, and
 * would not find it in the pause.
 *
 * @param here - id of the backend; undefined: it is not known
 * @throws {GodwitError} `GUEST_OPTION` that tells both
 */
export function compareBackend(here: string | undefined, offered: MachineFacts): void {
  const { backend } = offered
  if (here === undefined || backend === undefined || here === backend) return
  throw wrongName(backend, here, true)
}

function wrongName(name: string, has: string, isAll: boolean): GodwitError {
  const text =
    `The RAM of the VM that is offered is called "${name}" and that of the one configured here ` +
    `${has}; name it: ${hintOf(name, isAll)}`
  return new GodwitError('GUEST_OPTION', text)
}

function hintOf(name: string, isAll: boolean): string {
  const machine = isAll ? ` -machine ...,memory-backend=${name}` : ''
  return `-object memory-backend-file,id=${name},...,share=on${machine}`
}

async function pathOf(qmp: QmpClient, id: string | undefined): Promise<string | undefined> {
  if (id === undefined) return undefined
  const question = { path: `/objects/${id}`, property: 'mem-path' }
  const path = await qmp.execute('qom-get', question).catch(() => undefined)
  return typeof path === 'string' && path !== '' ? path : undefined
}

function isFile(ram: RamFile, path: string): boolean {
  try {
    const { dev, ino } = statSync(path)
    return ram.is(dev, ino)
  } catch {
    // It may be a path of another root folder, as in a container.
    return true
  }
}

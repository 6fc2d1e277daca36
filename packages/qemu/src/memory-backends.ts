/**
 * Whether the RAM of a VM is what the user says it is: a shared file, and that one.
 *
 * @module
 */
import { statSync } from 'node:fs'
import { GodwitError } from '@godwit/core'
import type { QmpClient } from './qmp.ts'
import type { RamFile } from './ram-file.ts'

interface MemoryDevice {
  readonly id?: string
  readonly size?: number
  readonly share?: boolean
}

/**
 * @throws {GodwitError} `GUEST_OPTION`: stores of the VM would not be seen in the file, or it is
 *   another file
 */
export async function checkBackends(qmp: QmpClient, ram: RamFile): Promise<void> {
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
  // Memory without a name (memfd) is whatever the user says.
  if (paths.some((path) => path === undefined || isFile(ram, path))) return
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
  const hint =
    `-object memory-backend-file,id=${name},...,share=on` +
    (isAll ? ` -machine ...,memory-backend=${name}` : '')
  if (backend === undefined) {
    const has = backends.map(({ id = 'without a name' }) => id).join(', ')
    const text = `The RAM of the VM that is offered is called "${name}" and that of the one`
    throw new GodwitError('GUEST_OPTION', `${text} configured here ${has}; name it: ${hint}`)
  }
  const path = await pathOf(qmp, name)
  const isThere = path !== undefined && isFile(ram, path)
  if (backend.share === true && backend.size === ram.byteLength && isThere) return
  const text = `The memory "${name}" of the VM configured here is not all of its shared file`
  throw new GodwitError('GUEST_OPTION', `${text}: ${hint}`)
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

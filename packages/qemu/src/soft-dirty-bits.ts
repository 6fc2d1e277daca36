/**
 * Whether the kernel's soft-dirty bits of a QEMU tell of all stores to the RAM of its VM: those of
 * its own memory only, and not those of a device that was given the pages before.
 *
 * @module
 */
import { noMarks, type StoreMarks, toGodwitError } from '@godwit/core'
import type { QmpClient } from './qmp.ts'
import type { RamFile } from './ram-file.ts'

type Monitor = Pick<QmpClient, 'execute'>

/** Devices and networks whose stores come from another process, or from hardware. */
const storesElsewhere = /vhost-(?:user|vdpa|scsi)|vfio|x-pci-proxy|scsi-(?:block|generic)/
/** Blocks that are read by other means than `read`. */
const readsDirectly = /^(?:nvme|virtio-blk-|io_uring)/
const deviceFolders = ['/machine/peripheral', '/machine/peripheral-anon'] as const
const name = 'soft-dirty'

interface BlockNode {
  readonly drv?: string
  readonly file?: string
  readonly cache?: { readonly direct?: boolean }
}

interface Child {
  readonly name: string
  readonly type: string
}

/** What {@link openMarks} opened. */
export interface OpenMarks {
  readonly marks: StoreMarks
  /** Idempotent. */
  close(): void
}

/** Marks of stores to a VM's RAM, or why there are none. Never rejects. */
export async function openMarks(qmp: Monitor, ram: Pick<RamFile, 'openMarks'>): Promise<OpenMarks> {
  const lacking = (reason: string): OpenMarks => {
    return { marks: noMarks(name, reason), close: () => {} }
  }
  try {
    const reason = await reasonAgainst(qmp)
    if (reason !== undefined) return lacking(reason)
    const marks = ram.openMarks()
    return 'reason' in marks ? lacking(marks.reason) : { marks, close: () => marks.close() }
  } catch (thrown) {
    return lacking(toGodwitError(thrown).message)
  }
}

async function reasonAgainst(qmp: Monitor): Promise<string | undefined> {
  for (const folder of deviceFolders) {
    for (const { name: device, type } of await qmp.execute<Child[]>('qom-list', { path: folder })) {
      const path = `${folder}/${device}`
      const kind = /^child<(.*)>$/.exec(type)?.[1] ?? ''
      if (storesElsewhere.test(kind)) return `${kind} may store to memory by itself`
      if (kind.startsWith('virtio-balloon') && (await reportsFreePages(qmp, path))) {
        return `${kind} has free-page-reporting=on: pages are taken from the VM meanwhile`
      }
    }
  }
  const network = await qmp.execute<string>('human-monitor-command', {
    'command-line': 'info network',
  })
  const kind = /type=(vhost-(?:user|vdpa))/.exec(network)?.[1]
  if (kind !== undefined) return `a network of ${kind} may store to memory by itself`
  const nodes = await qmp.execute<BlockNode[]>('query-named-block-nodes', { flat: true })
  const direct = nodes.find(({ drv = '', cache }) => cache?.direct || readsDirectly.test(drv))
  if (direct === undefined) return undefined
  return `a disk is read past the page cache (${direct.file ?? direct.drv}, cache.direct=on)`
}

async function reportsFreePages(qmp: Monitor, path: string): Promise<boolean> {
  const question = { path, property: 'free-page-reporting' }
  // Older ones do not have it.
  return (await qmp.execute<unknown>('qom-get', question).catch(() => false)) === true
}

import { GodwitError, type StoreMarks } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import { openMarks } from './soft-dirty-bits.ts'

type Answers = Readonly<Record<string, unknown>>

const plain: Answers = {
  'qom-list /machine/peripheral': [{ name: 'net', type: 'child<virtio-net-pci>' }],
  'qom-list /machine/peripheral-anon': [
    { name: 'device[0]', type: 'child<virtio-balloon-pci>' },
    { name: 'type', type: 'string' },
  ],
  'qom-get /machine/peripheral-anon/device[0]': false,
  'human-monitor-command': 'net: index=0,type=nic\r\n \\ up: index=0,type=tap,ifname=tap0\r\n',
  'query-named-block-nodes': [
    { drv: 'qcow2', file: 'disk.qcow2', cache: { direct: false } },
    { drv: 'file', file: 'disk.qcow2', cache: { direct: false } },
  ],
}

/** Opens marks at a QEMU that gives these answers, or an error where it has none. */
async function ask(answers: Answers) {
  const opened = { closes: 0 }
  const marks = {
    name: 'soft-dirty',
    close: () => void opened.closes++,
  } as unknown as StoreMarks & { close: () => void }
  const execute = (command: string, options?: Readonly<Record<string, unknown>>) => {
    const path = options?.['path']
    const answer = answers[typeof path === 'string' ? `${command} ${path}` : command]
    if (answer !== undefined) return Promise.resolve(answer as never)
    return Promise.reject(new GodwitError('GUEST_FAILED', `${command}: not found`))
  }
  const told = await openMarks({ execute }, { openMarks: () => marks as never })
  return { ...told, opened, isOpen: told.marks === marks }
}

describe("soft-dirty bits of a QEMU's process", () => {
  it('are opened where all stores are its own, and closed', async () => {
    const told = await ask(plain)
    expect(told.isOpen).toBe(true)
    told.close()
    expect(told.opened.closes).toBe(1)
  })

  it('are told of with the reason why the kernel has none', async () => {
    const execute = (command: string, options?: { path?: string }) => {
      const path = options?.path === undefined ? '' : ` ${options.path}`
      return Promise.resolve(plain[`${command}${path}`] as never)
    }
    const told = await openMarks(
      { execute: execute as never },
      { openMarks: () => ({ reason: 'made up' }) },
    )
    told.close()
    const { marks } = told
    expect([marks.lacking, marks.lost, marks.findUnmarked(4096)]).toEqual([
      'made up',
      'made up',
      undefined,
    ])
  })

  it.each<[string, Answers]>([
    ['vhost-user-fs-pci may store', ofDevice('vhost-user-fs-pci')],
    ['vfio-pci may store', ofDevice('vfio-pci')],
    ['vhost-scsi-pci may store', ofDevice('vhost-scsi-pci')],
    ['scsi-block may store', ofDevice('scsi-block')],
    ['free-page-reporting=on', { 'qom-get /machine/peripheral-anon/device[0]': true }],
    ['vhost-user may store', { 'human-monitor-command': ' \\ up: index=0,type=vhost-user,x' }],
    ['(disk.raw, cache.direct=on)', ofBlock({ drv: 'file', cache: { direct: true } })],
    ['past the page cache (disk.raw', ofBlock({ drv: 'nvme', cache: { direct: false } })],
    ['query-named-block-nodes: not found', { 'query-named-block-nodes': undefined }],
  ])('are not used: %s', async (text, answers) => {
    const { marks, isOpen } = await ask({ ...plain, ...answers })
    expect(isOpen).toBe(false)
    expect(marks.lacking).toContain(text)
  })

  it('are used beside a balloon that cannot report pages at all', async () => {
    const answers = { ...plain, 'qom-get /machine/peripheral-anon/device[0]': undefined }
    expect((await ask(answers)).isOpen).toBe(true)
  })
})

function ofDevice(type: string): Answers {
  return { 'qom-list /machine/peripheral': [{ name: 'dev', type: `child<${type}>` }] }
}

function ofBlock(node: object): Answers {
  return { 'query-named-block-nodes': [{ file: 'disk.raw', ...node }] }
}

/**
 * What an agent keeps of its entries where somebody removes them.
 */
import { rmSync } from 'node:fs'
import { Catalog } from '@godwit/catalog'
import { afterEach, describe, expect, it } from 'vitest'
import { beginRegistration } from '../../packages/cli/src/agent-registration.ts'
import { endProcesses, freshPath } from '../end-to-end/process.ts'
import { debian, guest, qemu, until, vm } from './fixtures.ts'

afterEach(endProcesses)

const session = 'ab'.repeat(16)
const sizes = { memoryBytes: 2 ** 30, pageBytes: 4096 }

describe('an agent whose entry was removed', () => {
  it('makes it again with the name and kind that the source said', async () => {
    const url = freshPath('fleet.db')
    const catalog = await Catalog.open(url)
    const source = catalog.agent('source')
    const claim = (await source.claimGuest(guest('db', 'id-1')))!
    await source.keepGuest(claim, session)
    const registration = beginRegistration({ catalog: url, machine: 'b' })!
    const entry = registration.guest({ kind: 'writer', ...sizes, arrival: session })
    const isThere = async () => (await catalog.entries.find('vm', 'db'))?.machine === 'b'
    await until(isThere)
    await catalog.entries.remove('vm', 'db')
    entry.stays()
    await until(async () => (await catalog.entries.list('vm')).length > 0)
    const again = { id: 'id-1', name: 'db', os: debian, hypervisor: qemu, machine: 'b' }
    expect(await catalog.entries.list('vm')).toMatchObject([again])
    await registration.end()
    await catalog.close()
  })

  it('and of its own start, with the kind that the entry by hand said', async () => {
    const url = freshPath('fleet.db')
    const catalog = await Catalog.open(url)
    await catalog.entries.add('vm', vm('db', { state: 'stopped', memoryPath: null }))
    const registration = beginRegistration({ catalog: url, machine: 'b', vmName: 'db' })!
    const entry = registration.guest({ kind: 'writer', ...sizes })
    await until(async () => (await catalog.entries.find('vm', 'db'))?.agent !== null)
    await catalog.entries.remove('vm', 'db')
    entry.stays()
    await until(async () => (await catalog.entries.list('vm')).length > 0)
    const again = { id: 'id-db', name: 'db', os: debian, hypervisor: qemu, machine: 'b' }
    expect(await catalog.entries.list('vm')).toMatchObject([again])
    await registration.end()
    await catalog.close()
  })

  it('with the whole file, tells the new one', async () => {
    const url = freshPath('fleet.db')
    const registration = beginRegistration({ catalog: url, machine: 'b', vmName: 'db' })!
    const entry = registration.guest({ kind: 'writer', ...sizes })
    const namesIn = async (): Promise<readonly string[]> => {
      const catalog = await Catalog.open(url, { create: false }).catch(() => undefined)
      const vms = (await catalog?.entries.list('vm')) ?? []
      await catalog?.close()
      return vms.map(({ name }) => name)
    }
    await until(async () => (await namesIn()).length > 0)
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${url}${suffix}`, { force: true })
    const other = await Catalog.open(url)
    await other.entries.add('vm', vm('new', { id: 'new' }))
    entry.stays()
    await until(async () => (await namesIn()).includes('db'))
    await registration.end()
    expect(await namesIn()).toEqual(['new'])
    // The end of the first one did not take the journal of the second.
    expect(await other.entries.list('vm')).toHaveLength(1)
    await other.close()
    expect(await namesIn()).toEqual(['new'])
  })
})

describe('a guest that leaves as soon as it is there', () => {
  it('is told by its session all the same, for its destination', async () => {
    const url = freshPath('fleet.db')
    const catalog = await Catalog.open(url)
    const registration = beginRegistration({ catalog: url, machine: 'a' })!
    const identity = { name: 'db', os: debian, hypervisor: qemu }
    const entry = registration.guest({ kind: 'writer', ...sizes, identity })
    entry.leaves(session)
    entry.left()
    const find = (name: string) => catalog.entries.find('vm', name)
    await until(async () => (await find('db'))?.session === session)
    // Nothing more is said of it: nobody may come for it.
    const { heartbeatMs } = (await find('db'))!
    const next = { ...identity, name: 'next' }
    registration.guest({ kind: 'writer', ...sizes, identity: next })
    await until(async () => (await find('next')) !== undefined)
    expect(await find('db')).toMatchObject({ heartbeatMs })
    const other = beginRegistration({ catalog: url, machine: 'b' })!
    other.guest({ kind: 'writer', ...sizes, arrival: session })
    await until(async () => (await find('db'))?.machine === 'b')
    expect(await find('db')).toMatchObject({ os: debian, hypervisor: qemu, epoch: 1 })
    for (const one of [registration, other]) await one.end()
    await catalog.close()
  })
})

/**
 * What agents write; the same for every database.
 *
 * @module
 */
import { Catalog } from '@godwit/catalog'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { failure, guest, machine, machineFacts, until, vm } from './fixtures.ts'

const session = '0123456789abcdef0123456789abcdef'
const nobodyKnows = { os: null, hypervisor: null }

/** Whose an entry is. */
export function agentsSuite(freshUrl: () => string): void {
  describe('agents', () => {
    let catalog: Catalog
    beforeEach(async () => {
      catalog = await Catalog.open(freshUrl())
    })
    afterEach(() => catalog.close())
    const find = (name = 'db') => catalog.entries.find('vm', name)

    it('hand a guest over, and the source that is late changes nothing', async () => {
      const [source, destination] = [catalog.agent('s'), catalog.agent('d')]
      const sent = (await source.claimGuest(guest('db', 'one')))!
      expect(await find()).toMatchObject({ state: 'running', agent: 's', machine: 'a', epoch: 0 })
      expect(await source.keepGuest(sent, session)).toBe(true)
      expect(await find()).toMatchObject({ state: 'migrating', session, machine: 'a' })
      const taken = await destination.takeOver({ session, machine: 'b', ...nobodyKnows })
      expect(taken).toMatchObject({ id: 'one', name: 'db', epoch: 1 })
      const moved = { state: 'running', agent: 'd', machine: 'b', session: null, epoch: 1 }
      expect(await find()).toMatchObject({ ...moved, os: guest('db', 'one').os })

      expect(await source.keepGuest(sent, null)).toBe(false)
      expect(await source.claimGuest(guest('db', 'one'))).toBeUndefined()
      await source.releaseGuest(sent)
      await source.withdraw()
      expect(await find()).toMatchObject(moved)
      // Nobody else can take it by the session that is over.
      const again = { session, machine: 'c', ...nobodyKnows }
      expect(await catalog.agent('x').takeOver(again)).toBeUndefined()
      await destination.releaseGuest(taken!)
      expect(await find()).toBeUndefined()
    })

    it('withdraw with what is here, not with what is on its way', async () => {
      const agent = catalog.agent('s')
      await agent.keepMachine(machineFacts('a'))
      await agent.claimGuest(guest('stays', 'one'))
      const leaves = (await agent.claimGuest(guest('leaves', 'two')))!
      await agent.keepGuest(leaves, session)
      await agent.withdraw()
      expect(await catalog.entries.list('machine')).toEqual([])
      expect((await catalog.entries.list('vm')).map(({ name }) => name)).toEqual(['leaves'])
      const arrival = { session, machine: 'b', ...nobodyKnows }
      expect(await catalog.agent('d').takeOver(arrival)).toMatchObject({ name: 'leaves' })
    })

    it('do not take what a living agent has', async () => {
      const [one, two] = [catalog.agent('one'), catalog.agent('two')]
      expect(await one.keepMachine(machineFacts('a'))).toBe(true)
      expect(await one.keepMachine({ ...machineFacts('a'), load: 3 })).toBe(true)
      expect(await two.keepMachine(machineFacts('a'))).toBe(false)
      expect((await catalog.entries.find('machine', 'a'))?.load).toBe(3)
      await one.claimGuest(guest('db', 'one'))
      expect(await two.claimGuest(guest('db', 'two'))).toBeUndefined()
      expect(await one.claimGuest(guest('db', 'three'))).toBeUndefined()
      expect(await find()).toMatchObject({ id: 'one', epoch: 0 })
      await failure('CATALOG_CONFLICT', catalog.entries.add('vm', vm('db')))
    })
  })
}

/** How entries begin and end. */
export function leasesSuite(freshUrl: () => string): void {
  describe('leases', () => {
    let catalog: Catalog
    beforeEach(async () => {
      catalog = await Catalog.open(freshUrl())
    })
    afterEach(() => catalog.close())
    const find = (name = 'db') => catalog.entries.find('vm', name)

    it('begin with what was made by hand, and what it says', async () => {
      const stored = vm('db', { state: 'stopped', memoryPath: null, epoch: 4 })
      await catalog.entries.add('vm', stored)
      await catalog.entries.add('machine', machine('a'))
      const agent = catalog.agent('s')
      const claim = await agent.claimGuest({ ...guest('db', 'mine'), os: null, hypervisor: null })
      expect(claim).toEqual({
        id: 'id-db',
        name: 'db',
        epoch: 5,
        os: stored.os,
        hypervisor: stored.hypervisor,
      })
      expect(await find()).toMatchObject({ state: 'running', os: stored.os, agent: 's' })
      expect(await agent.keepMachine(machineFacts('a'))).toBe(true)
      expect(await agent.keepGuest(claim!, null)).toBe(true)
    })

    it('end when an agent is silent, and go on when it is back', async () => {
      const agent = catalog.agent('s', 1)
      await agent.keepMachine(machineFacts('a'))
      const claim = (await agent.claimGuest(guest('db', 'one')))!
      await until(async () => (await catalog.entries.list('vm')).length === 0)
      await until(async () => (await catalog.entries.list('machine')).length === 0)
      expect(await catalog.entries.list('vm', true)).toHaveLength(1)
      const patient = catalog.agent('s')
      expect(await patient.keepGuest(claim, null)).toBe(true)
      expect(await catalog.entries.list('vm')).toHaveLength(1)
    })

    it('of a silent agent go to who comes next', async () => {
      const [silent, next] = [catalog.agent('s', 1), catalog.agent('n', 1)]
      const lost = (await silent.claimGuest(guest('db', 'one')))!
      await until(async () => (await catalog.entries.list('vm')).length === 0)
      const taken = (await next.claimGuest(guest('db', 'two')))!
      expect(taken).toMatchObject({ id: 'one', name: 'db', epoch: 1 })
      expect(await silent.keepGuest(lost, null)).toBe(false)
      await silent.releaseGuest(lost)
      expect(await find()).toMatchObject({ agent: 'n', epoch: 1 })
    })

    it('do not begin with what no entry may be', async () => {
      const agent = catalog.agent('s')
      const odd = { ...machineFacts('a'), load: Number.POSITIVE_INFINITY }
      await failure('CATALOG_ENTRY', agent.keepMachine(odd))
      await failure('CATALOG_ENTRY', agent.claimGuest(guest('../db', 'one')))
      expect(await catalog.entries.list('vm')).toEqual([])
    })
  })
}

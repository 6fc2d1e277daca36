/**
 * One of two processes that write to a catalog at once: `writer.ts URL NAME COUNT`. Claims guests
 * whose names the other one wants, too, and learns. Prints what it got, as JSON.
 *
 * @module
 */
import { Catalog } from '@godwit/catalog'
import { GodwitError } from '@godwit/core'
import { guest, machine, machineFacts, mapKey } from './fixtures.ts'

const [url, name, count] = process.argv.slice(2)
const catalog = await Catalog.open(url!)
const agent = catalog.agent(name!)
const won: string[] = []
for (let index = 0; index < Number(count); index++) {
  await agent.keepMachine(machineFacts(name!))
  const claim = await agent.claimGuest(guest(`guest-${index}`, `${name}-${index}`))
  if (claim !== undefined) won.push(claim.name)
  await catalog.entries.add('machine', machine('shared'), true)
  await learn(index)
}
await catalog.close()
process.stdout.write(JSON.stringify(won))

/** Until nobody else was faster. */
async function learn(index: number): Promise<void> {
  for (;;) {
    const revision = (await catalog.maps.findLearning(mapKey))?.revision ?? 0
    const map = { version: revision + 1, bytes: Uint8Array.of(index, revision) }
    try {
      return await catalog.maps.learnt({
        ...mapKey,
        fromRevision: revision,
        state: Uint8Array.of(revision),
        map,
      })
    } catch (thrown) {
      if (!(thrown instanceof GodwitError && thrown.code === 'CATALOG_CONFLICT')) throw thrown
    }
  }
}

/**
 * A destination that takes one guest in behind the uffd pager and moves it on at once, to the
 * address it is given, with its stores found by the kernel.
 *
 * @module
 */
import type { IncomingMigration } from '@godwit/destination'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadHost } from '@godwit/guest'
import { choosePager, createMigration, receive } from 'godwit'

const [to] = process.argv.slice(2)
const host = new WorkloadHost({ createPager: await choosePager('uffd') })
const migrations: IncomingMigration[] = []
const events = { ended: (one: IncomingMigration) => migrations.push(one) }
const receiver = await receive(host, { listen: '127.0.0.1:0' }, events)
process.stdout.write(`listening ${receiver.address}\n`)

await receiver.arrival()
const guest = migrations[0]!.guest as IncomingWorkload
const settings = { to: to!, tracker: 'pagemap', stop: 'max-rounds=2' } as const
const report = await (await createMigration(guest.asGuest(), settings)).run()
process.stdout.write(`sent ${JSON.stringify(report)}\n`)
await receiver.close()
await guest.discard()

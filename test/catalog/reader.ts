/**
 * Who may read a catalog and nothing else: `reader.ts FILE`. Prints the names of its machines, as
 * JSON.
 *
 * @module
 */
import { Catalog } from '@godwit/catalog'
import 'node:sqlite'

// Nobody, where this is root.
if (process.getuid!() === 0) process.setuid!(65_534)
const catalog = await Catalog.open(process.argv[2]!, { create: false })
const names = (await catalog.entries.list('machine')).map(({ name }) => name)
process.stdout.write(JSON.stringify(names))
await catalog.close()

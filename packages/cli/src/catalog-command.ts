/**
 * What all commands of `godwit catalog` have in common.
 *
 * @module
 */
import { Catalog } from '@godwit/catalog'
import { GodwitError } from '@godwit/core'
import type { Command } from 'commander'
import { catalogOption } from './catalog-option.ts'

/** Options of every command here. */
export interface CatalogCommandSettings {
  readonly catalog?: string
  readonly json?: boolean
}

/** A command with `--catalog`. */
export function catalogCommand(parent: Command, name: string, description: string): Command {
  return parent.command(name).description(description).addOption(catalogOption('where it is'))
}

/**
 * Opens a catalog for one command.
 *
 * @param create - whether to make a file where there is none
 * @throws {GodwitError} `USAGE`, and what `Catalog.open` throws
 */
export async function withCatalog(
  { catalog: url }: CatalogCommandSettings,
  create: boolean,
  work: (catalog: Catalog) => Promise<void>,
): Promise<void> {
  if (url === undefined) {
    const text = 'Which catalog? Say --catalog FILE or postgres://..., or set GODWIT_CATALOG'
    throw new GodwitError('USAGE', text)
  }
  const catalog = await Catalog.open(url, { create })
  try {
    await work(catalog)
  } finally {
    await catalog.close()
  }
}

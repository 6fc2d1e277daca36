/**
 * `--policy FILE`: a module of the user's own that decides about a migration.
 *
 * @module
 */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { GodwitError } from '@godwit/core'
import { checkPolicy } from '@godwit/policy'
import type { Policy } from 'godwit'

export interface PolicySettings {
  /** The file. */
  readonly policy?: string
}

/**
 * Runs the module and takes its default export.
 *
 * @throws {GodwitError} `USAGE`: with the file, and what is wrong with it
 */
export async function loadPolicy(file: string): Promise<Policy> {
  const module = await load(file)
  const policy = module['default']
  if (policy === undefined) {
    throw new GodwitError('USAGE', `${file}: it has no default export, which is the policy`)
  }
  return checkPolicy(policy, file)
}

async function load(file: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await import(pathToFileURL(resolve(file)).href)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    const [line = ''] = why.split('\n')
    throw new GodwitError('USAGE', `${file}: it cannot be loaded: ${line}`, { cause })
  }
}

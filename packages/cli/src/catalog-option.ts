/**
 * `--catalog URL`, and by what a guest and a machine are known there.
 *
 * @module
 */
import { hostname } from 'node:os'
import type { Release } from '@godwit/catalog'
import { NAME_PATTERN, parseCatalogUrl, parseName, parseRelease } from '@godwit/catalog'
import { GodwitError } from '@godwit/core'
import type { Command } from 'commander'
import { Option } from 'commander'

/** Options of `send` and `receive`. */
export interface CatalogSettings {
  readonly catalog?: string
  readonly vmName?: string
  readonly os?: Release
  readonly hypervisor?: Release
  readonly machine?: string
}

function checkUrl(text: string): string {
  parseCatalogUrl(text)
  return text
}

/** The option by itself. A URL with a password is better kept in the environment. */
export function catalogOption(help: string): Option {
  return new Option('--catalog <URL>', `${help}: FILE, or postgres://USER@HOST/DATABASE`)
    .env('GODWIT_CATALOG')
    .argParser(checkUrl)
}

/** Adds the options of {@link CatalogSettings}. */
export function addCatalogOptions(command: Command): Command {
  return command
    .addOption(
      catalogOption(
        'tell a catalog of guests and machines what is here, and take static maps from it',
      ),
    )
    .option('--vm-name <NAME>', 'what the guest is called there (default: by its kind)', parseName)
    .option('--os <NAME/VERSION>', 'its operating system, like debian/12', parseRelease)
    .option('--hypervisor <NAME/VERSION>', 'its hypervisor, like qemu/8.2', parseRelease)
    .addOption(machineOption())
}

/** Of whoever registers. */
export function machineOption(): Option {
  const help = 'what this machine is called there (default: its name)'
  return new Option('--machine <NAME>', help).argParser(parseName)
}

/**
 * What is said for a catalog is of no use without one.
 *
 * @throws {GodwitError} `USAGE`
 */
export function checkCatalogOptions(settings: CatalogSettings): void {
  if (settings.catalog !== undefined) return
  const options = {
    '--vm-name': settings.vmName,
    '--os': settings.os,
    '--hypervisor': settings.hypervisor,
    '--machine': settings.machine,
  }
  const [given] = Object.entries(options).find(([, value]) => value !== undefined) ?? []
  if (given === undefined) return
  throw new GodwitError('USAGE', `${given} is for a catalog: --catalog URL is missing`)
}

/** The machine's own name is used where it can be one. */
export function machineNameOf({ machine }: CatalogSettings): string {
  const own = hostname()
  return machine ?? (NAME_PATTERN.test(own) ? own : 'localhost')
}

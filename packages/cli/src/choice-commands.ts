/**
 * `godwit catalog place` and `route`: where a guest is to start, and where it is to migrate to.
 *
 * @module
 */
import type {
  Candidate,
  Catalog,
  Need,
  PairOrUnknown,
  PathMeasure,
  Ranking,
  Release,
} from '@godwit/catalog'
import {
  candidatesOf,
  destinationsOf,
  parseName,
  parseRelease,
  rankForPlacement,
  rankForRoute,
} from '@godwit/catalog'
import { GodwitError, parseBytes } from '@godwit/core'
import { type Command, Option } from 'commander'
import type { CatalogCommandSettings } from './catalog-command.ts'
import { catalogCommand, withCatalog } from './catalog-command.ts'
import { formatRanking } from './choice-text.ts'
import type { ExitCode } from './exit-code.ts'
import { ExitCode as Exit } from './exit-code.ts'
import { note, print, printJson } from './output.ts'
import { parseCount } from './settings.ts'
import { parseNumber } from './simulation-settings.ts'

interface ChoiceSettings extends CatalogCommandSettings {
  readonly loadMax?: number
  readonly limit: number
}

interface PlaceSettings extends ChoiceSettings {
  readonly os?: Release
  readonly hypervisor?: Release
  readonly memory: number
}

interface RouteSettings extends ChoiceSettings {
  readonly path: PathMeasure
}

const placeHelp = `
Machines with room and fewest guests of the same operating system and hypervisor come first, so that
guests of a pair are spread; then those with least load, then most free memory, then by name. Exit
code 1: no machine can take it.

Example:
  godwit catalog place --catalog fleet.db --os debian/12 --hypervisor qemu/8.2 --memory 4GiB`

const routeHelp = `
Machines where a guest of the same pair runs or is stored come first, then by the cost of the path,
then least load, most free memory, and name. Exit code 1: no machine can take it.

Example:
  godwit catalog route db1 --catalog fleet.db`

/** Adds the commands to the group `catalog`; `finish` gets the exit code. */
export function addChoiceCommands(group: Command, finish: (code: ExitCode) => void): void {
  const place = catalogCommand(group, 'place', 'Choose the machine where a new guest starts')
    .option('--os <NAME/VERSION>', 'its operating system, like debian/12', parseRelease)
    .option('--hypervisor <NAME/VERSION>', 'its hypervisor, like qemu/8.2', parseRelease)
    .requiredOption('--memory <SIZE>', 'what it needs', parseBytes)
  addChoiceOptions(place, placeHelp).action(async (settings: PlaceSettings) => {
    await withCatalog(settings, false, async (catalog) => {
      tell(await placement(catalog, settings), settings)
    })
    finish(Exit.Done)
  })
  const route = catalogCommand(group, 'route', 'Choose the machine where a guest migrates to')
    .argument('<guest>', 'its name in the catalog', parseName)
    .addOption(
      new Option('--path <HOW>', 'by the sum of costs, or by how many links')
        .choices(['cheapest', 'shortest'])
        .default('cheapest'),
    )
  addChoiceOptions(route, routeHelp).action(async (name: string, settings: RouteSettings) => {
    await withCatalog(settings, false, async (catalog) => {
      tell(await routing(catalog, name, settings), settings)
    })
    finish(Exit.Done)
  })
}

function addChoiceOptions(command: Command, help: string): Command {
  return command
    .option(
      '--load-max <N>',
      'leave out machines with more runnable tasks per core (default: none)',
      parseNumber,
    )
    .option('--limit <N>', 'how many machines to print; --json has all', parseCount(1), 20)
    .option('--json', 'print JSON')
    .addHelpText('after', help)
}

async function placement(catalog: Catalog, settings: PlaceSettings): Promise<Ranking<Candidate>> {
  const { os = null, hypervisor = null } = settings
  if ((os === null) !== (hypervisor === null)) {
    const text = '--os and --hypervisor are needed both: guests are alike that have both'
    throw new GodwitError('USAGE', text)
  }
  if (os === null || hypervisor === null) {
    note('without --os and --hypervisor the guest is like no other: only load and room count')
  }
  const need = needOf(settings.memory, settings)
  return rankForPlacement(await candidates(catalog, { os, hypervisor }), need)
}

async function routing(
  catalog: Catalog,
  name: string,
  settings: RouteSettings,
): Promise<Ranking<Candidate>> {
  const vm = await catalog.entries.find('vm', name)
  if (vm === undefined) throw new GodwitError('CATALOG_UNKNOWN', `There is no guest ${name}`)
  if (vm.os === null || vm.hypervisor === null) {
    note(`${name} is like no other: its operating system or hypervisor is not known`)
  }
  const links = await catalog.entries.list('link')
  if (links.length === 0) note('there are no links in the catalog: all machines are as near')
  const all = await candidates(catalog, vm)
  const destinations = destinationsOf(all, links, vm.machine, settings.path)
  return rankForRoute(destinations, vm.machine, needOf(vm.memoryBytes, settings))
}

function needOf(memoryBytes: number, { loadMax }: ChoiceSettings): Need {
  return loadMax === undefined ? { memoryBytes } : { memoryBytes, loadMax }
}

/** All machines, also those whose agents are silent; guests only where they are known to be. */
async function candidates(catalog: Catalog, pair: PairOrUnknown): Promise<readonly Candidate[]> {
  const machines = await catalog.entries.list('machine', true)
  const vms = await catalog.entries.list('vm')
  return candidatesOf(machines, vms, pair, await catalog.nowMs())
}

/** @throws {GodwitError} `NO_ROOM`, after it is printed why */
function tell(ranking: Ranking<Candidate>, { json, limit }: ChoiceSettings): void {
  const chosen = ranking.ranked[0]?.machine ?? null
  const text = formatRanking(ranking, limit)
  if (json === true) printJson({ chosen, ...ranking }, 2)
  else if (text !== '') print(text)
  if (chosen !== null) return
  const machines = ranking.refused.length
  throw new GodwitError(
    'NO_ROOM',
    machines === 0 ? 'There are no machines in the catalog' : `None of ${machines} machines fits`,
  )
}

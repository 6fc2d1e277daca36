export * from './agent-entries.ts'
export { Catalog, type CatalogOptions } from './catalog.ts'
export { parseCatalogUrl, type CatalogPlace } from './catalog-url.ts'
export {
  ENTRIES_MAX,
  SIBLINGS_MAX,
  type Entries,
  type EntryKind,
  type EntryKinds,
  type NewEntry,
} from './entries.ts'
export type { ImportSource, Imported } from './import.ts'
export * from './names.ts'
export * from './records.ts'
export { type PairOrUnknown, candidatesOf } from './candidates.ts'
export { rankForPlacement } from './placement.ts'
export type { Candidate, Need, Ranked, Ranking, Reason, Rule } from './ranking.ts'
export { type Destination, type PathMeasure, destinationsOf, rankForRoute } from './route.ts'
export { type Path, cheapestPaths } from './shortest-path.ts'
export {
  type GuestSize,
  type Policy,
  SIMULATION_LIMITS,
  STATIC_BYTES_MEASURED,
  STATIC_SHARE_SOURCE,
  STRATEGIES,
  type SimulationOptions,
  type Strategy,
  simulationDefaults,
} from './simulation-options.ts'
export { SIMULATION_SCHEMA, type Simulation, simulate } from './simulation.ts'
export type { Balance, PairResult, PolicyResult } from './simulation-tally.ts'
export {
  type Learnt,
  MAP_VERSIONS_MAX,
  type MapKey,
  PAIRS_MAX,
  type StaticMaps,
  type WithBytes,
} from './static-maps.ts'

export * from './agent-entries.ts'
export { Catalog, type CatalogOptions } from './catalog.ts'
export { parseCatalogUrl, type CatalogPlace } from './catalog-url.ts'
export {
  ENTRIES_MAX,
  type Entries,
  type EntryKind,
  type EntryKinds,
  type NewEntry,
} from './entries.ts'
export type { Imported } from './import.ts'
export * from './names.ts'
export * from './records.ts'
export {
  type Learnt,
  MAP_VERSIONS_MAX,
  type MapKey,
  PAIRS_MAX,
  type StaticMaps,
  type WithBytes,
} from './static-maps.ts'

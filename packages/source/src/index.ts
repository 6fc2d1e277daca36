export type { GuestProof, SourceOptions, TrackerChoice, UsageMeter } from './options.ts'
export { SourceMigration } from './source-migration.ts'
export type { SourceProgress } from './source-migration.ts'

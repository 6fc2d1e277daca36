export type { GuestProof, SourceOptions, SourceProgress, UsageMeter } from './options.ts'
export { SourceMigration } from './source-migration.ts'

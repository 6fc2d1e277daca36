export type { GuestProof, SourceOptions, SourceProgress } from './options.ts'
export { SourceMigration } from './source-migration.ts'

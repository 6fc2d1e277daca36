export type {
  GuestProof,
  LinkUse,
  SourceLoss,
  SourceOptions,
  SourceProgress,
} from './options.ts'
export type { QuestionOptions } from './question.ts'
export { askOwner } from './question.ts'
export type { ImageOffering, MapOffering, StaticOffering } from './static-offering.ts'
export { SourceMigration } from './source-migration.ts'
export type { LaneCommand, LaneReport } from './lane-messages.ts'
export * from './lane-thread.ts'
export type { StartLane } from './remote-lanes.ts'
export type { UrgentThreads } from './remote-urgent.ts'
export * from './time-limit.ts'
export * from './urgent-thread.ts'

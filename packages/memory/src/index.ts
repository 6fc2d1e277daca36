export * from './byte-map-tracker.ts'
export * from './region.ts'
export * from './scan-tracker.ts'
export * from './zero-bytes.ts'

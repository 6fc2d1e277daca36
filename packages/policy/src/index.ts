export * from './stop-condition.ts'
export * from './token-bucket.ts'

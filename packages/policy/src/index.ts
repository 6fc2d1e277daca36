export * from './stop-condition.ts'

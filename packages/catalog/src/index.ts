export * from './names.ts'
export * from './records.ts'

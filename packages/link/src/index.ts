export * from './control-link.ts'
export * from './link.ts'

export * from './control-link.ts'
export * from './hollow-channel.ts'
export * from './link.ts'
export * from './tally.ts'

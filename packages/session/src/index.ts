export * from './destination-machine.ts'
export * from './runner.ts'
export * from './source-machine.ts'
export * from './terms.ts'

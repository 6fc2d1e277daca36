export { QmpClient, type QmpConnectOptions } from './qmp.ts'
export { QmpRefusal, type QmpEvent, type QmpLine, parseQmpLine } from './qmp-line.ts'

export { MarkedMemory, type StoreMarks } from './marked-memory.ts'
export { type NewStore, type NewValue, Store } from './store.ts'

export {
  MEMCACHED_HELP,
  MEMCACHED_KIND,
  type MemcachedOption,
  type MemcachedPorts,
  parseMemcached,
} from './memcached-spec.ts'
export { MemcachedGuest } from './memcached-guest.ts'
export { IncomingMemcached, MemcachedHost, type Room } from './memcached-host.ts'
export { MarkedMemory, type StoreMarks } from './marked-memory.ts'
export { type Held, Relay } from './relay.ts'
export { Service, type ServiceParts } from './service.ts'
export { type NewStore, type NewValue, Store } from './store.ts'

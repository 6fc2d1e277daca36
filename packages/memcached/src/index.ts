export {
  MEMCACHED_HELP,
  MEMCACHED_HOST_HELP,
  MEMCACHED_KIND,
  type MemcachedHelp,
  type MemcachedOption,
  type MemcachedSettings,
  type ParsedMemcached,
  parseMemcached,
  parseMemcachedHost,
} from './memcached-spec.ts'
export { MemcachedGuest } from './memcached-guest.ts'
export { IncomingMemcached, MemcachedHost, type Room } from './memcached-host.ts'
export { MarkedMemory, type StoreMarks } from './marked-memory.ts'
export { LOOPBACK, type Place } from './place.ts'
export { type Held, Relay, type RelayOptions } from './relay.ts'
export { type GuestRelay, RelayedGuest } from './relayed-guest.ts'
export { Service, type ServiceParts } from './service.ts'
export { type NewStore, type NewValue, Store } from './store.ts'

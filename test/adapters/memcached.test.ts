/**
 * The memcached guest passes the suite of adapters.
 */
import { memcached } from './memcached.ts'
import { passes } from './passes.ts'

/** It counts no steps, has no state beside its memory, and can only be stopped altogether. */
const idle = [
  'steps/grow',
  'stop/by-itself',
  'classes/pages',
  'tracker/untouched',
  'tracker/marks',
  'state/restores',
  'state/refuses',
  'throttle/slows',
  'throttle/paused',
  'host/checkpoint',
  'move/post-copy-memory',
  'move/post-copy',
]

passes('memcached', memcached, idle)

import type { Hello } from '@godwit/wire'

/** An offer that asks for nothing special. */
export const hello: Hello = {
  versionMin: 1,
  versionMax: 1,
  software: '',
  required: [],
  optional: [],
  pageBytes: [4096],
  mode: 'pre-copy',
  hash: 'xxh64',
  verify: 'none',
  fingerprintSeed: new Uint8Array(8),
  verifySeed: new Uint8Array(8),
  dataChannels: 1,
  heartbeatMs: 1000,
}

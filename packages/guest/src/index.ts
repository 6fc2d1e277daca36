export {
  type ContentKind,
  type ContentMix,
  type ContentOptions,
  CONTENT_PAGE_BYTES,
  CONTENT_RUN_BYTES,
  fillContent,
  parseContentMix,
} from './content.ts'
export {
  GUEST_KINDS,
  type GuestKindHelp,
  type GuestOption,
  guestKind,
  WORKLOAD_KINDS,
  type WorkloadKind,
} from './guest-option.ts'
export { completeGuest, type ParsedGuest, parseGuest } from './guest-spec.ts'
export { type Drop, dropsOf } from './cache-classes.ts'
export { splitMemory } from './layout.ts'
export { type Replay, replay } from './replay.ts'
export { createStreamPeer, type StreamAccount } from './stream-peer.ts'
export { stepsOf } from './state-package.ts'
export {
  WorkloadGuest,
  type WorkloadGuestOptions,
} from './workload-guest.ts'
export { IncomingWorkload, WorkloadHost, type WorkloadHostOptions } from './workload-host.ts'

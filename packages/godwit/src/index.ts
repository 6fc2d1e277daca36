/**
 * Godwit as a library: live migration of memory you own.
 *
 * @module
 */
export type {
  CreatePager,
  DecisionReport,
  DemandPager,
  DirtyTracker,
  ErrorCode,
  FinalState,
  Guest,
  GuestHost,
  GuestIdentity,
  GuestOffer,
  IncomingGuest,
  PageClassName,
  PageClasses,
  Region,
  RegionShape,
  Report,
  TrafficReport,
  ZeroMemory,
} from '@godwit/core'
export { GodwitError, LimitError, PAGE_CLASSES, PageBitmap, ProtocolError } from '@godwit/core'
export type { CaptureOptions } from './capture-file.ts'
export { CaptureFile } from './capture-file.ts'
export { lockDirectory } from './directory-lock.ts'
export type { ImageList, KeptGuest } from './image-directory.ts'
export {
  IMAGE_BYTES_MAX,
  ImageDirectory,
  createImageKey,
  parseKeepImage,
} from './image-directory.ts'
export { formatImageKeys, parseImageKeys } from './image-keys.ts'
export type { ByteMap, Gate, GateMemory, RegionBacking, RegionRequest } from '@godwit/memory'
export { ByteMapTracker, GatePager, allocateRegion, markDirty } from '@godwit/memory'
export { openGate } from './gate.ts'
export type { MemoryArrival, MemoryGuest, MemorySource } from './memory.ts'
export { MEMORY_GUEST, MemoryHost, memoryGuest } from './memory.ts'
export { OwnerDirectory } from './owner-directory.ts'
export type { PagerChoice } from './pager.ts'
export { PAGER_CHOICES, choosePager } from './pager.ts'
export type { ReceiveOptions, Receiver } from './receive.ts'
export { receive } from './receive.ts'
export type { RecoverOptions, RecoveredGuest } from './recover.ts'
export { recoverOwned } from './recover.ts'
export { SOFTWARE, createUsageMeter, nodePrimitives, randomBytes } from './runtime.ts'
export { nodeSealTools } from './seal-tools.ts'
export type { SampleSource } from './sample.ts'
export { hashSample, learnSamples } from './sample.ts'
export type { SearchedSibling, Sibling } from './sibling-search.ts'
export type { KnownMap, MapName, StaticFinderOptions } from './static-finder.ts'
export { NodeStaticFinder, SIBLING_SEARCH_MS_MAX } from './static-finder.ts'
export type { SendStatic } from './static-options.ts'
export { mapOffering } from './static-options.ts'
export type { ImageFacts, StoredImage } from './stored-image.ts'
export type { RuleOptions } from './rules.ts'
export { checkRules, withoutPostCopy } from './rules.ts'
export type {
  BandwidthPolicy,
  BandwidthStatistics,
  PageSelector,
  Policy,
  PresetName,
  RoundStatistics,
  SelectSettings,
  StopDecision,
  StopRule,
  ThrottlePolicy,
  ThrottleStatistics,
} from '@godwit/policy'
export { PRESET_NAMES } from '@godwit/policy'
export type { SecurityOptions } from './security.ts'
export { PSK_BYTES_MAX, PSK_BYTES_MIN, checkSecurity } from './security.ts'
export type { ImageOffering, MapOffering, SourceLoss, StaticOffering } from '@godwit/source'
export type { FoundSet, OfferedSet, StaticFinder, StaticGuest } from '@godwit/destination'
export type { StaticPlaces, StaticSet } from '@godwit/core'
export { CONTENT_HASH_BYTES, NOT_HELD } from '@godwit/core'
export type { ImageKey } from '@godwit/wire'
export type { Migration, SendOptions } from './send.ts'
export { LANES_MAX, checkDestination, createMigration, send } from './send.ts'
export type { SteeringOptions } from './steering-options.ts'
export { TRACKERS, type TrackerChoice } from './tracker.ts'
export type { Traffic, TrafficOptions } from './traffic.ts'
export { startTraffic } from './traffic.ts'
export type { TrafficSink } from './traffic-sink.ts'
export { listenForTraffic } from './traffic-sink.ts'

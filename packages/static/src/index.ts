/**
 * Contents that both ends of a migration may know beforehand: which they are, and where they are.
 *
 * @module
 */
export type { PageHashes } from './content-hash.ts'
export {
  PageKind,
  STAGED_BYTES,
  StagedHasher,
  allocatePageHashes,
  hasherBytes,
} from './content-hash.ts'
export type { LearnedSample, LearningLimits, LearningOptions } from './learning.ts'
export { CANDIDATES_MAX, Learning, SAMPLE_PAGES_MAX } from './learning.ts'
export type { SiblingIndex, SiblingMode } from './sibling-index.ts'
export { NO_PAGE, SiblingSearch, allocateFoundPages, indexSet } from './sibling-index.ts'
export type { StaticMap } from './static-map.ts'
export {
  MAP_ENTRIES_MAX,
  MAP_NAME_BYTES_MAX,
  decodeStaticMap,
  encodeStaticMap,
} from './static-map.ts'

/**
 * Named limits on everything a peer can make this side hold. Each has a unit and a reason.
 *
 * @module
 */
import { KIB, MIB } from '@godwit/core'

/** Entries of one batch: with 12 bytes each the table stays under 48 KiB. */
export const BATCH_ENTRIES_MAX = 4096
/** Payload of one batch: 64 pages of the largest page size. */
export const BATCH_PAYLOAD_BYTES_MAX: number = 4 * MIB
/** The content store of one data channel. */
export const STORE_BYTES_MAX: number = 1024 * MIB
/** The smallest credit window: room for any batch and one more on its way. */
export const CREDIT_BYTES_MIN: number = 8 * MIB
/** A small control body: numbers, a digest, an error text. */
export const CONTROL_BODY_BYTES_MAX: number = 16 * KIB
/** HELLO and RESERVE carry capability names and the region table; NAK a batch's runs. */
export const TABLE_BODY_BYTES_MAX: number = 256 * KIB
/** Guest state beside memory: registers, device models. */
export const STATE_BODY_BYTES_MAX: number = 64 * MIB
/** An optional frame that is not understood is read past, never kept; still bounded. */
export const OPTIONAL_BODY_BYTES_MAX: number = 64 * KIB

export const REGIONS_MAX = 1024
/** The largest memory a wasm memory or one region may have. */
export const REGION_BYTES_MAX: number = 4 * 1024 * MIB
export const DATA_CHANNELS_MAX = 64
export const CAPABILITIES_MAX = 256
export const NAME_CHARS_MAX = 128
export const TEXT_CHARS_MAX = 1024
/** Guest options travel as a map; one value may be a path. */
export const OPTIONS_MAX = 64
export const OPTION_CHARS_MAX = 4096
/** Sets of contents that one migration may offer: a map or two, and images of the guest's past. */
export const STATIC_OFFERS_MAX = 8
/** Of one set: 64 GiB in the smallest pages; and of all together. */
export const STATIC_ENTRIES_MAX: number = 2 ** 24
export const STATIC_ENTRIES_SUM_MAX: number = 2 ** 25
/** A map may know contents of larger guests: so many for each page that the guest has. */
export const STATIC_ENTRIES_PER_PAGE_MAX = 4
export const STATIC_NONCE_BYTES = 16
export const STATIC_PROOF_BYTES = 16
/** Of an entry of an image. */
export const STATIC_HASH_BYTES = 16
/** Bits or hashes in one STATIC_HELD. */
export const STATIC_HELD_BYTES_MAX: number = 128 * KIB
/** Stored images that a guest brings along. */
export const IMAGES_MAX = 16
export const IMAGE_ID_BYTES = 16
export const IMAGE_TOKEN_BYTES = 32

/** Rounds are numbered by a u32; a guest that needs this many never converges. */
export const ROUNDS_MAX = 1_000_000

/** MessagePack nesting: the deepest message of the protocol needs 4. */
export const MSGPACK_DEPTH_MAX = 8
/** Values in one body, however nested: what a few bytes can make this side allocate. */
export const MSGPACK_VALUES_MAX = 65_536

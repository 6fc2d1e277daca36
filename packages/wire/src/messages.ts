/**
 * Control messages: one schema each. Unknown map keys are ignored, so that a later version may add
 * fields; missing or malformed ones are `WIRE_BODY`.
 *
 * @module
 */
import { CHECKPOINT_MS_MAX, CHECKPOINT_MS_MIN, WireError } from '@godwit/core'
import * as v from 'valibot'
import { bytes, count, exactly, name, records, u16, u32 } from './fields.ts'
import { FrameType } from './frame-type.ts'
import type { FrameName } from './frame-type.ts'
import {
  BATCH_ENTRIES_MAX,
  CAPABILITIES_MAX,
  CREDIT_BYTES_MIN,
  DATA_CHANNELS_MAX,
  OPTION_CHARS_MAX,
  OPTIONS_MAX,
  REGION_BYTES_MAX,
  REGIONS_MAX,
  ROUNDS_MAX,
  STATE_BODY_BYTES_MAX,
  STATIC_NONCE_BYTES,
  STORE_BYTES_MAX,
  TEXT_CHARS_MAX,
} from './limits.ts'
import type { Message, MessageBodies, MessageName } from './message-bodies.ts'
import { ownerAnswers } from './message-bodies.ts'
import { decodeMap, encodeMap } from './message-pack.ts'
import { PAGE_RUN_BYTES } from './page-runs.ts'
import { imageKeys, staticHeld, staticOffers } from './static-schemas.ts'

const amount = v.pipe(v.number(), v.finite(), v.minValue(0))
const round = v.pipe(u32, v.minValue(1), v.maxValue(ROUNDS_MAX))
const text = v.pipe(v.string(), v.maxLength(TEXT_CHARS_MAX))
const bytes8 = exactly(8)
const digest = v.pipe(
  v.instance(Uint8Array),
  v.check((value) => value.length === 8 || value.length === 32),
)
const names = v.pipe(v.array(name), v.maxLength(CAPABILITIES_MAX))
const heartbeatMs = v.pipe(u32, v.minValue(100), v.maxValue(60_000))
const dataChannels = v.pipe(u16, v.minValue(1), v.maxValue(DATA_CHANNELS_MAX))
/** A map of the wire: arrays and binary values are objects too, for the schema library. */
const map = v.custom<Record<string, unknown>>(isMap)
const options = v.custom<Record<string, string | number>>(
  (value) =>
    isMap(value) &&
    Object.keys(value).length <= OPTIONS_MAX &&
    Object.entries(value).every(([key, item]) => v.is(name, key) && isOption(item)),
)
const usage = v.pipe(
  map,
  v.object({
    cpuSeconds: v.optional(amount),
    overheadBytes: v.optional(v.pipe(v.number(), v.finite())),
  }),
)
const region = v.object({
  id: u16,
  name,
  byteLength: v.pipe(count, v.minValue(1), v.maxValue(REGION_BYTES_MAX)),
})
const runs = records(PAGE_RUN_BYTES, BATCH_ENTRIES_MAX * PAGE_RUN_BYTES)
const faults = v.pipe(
  map,
  v.object({ count, p50Us: amount, p99Us: amount, maxUs: amount, blockedMs: amount }),
)
const epoch = v.object({ epoch: u32 })
/** Of a connection that mends another: the first one has epoch 0. */
const laterEpoch = v.pipe(u32, v.minValue(1))
/** 0 is the hand-over. */
const checkpoint = v.pipe(u32, v.minValue(1))
const none = v.object({})

const schemas: { readonly [Name in MessageName]: v.GenericSchema<unknown, MessageBodies[Name]> } = {
  Hello: v.object({
    versionMin: u16,
    versionMax: u16,
    software: text,
    required: names,
    optional: names,
    pageBytes: v.pipe(v.array(u32), v.minLength(1), v.maxLength(16)),
    mode: v.picklist(['stop-copy', 'pre-copy', 'post-copy', 'hybrid']),
    hash: v.picklist(['xxh3', 'xxh64', 'sha256']),
    verify: v.picklist(['none', 'fingerprints', 'sha256']),
    fingerprintSeed: bytes8,
    verifySeed: bytes8,
    dataChannels,
    heartbeatMs,
    checkpointMs: v.optional(
      v.pipe(u32, v.minValue(CHECKPOINT_MS_MIN), v.maxValue(CHECKPOINT_MS_MAX)),
    ),
  }),
  Welcome: v.object({
    version: u16,
    software: text,
    capabilities: names,
    pageBytes: u32,
    dataChannels,
    heartbeatMs,
    creditBytes: v.optional(v.pipe(u32, v.minValue(CREDIT_BYTES_MIN))),
    storeBytes: v.optional(v.pipe(u32, v.maxValue(STORE_BYTES_MAX))),
    finalAfterMs: v.optional(u32),
    staticNonce: v.optional(exactly(STATIC_NONCE_BYTES)),
  }),
  Error: v.object({ code: u16, text, phase: v.optional(name) }),
  Heartbeat: none,
  Reserve: v.object({
    guest: v.object({
      kind: name,
      options,
      name: v.optional(name),
    }),
    regions: v.pipe(
      v.array(region),
      v.minLength(1),
      v.maxLength(REGIONS_MAX),
      v.check((regions) => new Set(regions.map((one) => one.id)).size === regions.length),
    ),
    static: v.optional(staticOffers),
  }),
  Reserved: v.object({ reservedBytes: count }),
  StaticHeld: staticHeld,
  RoundBegin: v.object({
    round,
    kind: v.picklist(['full', 'dirty', 'final', 'post-copy']),
    pages: count,
    open: v.optional(v.boolean()),
  }),
  Barrier: v.object({ round, batches: count, pages: count, digest: bytes8 }),
  RoundEnd: v.object({
    round,
    batches: count,
    pages: count,
    digest: bytes8,
    held: v.optional(count),
  }),
  RoundAck: v.object({ round }),
  Credit: v.object({ bytes: count }),
  Nak: v.object({
    round,
    region: u16,
    runs,
  }),
  Discard: v.object({ region: u16, runs }),
  Resume: v.object({ epoch: laterEpoch, round }),
  Lacking: v.object({ region: u16, runs }),
  Resumed: v.object({ epoch: laterEpoch, round, pages: count, checksum: u32 }),
  SwitchOver: v.object({ round: u32, postCopy: v.optional(v.boolean()) }),
  SwitchOverAck: none,
  State: v.object({ package: bytes(STATE_BODY_BYTES_MAX) }),
  Ready: epoch,
  Commit: epoch,
  Running: v.object({ epoch: u32, resumeMs: amount }),
  OwnerQuery: epoch,
  Owner: v.object({ epoch: u32, owner: v.picklist(ownerAnswers) }),
  Verify: v.object({
    digest,
    regions: v.pipe(v.array(v.object({ id: u16, digest })), v.maxLength(REGIONS_MAX)),
  }),
  Verified: v.object({
    equal: v.boolean(),
    digest,
    differing: v.pipe(v.array(u16), v.maxLength(REGIONS_MAX)),
  }),
  Final: v.object({ steps: count, registers: bytes(STATE_BODY_BYTES_MAX), digest }),
  End: v.object({ rounds: u32, pages: count, usage, images: v.optional(imageKeys) }),
  EndAck: v.object({ usage, faults: v.optional(faults) }),
  PageRequest: v.object({ region: u16, page: u32 }),
  CheckpointBegin: v.object({ number: checkpoint }),
  CheckpointEnd: v.object({
    number: checkpoint,
    batches: count,
    pages: count,
    digest: bytes8,
    pauseMs: amount,
    package: bytes(STATE_BODY_BYTES_MAX),
  }),
  CheckpointAck: v.object({ number: checkpoint }),
}

function isMap(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  return !Array.isArray(value) && !(value instanceof Uint8Array)
}

function isOption(value: unknown): value is string | number {
  return typeof value === 'string' ? value.length <= OPTION_CHARS_MAX : Number.isFinite(value)
}

const namesByType: ReadonlyMap<number, MessageName> = new Map(
  (Object.keys(schemas) as MessageName[]).map((each) => [FrameType[each as FrameName], each]),
)

/** The body bytes of a message, in memory of their own. */
export function encodeMessage(message: Message): Uint8Array {
  return encodeMap(message.body)
}

/**
 * Decodes and checks a control frame's body. Binary values are copies; nothing of `body` is kept.
 *
 * @throws {WireError} `WIRE_BODY`; `WIRE_FRAME_TYPE` for a type that has no message
 */
export function decodeMessage(type: number, body: Uint8Array): Message {
  const messageName = namesByType.get(type)
  if (messageName === undefined) {
    throw new WireError('WIRE_FRAME_TYPE', `Frame type 0x${type.toString(16)} has no message`)
  }
  const result = v.safeParse(schemas[messageName], decodeMap(body), { abortEarly: true })
  if (!result.success) {
    const issue = result.issues[0]
    const path = issue.path?.map((item) => String(item.key)).join('.') ?? ''
    throw new WireError('WIRE_BODY', `${messageName}.${path} is not as specified: ${issue.message}`)
  }
  return { name: messageName, body: result.output } as Message
}

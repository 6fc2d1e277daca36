/**
 * Control messages: one interface and one schema each. Unknown map keys are ignored, so that a
 * later version may add fields; missing or malformed ones are `WIRE_BODY`.
 *
 * @module
 */
import type { HashName, MigrationMode, VerifyMode } from '@godwit/core'
import { WireError } from '@godwit/core'
import * as v from 'valibot'
import { FrameType } from './frame-type.ts'
import type { FrameName } from './frame-type.ts'
import {
  CAPABILITIES_MAX,
  CREDIT_BYTES_MIN,
  DATA_CHANNELS_MAX,
  NAME_CHARS_MAX,
  OPTION_CHARS_MAX,
  OPTIONS_MAX,
  REGION_BYTES_MAX,
  REGIONS_MAX,
  ROUNDS_MAX,
  STATE_BODY_BYTES_MAX,
  TEXT_CHARS_MAX,
} from './limits.ts'
import { decodeMap, encodeMap } from './message-pack.ts'

/** Source -> destination, first frame: what this side speaks and wants. */
export interface Hello {
  readonly versionMin: number
  readonly versionMax: number
  /** For people and logs. */
  readonly software: string
  /** Capabilities without which the source does not go on. */
  readonly required: readonly string[]
  readonly optional: readonly string[]
  /** Page sizes the source can work with, preferred first. */
  readonly pageBytes: readonly number[]
  readonly mode: MigrationMode
  readonly hash: HashName
  readonly verify: VerifyMode
  /** 8 bytes, little-endian: seed of the fingerprints in batch digests. */
  readonly fingerprintSeed: Uint8Array
  /** 8 bytes, little-endian: another seed, for the verification of whole memory. */
  readonly verifySeed: Uint8Array
  readonly dataChannels: number
  /** How often this side sends a heartbeat when it has nothing else to say. */
  readonly heartbeatMs: number
}

/** Destination -> source: the terms that hold. */
export interface Welcome {
  readonly version: number
  readonly software: string
  readonly capabilities: readonly string[]
  readonly pageBytes: number
  readonly dataChannels: number
  readonly heartbeatMs: number
  /**
   * Most bytes of page frames, headers included, that a data channel may have sent without credit.
   * Absent: no limit, and no CREDIT is sent.
   */
  readonly creditBytes?: number | undefined
  /** The destination will run the guest this long, stop it and send FINAL. */
  readonly finalAfterMs?: number | undefined
}

/** Either way: this side gives up, and why. Fatal for the session. */
export interface ErrorMessage {
  readonly code: number
  readonly text: string
  readonly phase?: string | undefined
}

/** Either way: still here. */
export type Heartbeat = Record<string, never>

export interface RegionEntry {
  readonly id: number
  readonly name: string
  readonly byteLength: number
}

/** Source -> destination: make room for this guest. */
export interface Reserve {
  readonly guest: {
    readonly kind: string
    readonly options: Readonly<Record<string, string | number>>
  }
  readonly regions: readonly RegionEntry[]
}

/** Destination -> source: the memory is there and touched. */
export interface Reserved {
  readonly reservedBytes: number
}

/** Source -> destination: a round starts. */
export interface RoundBegin {
  readonly round: number
  readonly kind: 'full' | 'dirty' | 'final'
  readonly pages: number
}

/** On each data channel: everything of this round on this channel has been sent. */
export interface Barrier {
  readonly round: number
  readonly batches: number
  readonly pages: number
  /** 8 bytes, little-endian: sum of the batch digests modulo 2^64. */
  readonly digest: Uint8Array
}

/** Source -> destination: totals of the round over all data channels. */
export interface RoundEnd {
  readonly round: number
  readonly batches: number
  readonly pages: number
  readonly digest: Uint8Array
}

/** Destination -> source: everything of this round is installed. */
export interface RoundAck {
  readonly round: number
}

/** Destination -> source, on a data channel: so much of it is installed. */
export interface Credit {
  /** Bytes of page frames, headers included, since the channel began. */
  readonly bytes: number
}

/** Source -> destination: I am about to pause the guest; are you ready to take over? */
export interface SwitchOver {
  /** The last round acknowledged; 0 in stop-copy mode. */
  readonly round: number
}
export type SwitchOverAck = Record<string, never>

/** Source -> destination: everything of the guest beside its memory. */
export interface State {
  readonly package: Uint8Array
}

/** Destination -> source: state and last round are loaded; `prepared` is written. */
export interface Ready {
  readonly epoch: number
}
/** Source -> destination: `released` is written; the guest is yours. */
export interface Commit {
  readonly epoch: number
}
/** Destination -> source: `owner` is written and the guest runs. */
export interface Running {
  readonly epoch: number
  /** From COMMIT to the guest's first step, by the destination's clock. */
  readonly resumeMs: number
}

/** Source -> destination, after RUNNING: digest of every region of the frozen memory. */
export interface Verify {
  readonly digest: Uint8Array
  readonly regions: readonly { readonly id: number; readonly digest: Uint8Array }[]
}
/** Destination -> source: the same over what was installed. */
export interface Verified {
  readonly equal: boolean
  readonly digest: Uint8Array
  /** Ids of regions that differ. */
  readonly differing: readonly number[]
}

/** Destination -> source: the guest ran on, was stopped, and ended like this. */
export interface Final {
  readonly steps: number
  readonly registers: Uint8Array
  /** Over the final memory, by the verification hash. */
  readonly digest: Uint8Array
}

/** What a side used for the migration, for the other side's report. */
export interface Usage {
  readonly cpuSeconds?: number | undefined
  readonly overheadBytes?: number | undefined
}
/** Source -> destination: over; the connections may close after END_ACK. */
export interface End {
  readonly rounds: number
  readonly pages: number
  readonly usage: Usage
}
export interface EndAck {
  readonly usage: Usage
}

/** Body type of every message by its frame name. PAGES is binary and not here. */
export interface MessageBodies {
  Hello: Hello
  Welcome: Welcome
  Error: ErrorMessage
  Heartbeat: Heartbeat
  Reserve: Reserve
  Reserved: Reserved
  RoundBegin: RoundBegin
  Barrier: Barrier
  RoundEnd: RoundEnd
  RoundAck: RoundAck
  Credit: Credit
  SwitchOver: SwitchOver
  SwitchOverAck: SwitchOverAck
  State: State
  Ready: Ready
  Commit: Commit
  Running: Running
  Verify: Verify
  Verified: Verified
  Final: Final
  End: End
  EndAck: EndAck
}
export type MessageName = keyof MessageBodies

/** A decoded control frame. */
export type Message = {
  [Name in MessageName]: { readonly name: Name; readonly body: MessageBodies[Name] }
}[MessageName]

const uint = (maximum: number) =>
  v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(maximum))
const u16 = uint(0xffff)
const u32 = uint(0xffffffff)
const count = uint(Number.MAX_SAFE_INTEGER)
const amount = v.pipe(v.number(), v.finite(), v.minValue(0))
const round = v.pipe(u32, v.minValue(1), v.maxValue(ROUNDS_MAX))
const name = v.pipe(v.string(), v.minLength(1), v.maxLength(NAME_CHARS_MAX))
const text = v.pipe(v.string(), v.maxLength(TEXT_CHARS_MAX))
const bytes = (maximum: number) =>
  v.pipe(
    v.instance(Uint8Array),
    v.check((value) => value.length <= maximum),
  )
const bytes8 = v.pipe(
  v.instance(Uint8Array),
  v.check((value) => value.length === 8),
)
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
const epoch = v.object({ epoch: u32 })
const none = v.object({})

const schemas: { readonly [Name in MessageName]: v.GenericSchema<unknown, MessageBodies[Name]> } = {
  Hello: v.object({
    versionMin: u16,
    versionMax: u16,
    software: text,
    required: names,
    optional: names,
    pageBytes: v.pipe(v.array(u32), v.minLength(1), v.maxLength(16)),
    mode: v.picklist(['stop-copy', 'pre-copy']),
    hash: v.picklist(['xxh3', 'xxh64', 'sha256']),
    verify: v.picklist(['none', 'fingerprints', 'sha256']),
    fingerprintSeed: bytes8,
    verifySeed: bytes8,
    dataChannels,
    heartbeatMs,
  }),
  Welcome: v.object({
    version: u16,
    software: text,
    capabilities: names,
    pageBytes: u32,
    dataChannels,
    heartbeatMs,
    creditBytes: v.optional(v.pipe(u32, v.minValue(CREDIT_BYTES_MIN))),
    finalAfterMs: v.optional(u32),
  }),
  Error: v.object({ code: u16, text, phase: v.optional(name) }),
  Heartbeat: none,
  Reserve: v.object({
    guest: v.object({
      kind: name,
      options,
    }),
    regions: v.pipe(
      v.array(region),
      v.minLength(1),
      v.maxLength(REGIONS_MAX),
      v.check((regions) => new Set(regions.map((one) => one.id)).size === regions.length),
    ),
  }),
  Reserved: v.object({ reservedBytes: count }),
  RoundBegin: v.object({ round, kind: v.picklist(['full', 'dirty', 'final']), pages: count }),
  Barrier: v.object({ round, batches: count, pages: count, digest: bytes8 }),
  RoundEnd: v.object({ round, batches: count, pages: count, digest: bytes8 }),
  RoundAck: v.object({ round }),
  Credit: v.object({ bytes: count }),
  SwitchOver: v.object({ round: u32 }),
  SwitchOverAck: none,
  State: v.object({ package: bytes(STATE_BODY_BYTES_MAX) }),
  Ready: epoch,
  Commit: epoch,
  Running: v.object({ epoch: u32, resumeMs: amount }),
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
  End: v.object({ rounds: u32, pages: count, usage }),
  EndAck: v.object({ usage }),
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

/**
 * What control messages say: one interface each. `messages.ts` has their schemas.
 *
 * @module
 */
import type { FaultReport, HashName, MigrationMode, VerifyMode } from '@godwit/core'
import type { ImageKey, StaticHeld, StaticOffer } from './static-bodies.ts'

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
  /** Capability `reverse`: how often, at most, the guest's state is to come back in post-copy. */
  readonly checkpointMs?: number | undefined
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
  /** The content store that the destination keeps per data channel; absent: none. */
  readonly storeBytes?: number | undefined
  /** The destination will run the guest this long, stop it and send FINAL. */
  readonly finalAfterMs?: number | undefined
  /** Capability `static`: random, so that no proof of contents is of use a second time. */
  readonly staticNonce?: Uint8Array | undefined
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
    /** What the source calls it. */
    readonly name?: string | undefined
  }
  readonly regions: readonly RegionEntry[]
  /** Capability `static`: contents that need not travel, if the destination holds them. */
  readonly static?: readonly StaticOffer[] | undefined
}

/** Destination -> source: the memory is there and touched. */
export interface Reserved {
  readonly reservedBytes: number
}

/** Source -> destination: a round starts. */
export interface RoundBegin {
  readonly round: number
  readonly kind: 'full' | 'dirty' | 'final' | 'post-copy'
  readonly pages: number
  /** The set becomes known as the round goes on only: `pages` is an estimate. */
  readonly open?: boolean | undefined
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
  /** Pages of the round's set that are left to the next one, since they are dirty again. */
  readonly held?: number | undefined
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

/**
 * Destination -> source, on a data channel: a batch named content that is not there; nothing of it
 * was installed. These pages are to come as they are now, raw or zero.
 */
export interface Nak {
  readonly round: number
  readonly region: number
  /** Per run: first page and number of pages, 4 bytes each, little-endian. */
  readonly runs: Uint8Array
}

/** Source -> destination, the guest paused: these pages are to come in the post-copy round. */
export interface Discard {
  readonly region: number
  /** As in {@link Nak}. */
  readonly runs: Uint8Array
}

/** Source -> destination, first frame of a connection that mends a lost one: on with post-copy. */
export interface Resume {
  /** Of this connection, as in its preface; not that of {@link Commit}. */
  readonly epoch: number
  /** The last post-copy round that the source announced, or was about to. */
  readonly round: number
}

/** Destination -> source: these pages of the post-copy set are not installed. */
export interface Lacking {
  readonly region: number
  /** As in {@link Nak}. */
  readonly runs: Uint8Array
}

/** Destination -> source, after the last {@link Lacking}. */
export interface Resumed {
  /** As in {@link Resume}. */
  readonly epoch: number
  /** In which the lacking pages are to come: one that never began. */
  readonly round: number
  /** How many are lacking. */
  readonly pages: number
  /** Over all {@link Lacking}, see `page-runs.ts`. */
  readonly checksum: number
}

/** Source -> destination: I am about to pause the guest; are you ready to take over? */
export interface SwitchOver {
  /** The last round acknowledged; 0 when there was none. */
  readonly round: number
  /** The guest is to run there before the rest of its pages comes. */
  readonly postCopy?: boolean | undefined
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

/** Source -> destination, first frame of a connection: COMMIT went out. Whose is the guest? */
export interface OwnerQuery {
  /** As in {@link Commit}. */
  readonly epoch: number
}
/**
 * What became of a guest whose COMMIT the source has sent. `prepared`: nothing, it may be sent
 * again. `running`: the guest is here. `refused`: nobody will ever start it here. `lost`: it died
 * with the process that held it. `ended`: its time here is over.
 */
export const ownerAnswers = ['prepared', 'running', 'refused', 'lost', 'ended'] as const
export type OwnerAnswer = (typeof ownerAnswers)[number]
/** Destination -> source: as it is written here, durably. */
export interface Owner {
  readonly epoch: number
  readonly owner: OwnerAnswer
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
  /** Stored images of the guest, newest first: with them its next move sends what changed. */
  readonly images?: readonly ImageKey[] | undefined
}
export interface EndAck {
  readonly usage: Usage
  /** What the guest waited for pages, after post-copy. */
  readonly faults?: FaultReport | undefined
}

/** Destination -> source, on the urgent channel: the guest waits for this page. */
export interface PageRequest {
  readonly region: number
  readonly page: number
}

/** Destination -> source, on the reverse channel: the guest was stopped, looked at, and goes on. */
export interface CheckpointBegin {
  /** From 1; above all before. */
  readonly number: number
}

/** Destination -> source: the checkpoint is whole. */
export interface CheckpointEnd {
  readonly number: number
  readonly batches: number
  /** Stored to by the guest since the last checkpoint that was acknowledged. */
  readonly pages: number
  /** As in {@link Barrier}. */
  readonly digest: Uint8Array
  /** How long the guest stood still for it. */
  readonly pauseMs: number
  /** Everything of the guest beside memory, of the same moment. */
  readonly package: Uint8Array
}

/** Source -> destination: it would be used from now on. */
export interface CheckpointAck {
  readonly number: number
}

/** Body type of every message by its frame name. PAGES is binary and not here. */
export interface MessageBodies {
  Hello: Hello
  Welcome: Welcome
  Error: ErrorMessage
  Heartbeat: Heartbeat
  Reserve: Reserve
  Reserved: Reserved
  StaticHeld: StaticHeld
  RoundBegin: RoundBegin
  Barrier: Barrier
  RoundEnd: RoundEnd
  RoundAck: RoundAck
  Credit: Credit
  Nak: Nak
  Discard: Discard
  Resume: Resume
  Lacking: Lacking
  Resumed: Resumed
  SwitchOver: SwitchOver
  SwitchOverAck: SwitchOverAck
  State: State
  Ready: Ready
  Commit: Commit
  Running: Running
  OwnerQuery: OwnerQuery
  Owner: Owner
  Verify: Verify
  Verified: Verified
  Final: Final
  End: End
  EndAck: EndAck
  PageRequest: PageRequest
  CheckpointBegin: CheckpointBegin
  CheckpointEnd: CheckpointEnd
  CheckpointAck: CheckpointAck
}
export type MessageName = keyof MessageBodies

/** A decoded control frame. */
export type Message = {
  [Name in MessageName]: { readonly name: Name; readonly body: MessageBodies[Name] }
}[MessageName]

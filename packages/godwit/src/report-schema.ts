/**
 * The shape of a report, to validate one with or to publish. It lists the fields of `Report` in
 * `core`; where the two differ this file does not compile. Fields it does not know are no fault:
 * later versions add some under the same id.
 *
 * @module
 */
import type {
  CheckpointReport,
  DecisionReport,
  ErrorCode,
  FaultReport,
  PageCounts,
  Report,
  RoundReport,
  TakeoverReport,
  StepSample,
  TrafficReport,
} from '@godwit/core'
import { REPORT_SCHEMA } from '@godwit/core'
import { errorNumbers } from '@godwit/wire'
import * as v from 'valibot'
import { encoding } from './encoding-schema.ts'
import { amount, count, text } from './schema-fields.ts'
import { staticPages } from './static-schema.ts'

const flag = (meaning: string) => v.pipe(v.boolean(), v.description(meaning))
const digest = (meaning: string) =>
  v.pipe(v.string(), v.regex(/^(?:[0-9a-f]{16}|[0-9a-f]{64})$/), v.description(meaning))

const errorCodes = Object.keys(errorNumbers) as ErrorCode[]
const scalar = v.union([v.string(), v.pipe(v.number(), v.finite())])

const error = v.pipe(
  v.object({
    code: v.pipe(v.picklist(errorCodes), v.description('Stable; see docs/ERRORS.md.')),
    text: text('One line for people.'),
    phase: text('The stage in which it happened.'),
  }),
  v.description('What went wrong. Beside `completed`: the guest moved but was not verified.'),
)

const guest = v.pipe(
  v.object({
    kind: text('The adapter, like `writer` or `memory`.'),
    options: v.pipe(v.record(v.string(), scalar), v.description("The adapter's, by name.")),
  }),
  v.description('Who moved.'),
)

const downtime = v.pipe(
  v.object({
    pauseMs: amount('Milliseconds from the pause request until no thread of the guest stores.'),
    pagesMs: amount('Milliseconds until the last pages were handed to the socket.'),
    stateMs: amount('Milliseconds until the destination had pages and state and was ready.'),
    resumeMs: amount("Milliseconds until the destination's word that the guest runs."),
  }),
  v.description('Parts of `downtimeMs`, in order; they add up to it.'),
)

const stage = v.object({
  name: text('Like `preparation`, `pre-copy`, `stop-and-copy`, `commit`.'),
  atMs: amount("Milliseconds since the migration began for this side, by this side's clock."),
})

const round = v.object({
  round: v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.description('From 1.')),
  pages: count("Pages of the round's set: all of them in a full round, the dirty ones later."),
  heldPages: v.exactOptional(
    count(
      'Dirty pages that were not sent in it: left to later rounds, or to the end. Source only.',
    ),
  ),
  bytes: count('Bytes of all page frames of the round, headers included.'),
  ms: amount('Milliseconds the round took.'),
  dirtyPages: v.exactOptional(
    count(
      'Pages found dirty since the round began; about so many, where more than 64 MiB are ' +
        'scanned. Source only.',
    ),
  ),
  dirtyRate: v.exactOptional(amount('Dirtied bytes per second in the round. Source only.')),
  bandwidth: amount('Bytes of page frames per second.'),
  grantedBandwidth: v.exactOptional(
    amount('The cap on it, as it last was; absent where there was none. Source only.'),
  ),
  scanMs: v.exactOptional(
    amount(
      'Comparing memory with what was sent, all threads together: where no stores are reported.',
    ),
  ),
  throttle: v.exactOptional(
    amount('Share of its time that the guest lost meanwhile, 0 to 1; with `--throttle`.'),
  ),
  paused: flag('True for the stop-and-copy round.'),
} satisfies Record<keyof RoundReport, unknown>)

const pages = v.pipe(
  v.object({
    raw: count('Sent with their bytes.'),
    zero: count('All zeros: only their numbers were sent.'),
    unchanged: count('Marked dirty but as sent before: nothing was sent.'),
    same: count('As another page of the guest.'),
    reference: count('As an older version, which the destination kept.'),
    delta: count('As what differs from the version last sent, or from a similar page.'),
    static: count('By the number of a content that the destination had from elsewhere.'),
    compressed: count('Otherwise raw, in a compressed frame.'),
  } satisfies Record<keyof PageCounts, unknown>),
  v.description('Pages by what was sent for them; they add up to the pages of all rounds.'),
)

const stop = v.pipe(
  v.objectWithRest(
    { rule: text('Its name; `mode` where the mode has no rounds to stop.') },
    scalar,
  ),
  v.description('The rule that ended pre-copy, or all of it, and the numbers it looked at.'),
)

const memory = v.pipe(
  v.object({
    sourceDigest: digest("Of the source's memory as frozen, hexadecimal."),
    destinationDigest: digest("Of the destination's memory as installed, hexadecimal."),
    equal: flag('Whether both sides hold the same memory.'),
  }),
  v.description('Verification of the whole memory, after the hand-over.'),
)

const faults = v.pipe(
  v.object({
    count: count('Waits of threads; several may wait for the same page.'),
    p50Us: amount('Median of the waits, in microseconds, right within 3 %.'),
    p99Us: amount('99th percentile.'),
    maxUs: amount('The longest.'),
    blockedMs: amount('Milliseconds that threads waited, all together.'),
  } satisfies Record<keyof FaultReport, unknown>),
  v.description('What the guest waited for pages, where it ran before all of them were there.'),
)

const checkpoints = v.pipe(
  v.object({
    count: count('Whole ones, that were acknowledged.'),
    pages: count('Pages in all of them together.'),
    bytes: count('Bytes of their page frames, headers included.'),
    pauseP50Ms: amount('Milliseconds the guest stood still for one: median, right within 3 %.'),
    pauseMaxMs: amount('The longest.'),
  } satisfies Record<keyof CheckpointReport, unknown>),
  v.description('States of the guest that came back to the source in post-copy.'),
)

const decision = v.object({
  round: count('After which round; 0 before the first.'),
  atMs: amount("Milliseconds since the migration began, by the source's clock."),
  text: text('What was decided, and why: one line for people.'),
} satisfies Record<keyof DecisionReport, unknown>)

const takeover = v.pipe(
  v.object({
    checkpoint: count('Whose state the guest went on from; 0: as it was handed over.'),
    steps: v.exactOptional(count('Steps of the guest in that state; later ones are lost.')),
    ageMs: amount('How old that state was, in milliseconds.'),
    epoch: count('Of ownership: the hand-over had 1.'),
  } satisfies Record<keyof TakeoverReport, unknown>),
  v.description('The destination died in post-copy, and the guest went on at the source.'),
)

const competing = v.pipe(
  v.object({
    askedBytesPerSecond: amount('What was to be sent per second.'),
    bytesPerSecond: amount('What was sent per second.'),
    bytes: count('Bytes that were sent.'),
    ms: amount('Milliseconds from the first round, or the pause, until all of the guest is there.'),
    error: v.exactOptional(
      v.pipe(
        v.object({ code: text('Like `CONNECTION_LOST`.'), text: text('For people.') }),
        v.description('It ended before the migration did: its figures mean nothing.'),
      ),
    ),
  } satisfies Record<keyof TrafficReport, unknown>),
  v.description('Traffic of a service beside the migration (`--competing`). Source only.'),
)

const steps = v.pipe(
  v.array(
    v.object({
      atMs: amount('When it begins: milliseconds since the migration began for this side.'),
      ms: amount('How long it is.'),
      steps: count('Steps that the guest did meanwhile.'),
    } satisfies Record<keyof StepSample, unknown>),
  ),
  v.description('How fast the guest went while it ran on this side, where it counts its steps.'),
)

const guestProof = v.pipe(
  v.object({
    stepsBefore: count('Steps of the guest at the source.'),
    stepsAfter: count('Steps of the guest at the destination, until it was stopped.'),
    continuous: flag('Final memory and registers equal those of a run that never moved.'),
  }),
  v.description('Whether the guest went on as it would have, had it stayed.'),
)

const cpu = v.pipe(
  v.object({
    sourceSeconds: v.exactOptional(amount('CPU seconds.')),
    destinationSeconds: v.exactOptional(amount('CPU seconds.')),
  }),
  v.description("CPU time of the agents' threads."),
)

const bytesOf = (side: string) => v.pipe(v.number(), v.finite(), v.description(side))
const overheadBytes = v.pipe(
  v.object({
    source: v.exactOptional(bytesOf('Bytes at the source.')),
    destination: v.exactOptional(bytesOf('Bytes at the destination.')),
  }),
  v.description('Peak growth of resident memory since before HELLO, guest memory excluded.'),
)

const savedBytes = v.pipe(
  v.record(v.string(), count('Bytes.')),
  v.description('Bytes of guest memory that did not have to travel, by encoder.'),
)

const times = {
  totalMs: v.exactOptional(
    amount(
      'Milliseconds from the first round, or a pause before it, until the guest ran at the ' +
        'destination; in post-copy until its last page was there, too.',
    ),
  ),
  reservationMs: v.exactOptional(
    amount('Milliseconds of handshake and making room; destination: of making room.'),
  ),
  verifyMs: v.exactOptional(amount('Milliseconds of verification, after the hand-over.')),
  downtimeMs: v.exactOptional(
    amount("Milliseconds from the pause request to the destination's word that the guest runs."),
  ),
}

const fields = {
  schema: v.literal(REPORT_SCHEMA),
  role: v.picklist(['source', 'destination']),
  sessionId: v.exactOptional(
    v.pipe(
      v.string(),
      v.regex(/^[0-9a-f]{32}$/),
      v.description('Of the migration, the same in the reports of both sides: 16 bytes in hex.'),
    ),
  ),
  outcome: v.pipe(
    v.picklist(['completed', 'failed', 'cancelled']),
    v.description('`completed`: the guest is at the destination.'),
  ),
  error: v.exactOptional(error),
  mode: v.exactOptional(v.picklist(['stop-copy', 'pre-copy', 'post-copy', 'hybrid'])),
  security: v.exactOptional(
    v.pipe(
      v.picklist(['none', 'psk', 'tls']),
      v.description('How the two sides knew each other: a pre-shared key, or certificates.'),
    ),
  ),
  guest: v.exactOptional(guest),
  memoryBytes: v.exactOptional(count('Bytes of guest memory.')),
  pageBytes: v.exactOptional(count('Bytes per page.')),
  tracker: v.exactOptional(text('How stores were found; `none` where no round followed another.')),
  kernels: v.exactOptional(
    v.pipe(
      v.picklist(['simd', 'typescript']),
      v.description('Which kernels looked at the pages on this side.'),
    ),
  ),
  encoders: v.exactOptional(v.array(v.string())),
  policies: v.exactOptional(v.record(v.string(), v.string())),
  ...times,
  downtime: v.exactOptional(downtime),
  stages: v.array(stage),
  wireBytes: count('Bytes this side wrote to and read from its sockets, all channels.'),
  sentBytes: v.exactOptional(count('Payload bytes of round 1.')),
  resentBytes: v.exactOptional(count('Payload bytes of all later rounds.')),
  rounds: v.array(round),
  pages: v.exactOptional(pages),
  savedBytes: v.exactOptional(savedBytes),
  droppedPages: v.exactOptional(
    count('Pages that the guest gave up: zero bytes at the destination. Source only.'),
  ),
  decisions: v.exactOptional(
    v.pipe(
      v.array(decision),
      v.description('What `--preset auto` decided, in order. Source only.'),
    ),
  ),
  encoding: v.exactOptional(encoding),
  static: v.exactOptional(staticPages),
  stop: v.exactOptional(stop),
  memory: v.exactOptional(memory),
  faults: v.exactOptional(faults),
  recoveries: v.exactOptional(
    count('How often the connection was lost after the hand-over, and tried to be had again.'),
  ),
  checkpoints: v.exactOptional(checkpoints),
  takeover: v.exactOptional(takeover),
  competing: v.exactOptional(competing),
  steps: v.exactOptional(steps),
  guestProof: v.exactOptional(guestProof),
  cpu: v.exactOptional(cpu),
  overheadBytes: v.exactOptional(overheadBytes),
} satisfies Record<keyof Report, unknown>

/** Validates reports of both sides; a field whose facts a side does not have is absent. */
export const reportSchema: v.GenericSchema<Report> = v.pipe(
  v.object(fields),
  v.title('Report of one Godwit migration'),
  v.description('The same shape on both sides. Absent: a fact that this side does not have.'),
)

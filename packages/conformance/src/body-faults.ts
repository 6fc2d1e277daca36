/**
 * Bodies that break section 4, for either side: every message with every key wrong in turn.
 *
 * @module
 */
import type { MessageName } from '@godwit/wire'
import { FrameType, encodeMessage } from '@godwit/wire'

const bytes = (length: number): Uint8Array => new Uint8Array(length)
const names = (count: number): readonly string[] => Array.from({ length: count }, () => 'n')
const long = 'x'.repeat(1025)
const name129 = 'x'.repeat(129)

const hello = {
  versionMin: 1,
  versionMax: 1,
  software: 's',
  required: [],
  optional: [],
  pageBytes: [4096],
  mode: 'pre-copy',
  hash: 'xxh64',
  verify: 'none',
  fingerprintSeed: bytes(8),
  verifySeed: bytes(8),
  dataChannels: 1,
  heartbeatMs: 1000,
}
const region = { id: 0, name: 'ram', byteLength: 4096 }
const map = {
  kind: 'map',
  os: 'o/1',
  hypervisor: 'h/1',
  version: 1,
  entries: 4,
  positions: 0,
  mode: 'content',
  proof: bytes(16),
}
const image = { kind: 'image', id: bytes(16), proof: bytes(16).fill(1) }
const imageKey = { id: bytes(16), token: bytes(32) }
const totals = { round: 1, batches: 0, pages: 0, digest: bytes(8) }
const faults = { count: 0, p50Us: 0, p99Us: 0, maxUs: 0, blockedMs: 0 }

interface Sample {
  /** Of the row in the table of bodies. */
  readonly clause: string
  /** Right, as it is. */
  readonly body: Readonly<Record<string, unknown>>
  /** Values that a key must not have, beside nil and ones of another type. */
  readonly wrong?: Readonly<Record<string, readonly unknown[]>>
  /** Keys that may be missing. */
  readonly optional?: readonly string[]
}

const epoch = { body: { epoch: 1 }, wrong: { epoch: [-1, 2 ** 32, 0.5] } }
const runs = [bytes(0), bytes(7), bytes(32_776)]
const rounds = [0, 1_000_001, 1.5]
const counts = [-1, 2 ** 53, 0.5]
const u16s = [-1, 65_536, 0.5]
const u32s = [-1, 2 ** 32, 0.5]

/** What `static` of RESERVE must not hold. */
const wrongOffers: readonly (readonly object[])[] = [
  [],
  Array.from({ length: 9 }, (_, at) => ({
    ...image,
    id: bytes(16).fill(at),
    proof: bytes(16).fill(at),
  })),
  [{ ...map, kind: 'guess' }],
  [{ ...map, os: '' }],
  [{ ...map, os: 'debian' }],
  [{ ...map, os: 'debian/13/1' }],
  [{ ...map, os: 'debian\u001b[2J/13' }],
  [{ ...map, hypervisor: 'qemu/10\n' }],
  [{ ...map, hypervisor: `qemu/${'1'.repeat(64)}` }],
  [{ ...map, hypervisor: name129 }],
  [{ ...map, version: -1 }],
  [{ ...map, entries: 0 }],
  [{ ...map, entries: 16_777_217 }],
  [{ ...map, positions: 5 }],
  [{ ...map, mode: 'both' }],
  [{ ...map, proof: bytes(32) }],
  [{ ...image, id: bytes(15) }],
  [{ kind: 'image', id: bytes(16) }],
  [map, { ...image, proof: map.proof }],
  [image, { ...image, proof: bytes(16) }],
  [map, { ...map, proof: bytes(16).fill(2) }],
]

/** A right body of every message, and what its keys must not hold. */
export const bodySamples: { readonly [Name in MessageName]?: Sample } = {
  Hello: {
    clause: 'C4.19',
    body: { ...hello, checkpointMs: 100 },
    optional: ['checkpointMs'],
    wrong: {
      versionMin: u16s,
      versionMax: u16s,
      software: [long],
      required: [names(257), [''], [name129], [1]],
      optional: [names(257), ['']],
      pageBytes: [[], Array.from({ length: 17 }, () => 4096), [-1], ['4096']],
      mode: ['', 'live'],
      hash: ['md5'],
      verify: ['all'],
      fingerprintSeed: [bytes(7), bytes(9)],
      verifySeed: [bytes(0)],
      dataChannels: [0, 65],
      heartbeatMs: [99, 60_001],
      checkpointMs: [9, 3_600_001],
    },
  },
  Welcome: {
    clause: 'C4.20',
    body: {
      version: 1,
      software: 's',
      capabilities: [],
      pageBytes: 4096,
      dataChannels: 1,
      heartbeatMs: 1000,
      creditBytes: 8_388_608,
      storeBytes: 0,
      finalAfterMs: 1,
      staticNonce: bytes(16),
    },
    optional: ['creditBytes', 'storeBytes', 'finalAfterMs', 'staticNonce'],
    wrong: {
      version: u16s,
      software: [long],
      capabilities: [names(257), ['']],
      pageBytes: u32s,
      dataChannels: [0, 65],
      heartbeatMs: [99, 60_001],
      creditBytes: [8_388_607, 2 ** 32],
      storeBytes: [1_073_741_825, -1],
      finalAfterMs: u32s,
      staticNonce: [bytes(15), bytes(17)],
    },
  },
  Error: {
    clause: 'C4.21',
    body: { code: 2, text: 't', phase: 'p' },
    optional: ['phase'],
    wrong: { code: u16s, text: [long], phase: ['', name129] },
  },
  Heartbeat: { clause: 'C4.22', body: {} },
  Reserve: {
    clause: 'C4.23',
    body: { guest: { kind: 'idle', options: {} }, regions: [region], static: [map, image] },
    optional: ['static'],
    wrong: {
      static: wrongOffers,
      guest: [
        { options: {} },
        { kind: '', options: {} },
        { kind: 'idle' },
        { kind: 'idle', options: { '': 1 } },
        { kind: 'idle', options: { a: true } },
        { kind: 'idle', options: {}, name: '' },
        { kind: 'idle', options: {}, name: name129 },
        { kind: 'idle', options: { a: 'x'.repeat(4097) } },
        {
          kind: 'idle',
          options: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`${i}`, 1])),
        },
      ],
      regions: [
        [],
        Array.from({ length: 1025 }, (_, id) => ({ ...region, id })),
        [region, region],
        [{ ...region, id: 65_536 }],
        [{ ...region, name: '' }],
        [{ ...region, byteLength: 0 }],
        [{ ...region, byteLength: 4_294_967_297 }],
        [{ id: 0, name: 'ram' }],
      ],
    },
  },
  StaticHeld: {
    clause: 'C4.68',
    body: { set: 0, first: 0, held: bytes(1) },
    wrong: {
      set: [-1, 8, 0.5],
      first: [-1, 16_777_217, 0.5],
      held: [bytes(0), bytes(131_073)],
    },
  },
  Reserved: { clause: 'C4.24', body: { reservedBytes: 1 }, wrong: { reservedBytes: counts } },
  RoundBegin: {
    clause: 'C4.25',
    body: { round: 1, kind: 'full', pages: 0, open: false },
    optional: ['open'],
    wrong: { round: rounds, kind: ['last'], pages: counts, open: [0, 'yes'] },
  },
  Barrier: {
    clause: 'C4.26',
    body: totals,
    wrong: { round: rounds, batches: counts, pages: counts, digest: [bytes(7), bytes(32)] },
  },
  RoundEnd: {
    clause: 'C4.27',
    body: { ...totals, held: 0 },
    optional: ['held'],
    wrong: { round: rounds, batches: counts, pages: counts, digest: [bytes(7)], held: counts },
  },
  RoundAck: { clause: 'C4.28', body: { round: 1 }, wrong: { round: rounds } },
  Credit: { clause: 'C4.29', body: { bytes: 0 }, wrong: { bytes: counts } },
  Nak: {
    clause: 'C4.30',
    body: { round: 1, region: 0, runs: bytes(8) },
    wrong: { round: rounds, region: u16s, runs },
  },
  Discard: {
    clause: 'C4.31',
    body: { region: 0, runs: bytes(8) },
    wrong: { region: u16s, runs },
  },
  Resume: {
    clause: 'C4.32',
    body: { epoch: 1, round: 1 },
    wrong: { epoch: [0, 2 ** 32], round: rounds },
  },
  Lacking: {
    clause: 'C4.33',
    body: { region: 0, runs: bytes(8) },
    wrong: { region: u16s, runs },
  },
  Resumed: {
    clause: 'C4.34',
    body: { epoch: 1, round: 1, pages: 0, checksum: 0 },
    wrong: { epoch: [0, 2 ** 32], round: rounds, pages: counts, checksum: u32s },
  },
  SwitchOver: {
    clause: 'C4.35',
    body: { round: 0, postCopy: false },
    optional: ['postCopy'],
    wrong: { round: u32s, postCopy: [1, 'true'] },
  },
  SwitchOverAck: { clause: 'C4.36', body: {} },
  State: { clause: 'C4.37', body: { package: bytes(1) }, wrong: { package: ['text'] } },
  Ready: { clause: 'C4.38', ...epoch },
  Commit: { clause: 'C4.38', ...epoch },
  Running: {
    clause: 'C4.39',
    body: { epoch: 1, resumeMs: 0 },
    wrong: { epoch: u32s, resumeMs: [-1, Number.NaN, Number.POSITIVE_INFINITY] },
  },
  OwnerQuery: { ...epoch, clause: 'C4.61' },
  Owner: {
    clause: 'C4.62',
    body: { epoch: 1, owner: 'running' },
    wrong: { epoch: u32s, owner: ['', 'released'] },
  },
  Verify: {
    clause: 'C4.40',
    body: { digest: bytes(8), regions: [] },
    wrong: {
      digest: [bytes(7), bytes(16)],
      regions: [
        Array.from({ length: 1025 }, (_, id) => ({ id, digest: bytes(8) })),
        [{ id: 0 }],
        [{ id: 0, digest: bytes(9) }],
      ],
    },
  },
  Verified: {
    clause: 'C4.41',
    body: { equal: true, digest: bytes(8), differing: [] },
    wrong: { equal: [1], digest: [bytes(9)], differing: [[65_536], Array(1025).fill(1)] },
  },
  Final: {
    clause: 'C4.42',
    body: { steps: 0, registers: bytes(0), digest: bytes(8) },
    wrong: { steps: counts, registers: ['r'], digest: [bytes(9)] },
  },
  End: {
    clause: 'C4.43',
    body: { rounds: 0, pages: 0, usage: {}, images: [imageKey] },
    optional: ['images'],
    wrong: {
      images: [
        [],
        Array.from({ length: 17 }, () => imageKey),
        [{ id: bytes(16) }],
        [{ ...imageKey, token: bytes(16) }],
      ],
      rounds: u32s,
      pages: counts,
      usage: [{ cpuSeconds: -1 }, { cpuSeconds: 'much' }, { overheadBytes: Number.NaN }],
    },
  },
  EndAck: {
    clause: 'C4.44',
    body: { usage: {}, faults },
    optional: ['faults'],
    wrong: { usage: [{ cpuSeconds: -1 }], faults: [{}, { ...faults, count: -1 }] },
  },
  PageRequest: {
    clause: 'C4.45',
    body: { region: 0, page: 0 },
    wrong: { region: u16s, page: u32s },
  },
  CheckpointBegin: { clause: 'C4.46', body: { number: 1 }, wrong: { number: [0, 2 ** 32] } },
  CheckpointAck: { clause: 'C4.46', body: { number: 1 }, wrong: { number: [0, 2 ** 32] } },
  CheckpointEnd: {
    clause: 'C4.47',
    body: { number: 1, batches: 0, pages: 0, digest: bytes(8), pauseMs: 0, package: bytes(0) },
    wrong: { number: [0], batches: counts, pages: counts, digest: [bytes(7)], pauseMs: [-1] },
  },
}

/** One body that is to be refused with `WIRE_BODY`. */
export interface BadBody {
  readonly what: string
  readonly clause: string
  readonly type: number
  readonly body: Uint8Array
}

function encode(name: MessageName, body: object): Uint8Array {
  return encodeMessage({ name, body } as unknown as Parameters<typeof encodeMessage>[0])
}

/** Every key of a message missing, nil, of another type, and out of its range. */
export function badKeys(name: MessageName): readonly BadBody[] {
  const { clause, body, wrong = {}, optional = [] } = bodySamples[name]!
  const type = FrameType[name]
  const bad = (what: string, clauseOf: string, changed: object): BadBody => {
    return { what: `${name} ${what}`, clause: clauseOf, type, body: encode(name, changed) }
  }
  return Object.keys(body).flatMap((key) => {
    const { [key]: value, ...rest } = body
    const other = typeof value === 'object' && !Array.isArray(value) ? 7 : { a: 1 }
    return [
      ...(optional.includes(key)
        ? []
        : [
            bad(`without ${key}`, 'C4.10', rest),
            bad(`with ${key} nil`, 'C4.10', { ...body, [key]: null }),
          ]),
      bad(`with ${key} of another type`, clause, { ...body, [key]: other }),
      ...(wrong[key] ?? []).map((item, index) => {
        return bad(`with wrong ${key} ${index + 1}`, clause, { ...body, [key]: item })
      }),
    ]
  })
}

const key = (text: string): readonly number[] => [0xa0 + text.length, ...Buffer.from(text)]
const u32 = (value: number): readonly number[] => {
  return [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff]
}

/** Nested in an unknown key: `depth` arrays around a scalar. */
function nested(depth: number): readonly number[] {
  return [0x81, ...key('x'), ...Array.from({ length: depth }, () => 0x91), 0x01]
}

/** Bytes that are no map as section 4 wants it, for a message without mandatory keys. */
export const badMaps: readonly (readonly [clause: string, what: string, bytes: Uint8Array])[] = (
  [
    ['C4.1', 'an array', [0x90]],
    ['C4.1', 'nothing', []],
    ['C4.1', 'a number', [0x01]],
    ['C4.1', 'the byte that is never used', [0xc1]],
    ['C4.2', 'an extension', [0x81, ...key('x'), 0xd4, 0x01, 0x00]],
    ['C4.2', 'a timestamp', [0x81, ...key('x'), 0xd6, 0xff, 0, 0, 0, 0]],
    ['C4.3', 'a number for a key', [0x81, 0x01, 0x02]],
    ['C4.3', 'a key in depth that is a number', [0x81, ...key('x'), 0x81, 0x01, 0x02]],
    ['C4.3', '__proto__', [0x81, ...key('__proto__'), 0x80]],
    ['C4.4', 'a scalar at level 9', nested(8)],
    ['C4.5', 'too many values', [0x81, ...key('x'), 0xdd, ...u32(65_534), ...nils(65_534)]],
    ['C4.6', 'a count that the body cannot hold', [0x81, ...key('x'), 0xdd, ...u32(0xffffffff)]],
    ['C4.6', 'a string that ends too early', [0x81, ...key('x'), 0xa5, 0x41]],
    ['C4.6', 'a map that ends too early', [0x82, ...key('x'), 0x01]],
    ['C4.7', 'a byte behind the map', [0x80, 0x00]],
  ] as const
).map(([clause, what, numbers]) => [clause, what, Uint8Array.from(numbers)])

function nils(count: number): readonly number[] {
  return Array.from({ length: count }, () => 0xc0)
}

/** Legal ones: what may be there beside the keys of a message. */
export const goodMaps: readonly (readonly [what: string, bytes: Uint8Array])[] = [
  ['a key that is not listed', Uint8Array.from([0x81, ...key('later'), 0xc3])],
  ['a scalar at level 8', Uint8Array.from(nested(7))],
]

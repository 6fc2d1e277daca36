/**
 * What a record may be. Files and databases are others' to write: what is read from either is
 * checked here, so that nothing in it reaches a terminal, a path or a plan unseen.
 *
 * @module
 */
import { GodwitError, PAGE_BYTES_MAX, PAGE_BYTES_MIN, isPageBytes } from '@godwit/core'
import * as v from 'valibot'
import { NAME_PATTERN, VERSION_PATTERN } from './names.ts'
import type {
  LearningRecord,
  Lease,
  LinkRecord,
  MachineRecord,
  MapRecord,
  Pair,
  Release,
  VmRecord,
} from './records.ts'
import { VM_STATES } from './records.ts'

/** More than any machine has: 256 TiB. */
export const MEMORY_BYTES_MAX: number = 2 ** 48
/** Of an encoded map or learning state; the latter has 3 million contents at most, of 33 B each. */
export const BLOB_BYTES_MAX: number = 128 * 1024 * 1024
/** An agent that is silent for an hour is gone. */
export const LEASE_MS_MAX = 3_600_000
/** As Linux has it. */
export const PATH_LENGTH_MAX = 4096
/** A host name, a port, and `wss://`. */
export const ADDRESS_LENGTH_MAX = 300

type Schema<T> = v.GenericSchema<unknown, T>

/** What the machines of a route cost in all must still be a number. */
const amountMax = 1e12

const count = (minimum: number, maximum: number): Schema<number> =>
  v.pipe(v.number(), v.safeInteger(), v.minValue(minimum), v.maxValue(maximum))
const amount = (maximum: number): Schema<number> =>
  v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(maximum))
const time: Schema<number> = count(0, 8.64e15)
const name: Schema<string> = v.pipe(v.string(), v.regex(NAME_PATTERN, 'not a name'))
const version: Schema<string> = v.pipe(v.string(), v.regex(VERSION_PATTERN, 'not a version'))
const release: Schema<Release> = v.strictObject({ name, version })
const pageBytes: Schema<number> = v.pipe(
  count(PAGE_BYTES_MIN, PAGE_BYTES_MAX),
  v.check(isPageBytes, 'not a power of two'),
)
const path: Schema<string> = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxLength(PATH_LENGTH_MAX),
  v.check((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), 'has control characters'),
)
const address: Schema<string> = v.pipe(
  v.string(),
  v.maxLength(ADDRESS_LENGTH_MAX),
  v.regex(/^[\x21-\x7e]+$/, 'not an address'),
)
const sessionId: Schema<string> = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/, 'not a session'))
const digest: Schema<string> = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'not a SHA-256'))

const lease = {
  updatedMs: time,
  heartbeatMs: v.nullable(time),
  leaseMs: v.nullable(count(1, LEASE_MS_MAX)),
}

/** A heartbeat without a lease says nothing. */
const holdsTogether = ({ heartbeatMs, leaseMs }: Lease): boolean =>
  (heartbeatMs === null) === (leaseMs === null)

export const vmSchema: Schema<VmRecord> = v.pipe(
  v.strictObject({
    id: name,
    name,
    os: v.nullable(release),
    hypervisor: v.nullable(release),
    machine: name,
    memoryBytes: count(1, MEMORY_BYTES_MAX),
    pageBytes,
    state: v.picklist(VM_STATES),
    memoryPath: v.nullable(path),
    agent: v.nullable(name),
    session: v.nullable(sessionId),
    epoch: count(0, Number.MAX_SAFE_INTEGER - 1),
    ...lease,
  }),
  v.check((one) => holdsTogether(one), 'a heartbeat without a lease'),
  v.check((one) => one.state !== 'stored' || one.memoryPath !== null, 'stored, but nowhere'),
)

export const machineSchema: Schema<MachineRecord> = v.pipe(
  v.strictObject({
    name,
    memoryBytes: count(1, MEMORY_BYTES_MAX),
    freeBytes: count(0, MEMORY_BYTES_MAX),
    load: amount(amountMax),
    address: v.nullable(address),
    agent: v.nullable(name),
    ...lease,
  }),
  v.check((one) => holdsTogether(one), 'a heartbeat without a lease'),
)

export const linkSchema: Schema<LinkRecord> = v.strictObject({
  source: name,
  destination: name,
  cost: amount(amountMax),
  bandwidthBytesPerSecond: count(1, 1e15),
  updatedMs: time,
})

const pair = { os: release, hypervisor: release, pageBytes }
const blob = { digest, bytesLength: count(1, BLOB_BYTES_MAX), updatedMs: time }

export const pairSchema: Schema<Pair> = v.object({ os: release, hypervisor: release })

export const mapSchema: Schema<MapRecord> = v.strictObject({
  ...pair,
  version: count(1, Number.MAX_SAFE_INTEGER),
  ...blob,
})

export const learningSchema: Schema<LearningRecord> = v.strictObject({
  ...pair,
  revision: count(1, Number.MAX_SAFE_INTEGER),
  ...blob,
})

/**
 * Checks a value that came from outside.
 *
 * @param what - for the text of the error, like `line 3`
 * @throws {GodwitError} `CATALOG_ENTRY`
 */
export function checkRecord<T>(schema: Schema<T>, value: unknown, what: string): T {
  const result = v.safeParse(schema, value)
  if (result.success) return result.output
  const [issue] = result.issues
  const place = v.getDotPath(issue) ?? ''
  const field = place === '' ? '' : ` in ${place.replaceAll(/[^\w.]/g, '?').slice(0, 40)}`
  // Values are not repeated: they may be long, and hold what a terminal obeys.
  const reason = issue.message.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 100)
  throw new GodwitError('CATALOG_ENTRY', `${what} is not usable${field}: ${reason}`)
}

/**
 * From what somebody wrote (`writer,wss=64MiB`), or a peer sent, to a checked identity in which
 * every option has its value: enough to build the same guest anywhere.
 *
 * @module
 */
import { statSync } from 'node:fs'
import { formatBytes, GIB, GodwitError, type GuestIdentity, MIB } from '@godwit/core'
import { type GuestKindHelp, guestKind } from './guest-option.ts'
import { splitMemory, WORK_PAGE_BYTES, workingSetBytesMax } from './layout.ts'
import { NETWORK_PAGES_MIN } from './network.ts'
import { CACHE_PAGES_MIN } from './page-cache.ts'

const memoryBytesDefault: number = GIB
/** Of working sets; others have half of the memory, however much that is. */
const workingSetDefaults: Readonly<Record<string, number>> = {
  writer: 100 * MIB,
  kcs: 64 * MIB,
  ikcs: 64 * MIB,
  disk: 64 * MIB,
  network: 64 * MIB,
}
/** Of those that need more than one. */
const workingSetPagesMin: Readonly<Record<string, number>> = {
  cache: CACHE_PAGES_MIN,
  network: NETWORK_PAGES_MIN,
}
/** 64 TiB: more than any machine this runs on; keeps sizes and counts exact. */
const memoryBytesMax = 2 ** 46

type Options = Map<string, number | string>

/** A guest that can be started. */
export interface ParsedGuest {
  readonly identity: GuestIdentity
  readonly memoryBytes: number
}

function refuse(text: string): never {
  throw new GodwitError('GUEST_OPTION', text)
}

function optionNames(kind: GuestKindHelp): string {
  return kind.options.map((option) => option.name).join(', ')
}

function parseOption(kind: GuestKindHelp, name: string, text: string): number | string {
  const option = kind.options.find((candidate) => candidate.name === name)
  if (option === undefined) {
    refuse(`Guest ${kind.kind} has no option "${name}"; its options are ${optionNames(kind)}`)
  }
  try {
    return option.parse(text)
  } catch (error) {
    const reason = error instanceof GodwitError ? error.message : String(error)
    refuse(`Option ${name} of guest ${kind.kind} (${name}=${option.value}): ${reason}`)
  }
}

/** The default of `wss`, which depends on the size of memory. */
function workingSetDefault(kind: string, regionBytes: readonly number[]): number {
  const half = Math.floor(regionBytes.reduce((sum, bytes) => sum + bytes, 0) / 2)
  const wanted = Math.min(workingSetDefaults[kind] ?? half, half)
  return Math.max(WORK_PAGE_BYTES, Math.min(wanted, workingSetBytesMax(regionBytes)))
}

/** Whole pages, inside the last region, at least one for each thread. */
function checkWorkingSet(kind: string, options: Options, regionBytes: readonly number[]): void {
  const wanted = Number(options.get('wss') ?? workingSetDefault(kind, regionBytes))
  const wss = wanted - (wanted % WORK_PAGE_BYTES)
  const maximum = workingSetBytesMax(regionBytes)
  if (wss > maximum) {
    const where = regionBytes.length === 1 ? 'the memory' : 'the last region of memory'
    refuse(
      `Option wss of guest ${kind}: ${formatBytes(wanted)} do not fit ${where}, ` +
        `which has ${formatBytes(maximum)} in whole pages`,
    )
  }
  const threads = Number(options.get('threads') ?? 1)
  if (wss < threads * WORK_PAGE_BYTES) {
    refuse(
      `Option wss of guest ${kind}: ${formatBytes(wanted)} are less than one page of ` +
        `${WORK_PAGE_BYTES} bytes for each of ${threads} threads`,
    )
  }
  const pagesMin = workingSetPagesMin[kind] ?? 1
  if (wss < pagesMin * WORK_PAGE_BYTES) {
    refuse(`Option wss of guest ${kind}: it is ${pagesMin} pages of memory or more`)
  }
  options.set('wss', wss)
}

/**
 * Checks an identity from anywhere and fills in what it leaves out.
 *
 * @param regionBytes - the sizes of the guest's regions, in order
 * @throws {GodwitError} `GUEST_UNKNOWN`, `GUEST_OPTION`
 */
export function completeGuest(
  identity: GuestIdentity,
  regionBytes: readonly number[],
): GuestIdentity {
  const kind = guestKind(identity.kind)
  const options: Options = new Map()
  for (const [name, value] of Object.entries(identity.options)) {
    const parsed = parseOption(kind, name, String(value))
    // Only canonical values pass, so that both ends and the oracle mean the same guest.
    if (parsed !== value) {
      refuse(`Option ${name} of guest ${kind.kind} is "${value}" where ${parsed} is meant`)
    }
    options.set(name, parsed)
  }
  if (kind.kind === 'image' && !options.has('file')) refuse('Guest image needs file=FILE')
  for (const option of kind.options) {
    if (options.has(option.name) || option.name === 'wss' || option.fallback === '') continue
    options.set(option.name, option.parse(option.fallback))
  }
  if (kind.options.some((option) => option.name === 'wss')) {
    checkWorkingSet(kind.kind, options, regionBytes)
  }
  // Sorted, so that equal guests have equal identities.
  const sorted = [...options].sort(([a], [b]) => (a < b ? -1 : 1))
  return { kind: kind.kind, options: Object.fromEntries(sorted) }
}

/** Bytes of a readable regular file. @throws {GodwitError} `FILE_UNREADABLE` */
function fileBytes(path: string): number {
  let cause: unknown
  try {
    const stats = statSync(path)
    if (stats.isFile()) return stats.size
  } catch (error) {
    cause = error
  }
  const text = `There is no file "${path}" to fill memory from`
  throw new GodwitError('FILE_UNREADABLE', text, { cause })
}

function defaultMemoryBytes(kind: string, imageBytes: number): number {
  const imagePages = Math.ceil(imageBytes / WORK_PAGE_BYTES) * WORK_PAGE_BYTES
  if (kind === 'image') return Math.max(WORK_PAGE_BYTES, imagePages)
  return Math.max(memoryBytesDefault, imagePages)
}

function checkMemoryBytes(memoryBytes: number): void {
  if (!Number.isSafeInteger(memoryBytes) || memoryBytes < WORK_PAGE_BYTES) {
    throw new GodwitError('USAGE', `A guest has at least ${WORK_PAGE_BYTES} bytes of memory`)
  }
  if (memoryBytes > memoryBytesMax) {
    throw new GodwitError('USAGE', `A guest has at most ${formatBytes(memoryBytesMax)} of memory`)
  }
}

function splitOptions(kind: GuestKindHelp, parts: readonly string[]): Options {
  const options: Options = new Map()
  for (const part of parts) {
    const equals = part.indexOf('=')
    if (equals < 1) {
      refuse(
        `"${part}" is not NAME=VALUE; the options of guest ${kind.kind} are ${optionNames(kind)}`,
      )
    }
    const name = part.slice(0, equals)
    if (options.has(name)) refuse(`Option ${name} of guest ${kind.kind} is given twice`)
    options.set(name, parseOption(kind, name, part.slice(equals + 1)))
  }
  return options
}

/**
 * Reads `NAME[,key=value...]`. File names cannot contain a comma.
 *
 * @param memoryBytes - undefined: 1 GiB, or what the guest's file needs
 * @throws {GodwitError} `GUEST_UNKNOWN`, `GUEST_OPTION`, `FILE_UNREADABLE`, `USAGE`
 */
export function parseGuest(text: string, memoryBytes: number | undefined): ParsedGuest {
  const [name = '', ...parts] = text.split(',')
  const kind = guestKind(name)
  const options = splitOptions(kind, parts)
  const file = options.get('file')
  const imageBytes = file === undefined ? 0 : fileBytes(String(file))
  const bytes = memoryBytes ?? defaultMemoryBytes(kind.kind, imageBytes)
  checkMemoryBytes(bytes)
  if (imageBytes > bytes) {
    refuse(
      `"${file}" has ${formatBytes(imageBytes)} and the guest only ` +
        `${formatBytes(bytes)} of memory; give it more`,
    )
  }
  const regionBytes = splitMemory(bytes).map((region) => region.byteLength)
  const given = { kind: kind.kind, options: Object.fromEntries(options) }
  return { identity: completeGuest(given, regionBytes), memoryBytes: bytes }
}

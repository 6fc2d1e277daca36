/**
 * The delta kernel on its own: pages in which one counter changed, in more memory than a cache has
 * room for.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { MIB } from '@godwit/core'
import { fillContent } from '@godwit/guest'
import type { Kernels } from '@godwit/kernels'
import { createKernels, KERNELS_WASM_URL } from '@godwit/kernels'
import type { Case } from '../result.ts'
import { toCase } from '../result.ts'
import { secondsPerCall } from './rate.ts'

const pageBytes = 4096
/** Of older versions, and as much of newer ones. */
const versionBytes = 16 * MIB
const counterBytes = 8
const lineBytes = 64
const linesPerPage = pageBytes / lineBytes
/** Where a page's delta lies; it is shorter. */
const slotBytes = 32
const encodeBar = 8e9
const decodeBar = 2e9

/** Two versions of memory, and what makes one the other. */
interface Versions {
  readonly kernels: Kernels
  readonly older: number
  readonly newer: number
  readonly pageCount: number
  /** Deltas, {@link slotBytes} apart, and the length of each. */
  readonly forward: number
  readonly backward: number
  readonly forwardLengths: Uint32Array
  readonly backwardLengths: Uint32Array
}

/** Measures it `repeat` times, each for twice `sampleMs`. @throws when what is decoded is wrong */
export function measureDeltas(
  repeat: number,
  sampleMs: number,
  bytesEach: number = versionBytes,
): Case[] {
  const versions = createVersions(bytesEach)
  const encodes: number[] = []
  const decodes: number[] = []
  encodeAll(versions, 'forward')
  encodeAll(versions, 'backward')
  checkDecoding(versions)
  for (let i = 0; i < repeat; i++) {
    encodes.push(bytesEach / secondsPerCall(sampleMs, () => encodeAll(versions, 'forward')))
  }
  // From here on the older version is neither.
  let turn = 0
  for (let i = 0; i < repeat; i++) {
    decodes.push(bytesEach / secondsPerCall(sampleMs, () => decodeTurn(versions, turn++)))
  }
  const deltas = `delta kernel, ${versions.kernels.active}`
  const facts = { name: deltas, unit: 'bytes/s' } as const
  const [encoded, decoded] = ['encode, page bytes', 'decode in place, page bytes'] as const
  return [
    toCase({ ...facts, metric: encoded, values: encodes, bar: { op: '>=', value: encodeBar } }),
    toCase({ ...facts, metric: decoded, values: decodes, bar: { op: '>=', value: decodeBar } }),
  ]
}

/** The newer version has another counter in every page. */
function createVersions(bytesEach: number): Versions {
  const pageCount = bytesEach / pageBytes
  const memoryBytes = 2 * (bytesEach + pageCount * slotBytes) + MIB
  const kernels = createKernels({ wasm: readFileSync(KERNELS_WASM_URL), memoryBytes })
  const [older, newer] = [0, 1].map(() => kernels.allocate(bytesEach, pageBytes))
  const [forward, backward] = [0, 1].map(() => kernels.allocate(pageCount * slotBytes, lineBytes))
  const { bytes } = kernels
  const mix = { zero: 0, text: 0, heap: 0, random: 100 }
  fillContent(bytes.subarray(older!, older! + bytesEach), { mix, seed: 1 })
  bytes.copyWithin(newer!, older!, older! + bytesEach)
  for (let page = 0; page < pageCount; page++) {
    // Of pages in a row, as many as a page has lines have each in another one.
    const line = (page * 7) % linesPerPage
    const at = newer! + page * pageBytes + line * lineBytes
    for (let i = at; i < at + counterBytes; i++) bytes[i] = bytes[i]! ^ 0xff
  }
  return {
    kernels,
    older: older!,
    newer: newer!,
    pageCount,
    forward: forward!,
    backward: backward!,
    forwardLengths: new Uint32Array(pageCount),
    backwardLengths: new Uint32Array(pageCount),
  }
}

/** Encodes every page into its slot. */
function encodeAll(versions: Versions, direction: 'forward' | 'backward'): void {
  const { kernels, older, newer, pageCount } = versions
  const isForward = direction === 'forward'
  const [base, next] = isForward ? [older, newer] : [newer, older]
  const slots = versions[direction]
  const lengths = isForward ? versions.forwardLengths : versions.backwardLengths
  for (let page = 0; page < pageCount; page++) {
    const at = page * pageBytes
    const out = slots + page * slotBytes
    lengths[page] = kernels.encodeDelta(base + at, next + at, pageBytes, out, slotBytes)
  }
}

/**
 * Applies to every page the delta of another one, which differs from turn to turn: 64 turns store
 * to every cache line, and the next 64 store other bytes there.
 */
function decodeTurn(versions: Versions, turn: number): void {
  const { kernels, older, pageCount } = versions
  const isForward = ((turn / linesPerPage) & 1) === 0
  const slots = isForward ? versions.forward : versions.backward
  const lengths = isForward ? versions.forwardLengths : versions.backwardLengths
  let stored = 0
  for (let page = 0; page < pageCount; page++) {
    const from = (page + turn) % linesPerPage
    const delta = slots + from * slotBytes
    stored += kernels.decodeDelta(older + page * pageBytes, pageBytes, delta, lengths[from]!)
  }
  checkStored(stored, pageCount)
}

/** That deltas make one version the other, and back. */
function checkDecoding(versions: Versions): void {
  const { kernels, older, newer, pageCount } = versions
  const original = kernels.bytes.slice(older, older + pageCount * pageBytes)
  const areEqual = (at: number, expected: Uint8Array): boolean =>
    Buffer.compare(kernels.bytes.subarray(at, at + expected.length), expected) === 0
  decodeAll(versions, versions.forward, versions.forwardLengths)
  const isNewer = areEqual(newer, kernels.bytes.subarray(older, older + original.length))
  decodeAll(versions, versions.backward, versions.backwardLengths)
  if (!(isNewer && areEqual(older, original))) throw new Error('deltas are wrong')
}

function decodeAll(versions: Versions, slots: number, lengths: Uint32Array): void {
  const { kernels, older, pageCount } = versions
  let stored = 0
  for (let page = 0; page < pageCount; page++) {
    const delta = slots + page * slotBytes
    stored += kernels.decodeDelta(older + page * pageBytes, pageBytes, delta, lengths[page]!)
  }
  checkStored(stored, pageCount)
}

function checkStored(stored: number, pageCount: number): void {
  if (stored !== pageCount * counterBytes) throw new Error(`deltas stored ${stored} bytes`)
}

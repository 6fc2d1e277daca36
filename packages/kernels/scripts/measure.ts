/**
 * Nanoseconds per 4 KiB page of every kernel and its twin: `node scripts/measure.ts`.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import type { Kernels } from '../src/index.ts'
import { createKernels, KERNELS_WASM_URL } from '../src/index.ts'

const pageBytes = 4096
const pageCount = 64
const batchBytes = pageCount * pageBytes
const turnedBytes = 512 << 10
const coldBytes = 16 << 20
const samples = 15
const sampleMs = 20

/** Median over several samples, each of as many calls as take {@link sampleMs}. */
function measure(pagesPerCall: number, call: () => void): number {
  const warmUntil = performance.now() + 150
  let calls = 0
  while (performance.now() < warmUntil) {
    call()
    calls++
  }
  const callsPerSample = Math.max(1, Math.round((calls * sampleMs) / 150))
  const times = Array.from({ length: samples }, () => {
    const start = performance.now()
    for (let i = 0; i < callsPerSample; i++) call()
    return ((performance.now() - start) * 1e6) / (callsPerSample * pagesPerCall)
  })
  return times.sort((a, b) => a - b)[samples >> 1]!
}

function fillWithNoise(bytes: Uint8Array): void {
  let x = 1
  for (let i = 0; i < bytes.length; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0
    bytes[i] = x >>> 24
  }
}

function measureHashes(kernels: Kernels): Record<string, number> {
  const { bytes } = kernels
  const zeros = kernels.allocate(batchBytes, 4096)
  const noise = kernels.allocate(batchBytes, 4096)
  const mixed = kernels.allocate(batchBytes, 4096)
  fillWithNoise(bytes.subarray(noise, noise + batchBytes))
  for (let page = 0; page < pageCount; page++) {
    if (page % 5 < 2) continue
    bytes.copyWithin(mixed + page * pageBytes, noise, noise + pageBytes)
  }
  const [flags, a, b] = [0, 1, 2].map(() => kernels.allocate(pageCount * 8, 64))
  const keyA = kernels.createKey(1n)
  const keyB = kernels.createKey(2n)
  const live = new Uint8Array(new SharedArrayBuffer(batchBytes))
  fillWithNoise(live)
  const of64 = (call: () => void): number => measure(pageCount, call)
  return {
    'zero test, zero pages': of64(() => kernels.zeroRun(zeros, pageBytes, pageCount)),
    'fingerprint, 1 seed': of64(() => kernels.hashPages(noise, batchBytes, pageBytes, keyA, a!)),
    'fingerprint, 2 passes': of64(() => {
      kernels.hashPages(noise, batchBytes, pageBytes, keyA, a!)
      kernels.hashPages(noise, batchBytes, pageBytes, keyB, b!)
    }),
    'fingerprint, 2 seeds': of64(() => {
      kernels.hashPages2(noise, batchBytes, pageBytes, keyA, a!, keyB, b!)
    }),
    'pack, no zero pages': of64(() => {
      kernels.pack(noise, batchBytes, pageBytes, flags!, keyA, a!)
    }),
    'pack, 40 % zero pages': of64(() => {
      kernels.pack(mixed, batchBytes, pageBytes, flags!, keyA, a!)
    }),
    'pack, 40 % zero, 2 seeds': of64(() => {
      kernels.pack(mixed, batchBytes, pageBytes, flags!, keyA, a!, keyB, b!)
    }),
    'copy from shared memory': of64(() => bytes.set(live, noise)),
  }
}

function measureDeltas(kernels: Kernels): Record<string, number> {
  const { bytes } = kernels
  const [base, sparse, dense, out] = [0, 1, 2, 3].map(() => kernels.allocate(8192, 4096))
  fillWithNoise(bytes.subarray(base, base! + pageBytes))
  bytes.copyWithin(sparse!, base!, base! + pageBytes)
  bytes.copyWithin(dense!, base!, base! + pageBytes)
  // Eight stores of 8 bytes; every second block of 32 bytes.
  for (let i = 0; i < 8; i++) bytes.fill(i, sparse! + i * 500, sparse! + i * 500 + 8)
  for (let i = 0; i < pageBytes; i += 64) bytes.fill(i >> 6, dense! + i, dense! + i + 32)
  const encode = (next: number) => () => kernels.encodeDelta(base!, next, pageBytes, out!, 8192)
  const decode = (deltaBytes: number) => () =>
    kernels.decodeDelta(base!, pageBytes, out!, deltaBytes)
  const encodeSparse = measure(1, encode(sparse!))
  const encodeDense = measure(1, encode(dense!))
  const original = bytes.slice(base, base! + pageBytes)
  const denseBytes = encode(dense!)()
  const decodeDense = measure(1, decode(denseBytes))
  bytes.set(original, base)
  const sparseBytes = encode(sparse!)()
  const decodeSparse = measure(1, decode(sparseBytes))
  return {
    [`delta encode, sparse (${sparseBytes} bytes)`]: encodeSparse,
    [`delta encode, dense (${denseBytes} bytes)`]: encodeDense,
    'delta decode, sparse': decodeSparse,
    'delta decode, dense': decodeDense,
  }
}

/** Columns a power of two apart, which is the worst for caches. */
function measurePages(kernels: Kernels): Record<string, number> {
  const [input, out] = [0, 1].map(() => kernels.allocate(turnedBytes, 4096)) as [number, number]
  fillWithNoise(kernels.bytes.subarray(input, input + turnedBytes))
  const turnedPages = turnedBytes / pageBytes
  const turns = [8, 16, 32, 64].flatMap((stride) => [
    [
      `transpose 512 KiB, stride ${stride}`,
      measure(turnedPages, () => kernels.transpose(input, turnedBytes, stride, out)),
    ],
    [
      `untranspose 512 KiB, stride ${stride}`,
      measure(turnedPages, () => kernels.untranspose(input, turnedBytes, stride, out)),
    ],
  ])
  return {
    classify: measure(pageCount, () => kernels.classify(input, batchBytes, pageBytes, out)),
    'features, a call per page': measure(1, () => kernels.features(input, pageBytes, out)),
    ...(Object.fromEntries(turns) as Record<string, number>),
  }
}

/** A counter of 8 bytes, or three of them, in every page of more memory than fits a cache. */
function measureCounters(kernels: Kernels, counters: number): Record<string, number> {
  const { bytes } = kernels
  const [bases, pages] = [0, 1].map(() => kernels.allocate(coldBytes, 4096)) as [number, number]
  const deltas = kernels.allocate(64 * pageBytes)
  fillWithNoise(bytes.subarray(bases, bases + coldBytes))
  bytes.copyWithin(pages, bases, bases + coldBytes)
  for (let at = pages; at < pages + coldBytes; at += pageBytes) {
    // Another cache line in every page.
    const first = (((at / pageBytes) * 7) % 16) * 64
    for (let i = 0; i < counters * 8; i++) {
      const place = at + first + (i >> 3) * 1344 + (i & 7)
      bytes[place] = bytes[place]! ^ 0xff
    }
  }
  const coldPages = coldBytes / pageBytes
  const encodeOver = (pageCount: number): number =>
    measure(pageCount, () => {
      for (let at = 0; at < pageCount * pageBytes; at += pageBytes) {
        kernels.encodeDelta(bases + at, pages + at, pageBytes, deltas, pageBytes)
      }
    })
  const cold = encodeOver(coldPages)
  const warm = encodeOver(4)
  const lengths = Array.from({ length: 64 }, (_, i) => {
    const at = i * pageBytes
    return kernels.encodeDelta(bases + at, pages + at, pageBytes, deltas + at, pageBytes)
  })
  let turn = 0
  const decode = measure(coldPages, () => {
    // In every turn, another page's delta, so that all lines are stored to before the first again.
    turn++
    for (let page = 0; page < coldPages; page++) {
      const i = (page + turn) & 63
      kernels.decodeDelta(bases + page * pageBytes, pageBytes, deltas + i * pageBytes, lengths[i]!)
    }
  })
  return {
    [`delta encode, ${counters} x 8 bytes, in cache`]: warm,
    [`delta encode, ${counters} x 8 bytes, 32 MiB`]: cold,
    [`delta decode, ${counters} x 8 bytes, 16 MiB`]: decode,
  }
}

const wasm = readFileSync(KERNELS_WASM_URL)
const [simd, twin] = [wasm, undefined].map((one) => {
  const kernels = createKernels({ wasm: one, memoryBytes: 80 << 20 })
  return {
    ...measureHashes(kernels),
    ...measurePages(kernels),
    ...measureDeltas(kernels),
    ...measureCounters(kernels, 1),
    ...measureCounters(kernels, 3),
  }
})
console.log(`ns per page of ${pageBytes} bytes`.padEnd(40), 'simd'.padStart(8), 'twin'.padStart(8))
for (const [name, time] of Object.entries(simd!)) {
  const times = [time, twin![name]!].map((one) => one.toFixed(0).padStart(8))
  console.log(name.padEnd(40), ...times)
}

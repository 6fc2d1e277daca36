import { readFileSync } from 'node:fs'
import { LimitError } from '@godwit/core'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { WasmMemory } from './index.ts'
import {
  createKernels,
  createKernelsOver,
  KERNELS_SHARED_WASM_URL,
  KERNELS_WASM_URL,
} from './index.ts'

interface Namespace {
  Module: new (bytes: Uint8Array) => object
  Memory: new (shape: { initial: number; maximum: number; shared: boolean }) => WasmMemory
}
const { WebAssembly: wasmApi } = globalThis as unknown as { WebAssembly: Namespace }

const wasm = readFileSync(KERNELS_WASM_URL)
const sharedWasm = readFileSync(KERNELS_SHARED_WASM_URL)
const memoryBytes = 1 << 17

afterEach(() => {
  vi.unstubAllGlobals()
})

describe('createKernels', () => {
  it('takes bytes or a compiled module, and says what runs', () => {
    expect(createKernels({ wasm, memoryBytes }).active).toBe('simd')
    expect(createKernels({ wasm: new wasmApi.Module(wasm), memoryBytes }).active).toBe('simd')
    expect(createKernels({ memoryBytes }).active).toBe('typescript')
  })

  it('falls back where the binary does not compile, or there is no WebAssembly', () => {
    expect(createKernels({ wasm: wasm.subarray(0, 50), memoryBytes }).active).toBe('typescript')
    vi.stubGlobal('WebAssembly', undefined)
    expect(createKernels({ wasm, memoryBytes }).active).toBe('typescript')
  })

  it.each([wasm, undefined])('hands out memory until there is none %#', (one) => {
    const kernels = createKernels({ wasm: one, memoryBytes: 65537 })
    expect(kernels.bytes.length).toBe(131072)
    const first = kernels.allocate(1)
    expect(first).toBeGreaterThan(0)
    expect(kernels.allocate(8, 4096) % 4096).toBe(0)
    const { freeBytes } = kernels
    expect(() => kernels.allocate(freeBytes + 1, 1)).toThrow(LimitError)
    kernels.allocate(freeBytes, 1)
    expect(kernels.freeBytes).toBe(0)
    expect(() => kernels.createKey(1n)).toThrow(LimitError)
  })

  it('reports memory that the machine refuses', () => {
    expect(() => createKernels({ wasm, memoryBytes: 2 ** 40 })).toThrow(LimitError)
    expect(() => createKernels({ memoryBytes: 2 ** 52 })).toThrow(LimitError)
  })

  it.each([wasm, undefined])('refuses offsets outside the memory %#', (one) => {
    const kernels = createKernels({ wasm: one, memoryBytes })
    const key = kernels.createKey(0n)
    expect(() => kernels.isZero(memoryBytes - 1, 2)).toThrow(RangeError)
    expect(() => kernels.zeroRun(-1, 1, 1)).toThrow(RangeError)
    expect(() => kernels.hash(0, 8, key, memoryBytes - 7)).toThrow(RangeError)
    expect(() => kernels.hashPages(0, memoryBytes + 1, 4096, key, 0)).toThrow(RangeError)
    expect(() => kernels.decodeDelta(0, 4096, memoryBytes, 1)).toThrow(RangeError)
    expect(() => kernels.encodeDelta(0, 4096, Number.NaN, 0, 1)).toThrow(RangeError)
  })
})

it.each([wasm, undefined])('nothing beyond the bytes in question is read %#', (one) => {
  const kernels = createKernels({ wasm: one, memoryBytes })
  const key = kernels.createKey(0n)
  const out = kernels.allocate(8)
  const outs = kernels.allocate(16 * 8)
  for (const length of [...Array(300).keys(), 1024, 1025, 4096, 65536]) {
    const at = memoryBytes - length
    kernels.hash(at, length, key, out)
    kernels.hashPages(at, length, 4096, key, outs)
    kernels.hashPages2(at, length, 4096, key, outs, key, outs)
    expect(kernels.isZero(at, length)).toBe(true)
    expect(kernels.encodeDelta(at, at, length, out, 8)).toBe(0)
  }
})

describe('createKernelsOver', () => {
  it.each([sharedWasm, undefined])(
    'reads a shared guest in place, writes its scratch only %#',
    (one) => {
      const memory = new wasmApi.Memory({ initial: 3, maximum: 3, shared: true })
      const guest = new Uint8Array(memory.buffer, 0, 131072)
      for (let i = 0; i < guest.length; i++) guest[i] = Math.imul(i, 0x9e3779b1) >>> 24
      const before = guest.slice()
      const over = createKernelsOver({
        wasm: one,
        memory,
        scratchStart: guest.length,
        scratchEnd: guest.length + 4096,
      })
      expect(over.active).toBe(one === undefined ? 'typescript' : 'simd')
      const key = over.createKey(77n)
      const out = over.allocate(32 * 8)
      over.hashPages(0, guest.length, 4096, key, out)
      const own = createKernels({ wasm, memoryBytes: 1 << 18 })
      const copy = own.allocate(guest.length)
      const ownOut = own.allocate(32 * 8)
      own.bytes.set(guest, copy)
      own.hashPages(copy, guest.length, 4096, own.createKey(77n), ownOut)
      expect(over.bytes.slice(out, out + 256)).toEqual(own.bytes.slice(ownOut, ownOut + 256))
      expect(guest).toEqual(new Uint8Array(before))
      expect(() => over.allocate(4096)).toThrow(LimitError)
    },
  )
})

import { Workspace, createPrimitives } from '@godwit/codec'
import { FingerprintTable } from '@godwit/core'
import {
  BATCH_HEADER_BYTES,
  ENTRY_BYTES,
  PageEncoding,
  u64FromBytes,
  u64ToBytes,
  writeBatchEntry,
  writeBatchHeader,
} from '@godwit/wire'
import { beforeEach, describe, expect, it } from 'vitest'
import { CheckpointStore } from './checkpoint-store.ts'

const primitives = await createPrimitives()
const pageBytes = 4096
const pageCount = 5
/** The last page is short. */
const tailBytes = 100
const seed = new Uint8Array(8)
const hasher = new Workspace(primitives, 0).createHasher('xxh3', seed)

let memory: Uint8Array
let store: CheckpointStore

beforeEach(() => {
  memory = new Uint8Array((pageCount - 1) * pageBytes + tailBytes).fill(7)
  store = new CheckpointStore({
    regions: [{ id: 3, name: 'ram', bytes: memory }],
    pageBytes,
    primitives,
    createHasher: (workspace) => workspace.createHasher('xxh3', seed),
  })
})

interface Fields {
  readonly round?: number
  readonly region?: number
  readonly encoding?: PageEncoding
  readonly compression?: 0 | 1
  readonly digest?: bigint
}

/** One page full of `value`, or zero pages, or something that is wrong. */
function batch(page: number, value: number, fields: Fields = {}): Uint8Array {
  const { round = 1, region = 3, compression = 0 } = fields
  const { encoding = value === 0 ? PageEncoding.Zero : PageEncoding.Raw } = fields
  const length = page === pageCount - 1 ? tailBytes : pageBytes
  const payloadBytes = encoding === PageEncoding.Zero ? 0 : length
  const body = new Uint8Array(BATCH_HEADER_BYTES + ENTRY_BYTES + payloadBytes).fill(value)
  const view = new DataView(body.buffer)
  const digest = fields.digest ?? digestOf(body.subarray(BATCH_HEADER_BYTES + ENTRY_BYTES))
  const sizes = { payloadBytes, decodedBytes: payloadBytes }
  const header = { round, region, entryCount: 1, compression, stride: 0, digest, ...sizes }
  writeBatchHeader(view, 0, header)
  writeBatchEntry(view, BATCH_HEADER_BYTES, 0, page, 1, encoding, payloadBytes)
  return body
}

function digestOf(page: Uint8Array): bigint {
  if (page.length === 0) return 0n
  const fingerprints = new FingerprintTable(1, hasher.entryBytes)
  hasher.hashPages(page, 0, page.length, pageBytes, fingerprints, 0)
  return u64FromBytes(hasher.digest(fingerprints.bytes))
}

function end(number: number, pages: number, digest: bigint): void {
  const sums = { batches: pages, pages, digest: u64ToBytes(digest), pauseMs: 0 }
  store.end({ number, ...sums, package: Uint8Array.of(number) })
}

/** A whole checkpoint of pages full of one value. */
function take(number: number, pages: readonly (readonly [page: number, value: number])[]): void {
  store.begin(number, number * 10)
  let sum = 0n
  for (const [page, value] of pages) {
    const body = batch(page, value, { round: number })
    sum += digestOf(body.subarray(BATCH_HEADER_BYTES + ENTRY_BYTES))
    store.add(body)
  }
  end(number, pages.length, BigInt.asUintN(64, sum))
}

const values = (): number[] => Array.from({ length: pageCount }, (_, i) => memory[i * pageBytes]!)
const failing = (code: string) => expect.objectContaining({ code })

describe('the store of checkpoints', () => {
  it('puts the pages that came last in place, and not before it is told', () => {
    take(1, [
      [0, 1],
      [1, 2],
    ])
    take(4, [
      [1, 3],
      [2, 0],
      [4, 9],
    ])
    take(5, [[0, 0]])
    expect(values()).toEqual([7, 7, 7, 7, 7])
    store.restore()
    expect(values()).toEqual([0, 3, 0, 7, 9])
    expect(store.last).toEqual({ number: 5, atMs: 50, package: Uint8Array.of(5) })
  })

  it('keeps nothing of one that was not whole, whatever is begun after it', () => {
    take(1, [[0, 1]])
    store.begin(2, 20)
    store.add(batch(0, 5, { round: 2 }))
    store.add(batch(3, 5, { round: 2 }))
    store.drop()
    expect(store.last).toMatchObject({ number: 1 })
    take(3, [[1, 2]])
    store.restore()
    expect(values()).toEqual([1, 2, 7, 7, 7])
  })

  it.each([
    ['behind the region', batch(pageCount, 0), 'CODEC_PAGE_RANGE'],
    ['of another region', batch(0, 1, { region: 4 }), 'CODEC_PAGE_RANGE'],
    ['of another checkpoint', batch(0, 1, { round: 2 }), 'PROTOCOL_STATE'],
    ['that are not those that were sent', batch(0, 1, { digest: 1n }), 'CODEC_DIGEST'],
    ['as a delta', batch(0, 1, { encoding: PageEncoding.Delta }), 'CODEC_ENCODING'],
    ['compressed', batch(0, 1, { compression: 1 }), 'CODEC_ENCODING'],
    ['of no batch', new Uint8Array(5), 'CODEC_BATCH'],
  ])('refuses pages %s', (_, body, code) => {
    store.begin(1, 0)
    expect(() => store.add(body)).toThrow(failing(code))
    expect(store.last).toBeUndefined()
  })

  it('refuses a page that comes twice', () => {
    store.begin(1, 0)
    store.add(batch(2, 1))
    expect(() => store.add(batch(2, 1))).toThrow(failing('PROTOCOL_STATE'))
    expect(() => store.add(batch(2, 0))).toThrow(failing('PROTOCOL_STATE'))
  })

  it.each([
    ['more pages', 2, 0n],
    ['fewer pages', 0, 0n],
    ['another digest', 1, 5n],
  ])('refuses an end with %s', (_, pages, digest) => {
    store.begin(1, 0)
    store.add(batch(2, 0))
    expect(() => end(1, pages, digest)).toThrow(failing('PROTOCOL_TOTALS'))
    expect(store.last).toBeUndefined()
  })

  it('refuses what is out of turn', () => {
    expect(() => store.add(batch(0, 1))).toThrow(failing('PROTOCOL_STATE'))
    expect(() => end(1, 0, 0n)).toThrow(failing('PROTOCOL_STATE'))
    store.begin(2, 0)
    expect(() => store.begin(3, 0)).toThrow(failing('PROTOCOL_STATE'))
    expect(() => end(3, 0, 0n)).toThrow(failing('PROTOCOL_STATE'))
    end(2, 0, 0n)
    for (const number of [1, 2]) {
      expect(() => store.begin(number, 0)).toThrow(failing('PROTOCOL_STATE'))
    }
  })
})

import { expect, test } from 'vitest'
import { releaseChunk } from './release-chunk.ts'

test('a chunk that has its buffer for itself is released', () => {
  const chunk = Buffer.from(new ArrayBuffer(65536))
  releaseChunk(chunk)
  expect(chunk.buffer.byteLength).toBe(0)
})

test('a chunk that shares its buffer leaves it alone', () => {
  const shared = new ArrayBuffer(100)
  releaseChunk(Buffer.from(shared, 0, 50))
  releaseChunk(Buffer.from(shared, 50, 50))
  releaseChunk(Buffer.alloc(0))
  releaseChunk(Buffer.from('small enough for the pool of Node'))
  expect(shared.byteLength).toBe(100)
  expect(Buffer.from('the pool').toString()).toBe('the pool')
})

import { expect, test } from 'vitest'
import { packState, unpackState } from './state-package.ts'

const state = packState('file', [Uint8Array.of(1, 2), Uint8Array.of(), Uint8Array.of(3)])
const refused = expect.objectContaining({ code: 'PROTOCOL_STATE' })

test('a package is a line, a length and what QEMU told', () => {
  const head = new TextEncoder().encode('godwit qemu file 1\n')
  expect([...state]).toEqual([...head, 0, 0, 0, 3, 1, 2, 3])
  expect([...unpackState('file', state)]).toEqual([1, 2, 3])
})

test('a package may lie anywhere', () => {
  const apart = new Uint8Array(state.length + 9)
  apart.set(state, 5)
  expect([...unpackState('file', apart.subarray(5, 5 + state.length))]).toEqual([1, 2, 3])
})

test('what is not whole is refused, wherever it ends', () => {
  for (let end = 0; end < state.length; end++) {
    expect(() => unpackState('file', state.subarray(0, end))).toThrow(refused)
  }
  expect(() => unpackState('file', Uint8Array.of(...state, 0))).toThrow(refused)
})

test('a package of the other kind is refused, and one of another version', () => {
  expect(() => unpackState('stream', state)).toThrow(refused)
  const next = Uint8Array.from(state)
  next['godwit qemu file '.length] = '2'.charCodeAt(0)
  expect(() => unpackState('file', next)).toThrow(refused)
})

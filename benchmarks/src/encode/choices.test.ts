import { expect, it } from 'vitest'
import { AUTO, choicesOf, FIXED_CHOICES, linkParts } from './choices.ts'

it('each repeat has all choices once, and begins with another', () => {
  const repeats = Array.from({ length: FIXED_CHOICES.length + 1 }, (_, i) => choicesOf(i))
  for (const choices of repeats) expect(new Set(choices)).toEqual(new Set([...FIXED_CHOICES, AUTO]))
  for (const choices of repeats) expect(choices).toHaveLength(FIXED_CHOICES.length + 1)
  expect(new Set(repeats.map(([first]) => first)).size).toBe(repeats.length)
  expect(choicesOf(repeats.length)).toEqual(repeats[0])
})

it('guests that write move over links that are fast enough for them', () => {
  const guests = linkParts(false).map(({ name, guests }) => [name, guests.map((one) => one.name)])
  expect(Object.fromEntries(guests)).toEqual({
    '100mbit': ['idle'],
    '1gbit': ['idle', 'writer'],
    loopback: ['idle', 'writer'],
  })
})

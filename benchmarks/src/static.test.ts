import { expect, it } from 'vitest'
import { chooseParts, staticPages } from './static.ts'

it('picks parts by name, all of them when none is named', () => {
  expect(chooseParts(['nothing']).map(({ name }) => name)).toEqual(['nothing'])
  expect(chooseParts(undefined).map(({ name }) => name)).toContain('off-100mbit')
  expect(() => chooseParts(['siblings'])).toThrow(/not a part of static; there are on-1gbit/)
})

it('measures nothing without images', async () => {
  const asked = { quick: true, repeat: 1, only: ['on-1gbit'], godwit: [], say: () => {} }
  await expect(staticPages.run(asked)).rejects.toThrow(/which images|superuser|packages/i)
})

import { expect, it } from 'vitest'
import { staleFolders } from './process.ts'

it('folders of processes that are gone are stale, and no others', () => {
  const names = ['godwit-bench-7-x', 'godwit-bench-8-x', 'godwit-bench-x', 'other-7-x']
  expect(staleFolders(names, (pid) => pid === 8)).toEqual(['godwit-bench-7-x'])
})

import { Command } from 'commander'
import { expect, it } from 'vitest'
import { addNames } from './name-list.ts'

it.each([
  [['--only', 'a'], ['a']],
  [
    ['--only', 'a,b'],
    ['a', 'b'],
  ],
  [
    ['--only', 'a', '--only', 'b,c'],
    ['a', 'b', 'c'],
  ],
  [[], undefined],
])('%j are %j', (words, names) => {
  const command = new Command().option('--only <NAMES>', 'some', addNames)
  expect(command.parse(words, { from: 'user' }).opts()['only']).toEqual(names)
})

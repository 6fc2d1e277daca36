import { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { commandGroups, groupsFor } from './command-groups.ts'

describe('groups of commands', () => {
  it.each(commandGroups.map((group) => [group.names.join(), group] as const))(
    'load what they say: %s',
    async (_, { names, load }) => {
      const program = new Command()
      const add = await load()
      add(program, () => {})
      expect(program.commands.map((command) => command.name()).toSorted()).toEqual(names.toSorted())
    },
  )

  it('are one for a command, and all for anything else', () => {
    expect(groupsFor('set')).toEqual([commandGroups.find(({ names }) => names.includes('set'))])
    for (const other of [undefined, '--help', 'sned', 'help']) {
      expect(groupsFor(other)).toBe(commandGroups)
    }
  })
})

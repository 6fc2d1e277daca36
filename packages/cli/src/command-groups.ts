/**
 * The commands, each group in modules of its own, which are loaded when one of it is called: the
 * first line of `godwit send` does not wait for a benchmark's code.
 *
 * @module
 */
import type { Command } from 'commander'
import type { ExitCode } from './exit-code.ts'

/** Adds commands to a program. @param finish - told what to exit with */
export type AddCommands = (program: Command, finish: (code: ExitCode) => void) => void

export interface CommandGroup {
  readonly names: readonly string[]
  readonly load: () => Promise<AddCommands>
}

/** In the order of the help. */
export const commandGroups: readonly CommandGroup[] = [
  { names: ['send'], load: async () => (await import('./send-command.ts')).addSendCommand },
  {
    names: ['receive'],
    load: async () => (await import('./receive-command.ts')).addReceiveCommand,
  },
  { names: ['agent'], load: async () => (await import('./agent-command.ts')).addAgentCommand },
  {
    names: ['run', 'migrate', 'ls', 'stop'],
    load: async () => (await import('./guest-commands.ts')).addGuestCommands,
  },
  { names: ['demo'], load: async () => (await import('./demo-command.ts')).addDemoCommand },
  {
    names: ['status', 'switch', 'cancel', 'set', 'recover'],
    load: async () => (await import('./control-commands.ts')).addControlCommands,
  },
  {
    names: ['explain', 'verify'],
    load: async () => (await import('./capture-commands.ts')).addCaptureCommands,
  },
  { names: ['relay'], load: async () => (await import('./relay-command.ts')).addRelayCommand },
  {
    names: ['traffic'],
    load: async () => (await import('./traffic-command.ts')).addTrafficCommand,
  },
  {
    names: ['catalog'],
    load: async () => (await import('./catalog-commands.ts')).addCatalogCommands,
  },
  { names: ['report'], load: async () => (await import('./report-command.ts')).addReportCommand },
  { names: ['bench'], load: async () => (await import('./bench-command.ts')).addBenchCommand },
  {
    names: ['conformance'],
    load: async () => (await import('./conformance-command.ts')).addConformanceCommand,
  },
]

/** The group that `name` belongs to; all of them for what is no command: help, or a mistake. */
export function groupsFor(name: string | undefined): readonly CommandGroup[] {
  const group = commandGroups.find(({ names }) => name !== undefined && names.includes(name))
  return group === undefined ? commandGroups : [group]
}

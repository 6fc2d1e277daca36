/**
 * The command line: commands, help, and what an error looks like.
 *
 * @module
 */
import { GodwitError, toGodwitError } from '@godwit/core'
import { Command, CommanderError } from 'commander'
import { groupsFor } from './command-groups.ts'
import type { ExitCode } from './exit-code.ts'
import { ExitCode as Exit, exitCodeOfError } from './exit-code.ts'
import { formatError, note } from './output.ts'

const description = `Live migration of running guests over TCP.

Start a destination, then move a guest to it:
  godwit receive --listen 127.0.0.1:7000
  godwit send writer,wss=100MiB --to 127.0.0.1:7000`

const exitCodes = `
Exit codes: 0 done; 1 failed, the guest still runs at the source; 2 usage; 3 cancelled;
4 ownership in doubt; 5 at the destination, but verification failed; 6 given up in post-copy;
7 taken over: the guest goes on at the source from an older state; 8 the guest died with the process
that held it. docs/ERRORS.md tells more.`

/** Runs one command line and tells what to exit with. Never throws. */
export async function runProgram(args: readonly string[]): Promise<ExitCode> {
  let exitCode: ExitCode = Exit.Done
  const finish = (code: ExitCode): void => {
    exitCode = code
  }
  const program = new Command('godwit')
    .description(description)
    .version('0.1.0')
    // An option belongs to the command that it stands behind.
    .enablePositionalOptions()
    .addHelpText('after', exitCodes)
  let refusing = program
  for (const { load } of groupsFor(args[0])) (await load())(program, finish)
  for (const command of everyCommand(program)) {
    command.exitOverride((error) => {
      refusing = command
      throw error
    })
    command.configureOutput({ outputError: () => {} })
    command.showSuggestionAfterError(true)
  }
  try {
    await program.parseAsync([...args], { from: 'user' })
    return exitCode
  } catch (thrown) {
    return fail(thrown, refusing)
  }
}

/** Also those of `godwit catalog`, and of what that has. */
function everyCommand(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap((one) => everyCommand(one))]
}

/** `godwit catalog add vm`. */
function nameOf(command: Command): string {
  const name = command.name()
  return command.parent === null ? name : `${nameOf(command.parent)} ${name}`
}

/** @param refusing - the command that could not make sense of its arguments */
function fail(thrown: unknown, refusing: Command): ExitCode {
  if (thrown instanceof CommanderError) {
    if (thrown.exitCode === 0) return Exit.Done
    if (thrown.code === 'commander.help') return Exit.Usage
    const message = thrown.message.replace(/^error: /, '').replace(/\.$/, '')
    note(formatError(new GodwitError('USAGE', `${message}; see ${nameOf(refusing)} --help`)))
    return Exit.Usage
  }
  const error = toGodwitError(thrown)
  note(formatError(error))
  if (error.code === 'INTERNAL' && error.cause instanceof Error) note(error.cause.stack ?? '')
  return exitCodeOfError(error)
}

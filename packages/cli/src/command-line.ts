/**
 * A command line that another process reads once more: what a client was told goes to the agent as
 * it was typed, and is read there by the same options.
 *
 * @module
 */
import { GodwitError } from '@godwit/core'
import { Command, CommanderError } from 'commander'

/** Adds arguments and options to a command. */
export type Define = (command: Command) => Command

/** A line as it was read. */
export interface ReadLine<T> {
  readonly operands: readonly string[]
  readonly settings: T
}

/**
 * Remembers what the options that the command has by now were given, as `--name=value`; filled
 * while the line is read.
 */
export function recordOptions(command: Command): readonly string[] {
  const said: string[] = []
  for (const option of command.options) {
    command.on(`option:${option.name()}`, (value: string | null | undefined) => {
      said.push(typeof value === 'string' ? `${option.long!}=${value}` : option.long!)
    })
  }
  return said
}

/** @throws {GodwitError} `USAGE`, and what options throw */
export function readLine<T>(define: Define, args: readonly string[]): ReadLine<T> {
  const silence = { writeOut: () => {}, writeErr: () => {}, outputError: () => {} }
  const command = define(new Command('line')).exitOverride().configureOutput(silence)
  command.action(() => {})
  try {
    command.parse([...args], { from: 'user' })
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown
    throw new GodwitError('USAGE', thrown.message.replace(/^error: /, ''))
  }
  return { operands: command.args, settings: command.opts() as T }
}

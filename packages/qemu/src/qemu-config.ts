/**
 * How a QEMU is started for a VM that arrives: a JSON file of the user's, with the command that
 * would start the VM, and places that are filled in.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { GodwitError } from '@godwit/core'

/** Program and arguments; `{ram}` and `{memory}` in them are still to be filled in. */
export type QemuCommand = readonly [string, ...string[]]

/** What is Godwit's own to say. */
const own: ReadonlySet<string> = new Set(['-incoming', '-S', '-daemonize'])

function refuse(path: string, text: string): never {
  throw new GodwitError('GUEST_OPTION', `The configuration ${path} ${text}`)
}

/** @throws {GodwitError} `FILE_UNREADABLE`; `GUEST_OPTION` with what is wrong in it */
export function readConfig(path: string): QemuCommand {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const { code = String(error) } = error as { code?: string }
    const reason = `The configuration ${path} cannot be read (${code})`
    throw new GodwitError('FILE_UNREADABLE', reason, { cause: error })
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    refuse(path, `is not JSON: ${(error as Error).message}`)
  }
  const { command, ...others } = (value ?? {}) as { command?: unknown }
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) refuse(path, `has "${unknown}"; it has "command" only`)
  const isList = Array.isArray(command) && command.every((part) => typeof part === 'string')
  if (!isList || command.length === 0) {
    refuse(path, 'has no "command": a list of texts, the program first')
  }
  const list = command as unknown as QemuCommand
  const taken = list.find((part) => own.has(part))
  if (taken !== undefined) refuse(path, `has ${taken}, which is for Godwit to say: leave it out`)
  if (!list.some((part) => part.includes('{ram}'))) {
    refuse(path, 'has no {ram}: mem-path={ram} of -object memory-backend-file,...,share=on')
  }
  return list
}

/** The command for one VM. @param qmp - where QEMU is to listen for commands */
export function fillIn(
  command: QemuCommand,
  { ram, memory, qmp }: { readonly ram: string; readonly memory: number; readonly qmp: string },
): QemuCommand {
  const filled = command.map((part) =>
    part.replaceAll('{ram}', () => ram).replaceAll('{memory}', String(memory)),
  )
  const ours = ['-qmp', `unix:${qmp},server=on,wait=off`, '-incoming', 'defer', '-S']
  return [filled[0]!, ...filled.slice(1), ...ours]
}

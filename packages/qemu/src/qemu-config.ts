/**
 * How a QEMU is started for a VM that arrives: a JSON file of the user's, with the command that
 * would start the VM, and places that are filled in.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { GodwitError } from '@godwit/core'

/**
 * Program and arguments, with places that are still to be filled in: `{ram}` and `{memory}`, of the
 * VM's RAM, and `{ram:NAME}` and `{memory:NAME}`, of its memory that QEMU calls so.
 */
export type QemuCommand = readonly [string, ...string[]]

/** What QEMU takes as an id, behind a colon. */
const place = /\{(ram|memory)(?::([A-Za-z][\w.-]*))?\}/g

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
  const names = namedFiles(list)
  if (names.length === 0 && !list.some((part) => part.includes('{ram}'))) {
    refuse(path, 'has no {ram}: mem-path={ram} of -object memory-backend-file,...,share=on')
  }
  const sized = namesOf(list, 'memory').find((name) => !names.includes(name))
  if (sized !== undefined) {
    refuse(path, `has {memory:${sized}}, and no {ram:${sized}}: the file that is as large`)
  }
  const other = list
    .join(' ')
    .replaceAll(place, '')
    .match(/\{(ram|memory):[^,}]*}?/)
  if (other !== null) refuse(path, `has "${other[0]}", where a name in braces would be: {ram:mem0}`)
  return list
}

/** The names of {@link QemuCommand} that have a file of their own, each once. */
export function namedFiles(command: QemuCommand): readonly string[] {
  return namesOf(command, 'ram')
}

function namesOf(command: QemuCommand, kind: 'ram' | 'memory'): readonly string[] {
  const found = command.flatMap((part) => [...part.matchAll(place)])
  const names = found.flatMap(([, of, name]) => (of === kind && name !== undefined ? [name] : []))
  return [...new Set(names)]
}

/** What goes into places. */
export interface Filling {
  readonly files: readonly FilledFile[]
  /** Bytes of the VM's RAM. */
  readonly memory: number
  /** Where QEMU is to listen for commands. */
  readonly qmp: string
}

interface FilledFile {
  /** undefined: of `{ram}`. */
  readonly name: string | undefined
  readonly path: string
  readonly byteLength: number
}

/** The command for one VM. @param filling - has all files that there are places for */
export function fillIn(command: QemuCommand, { files, memory, qmp }: Filling): QemuCommand {
  const fill = (whole: string, kind: string, name: string | undefined): string => {
    if (kind === 'memory' && name === undefined) return `${memory}`
    const file = files.find((one) => one.name === name)
    if (file === undefined) return whole
    return kind === 'memory' ? `${file.byteLength}` : file.path
  }
  const filled = command.map((part) => part.replaceAll(place, fill))
  const ours = ['-qmp', `unix:${qmp},server=on,wait=off`, '-incoming', 'defer', '-S']
  return [filled[0]!, ...filled.slice(1), ...ours]
}

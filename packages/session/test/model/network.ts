/**
 * Connections, and what is on its way on them.
 *
 * @module
 */
import type { GodwitError } from '@godwit/core'
import { PeerError } from '@godwit/core'
import type { Message, MessageName } from '@godwit/wire'
import { errorNumbers } from '@godwit/wire'
import { OWNER_EPOCH } from '../../src/terms.ts'
import type { Line, System } from './system.ts'

/** Messages that tell a round. */
export const ofRounds: ReadonlySet<MessageName> = new Set([
  'SwitchOver',
  'RoundEnd',
  'RoundAck',
  'Resume',
  'Resumed',
])

/** A message on its way is a text: its name, and what matters of its body. */
export function encode(name: MessageName, fact: string | number = ''): string {
  return fact === '' ? name : `${name} ${fact}`
}

/** The message with what it says of the connection that brought it. */
export function decode(text: string, connection: number): Message {
  const [name = '', fact = '', kind] = text.split(' ')
  const epoch = name === 'Resume' || name === 'Resumed' ? connection : OWNER_EPOCH
  const code = name === 'Error' ? errorNumbers[fact as GodwitError['code']] : undefined
  const body = {
    epoch,
    round: Number(fact),
    kind,
    postCopy: kind === 'post-copy',
    owner: fact,
    code,
  }
  return { name, body } as unknown as Message
}

export function change(system: System, index: number, changes: Partial<Line>): void {
  const changed = system.lines.map((line, at) => (at === index ? { ...line, ...changes } : line))
  // What neither side has or can get any more is nowhere.
  system.lines = changed.filter((line) => line.source === 'open' || line.destination !== 'closed')
}

/** Of the side that the connection is open at. */
export function lineOfSource({ lines }: System): number {
  return lines.findIndex(({ source }) => source === 'open')
}

export function lineOfSession({ lines }: System): number {
  return lines.findIndex(({ destination }) => destination === 'session')
}

export function postFromSource(system: System, text: string): void {
  const index = lineOfSource(system)
  const line = system.lines[index]
  if (line === undefined || line.isCut || line.destination === 'closed') return
  change(system, index, { toDestination: [...line.toDestination, text] })
}

export function postFromDestination(system: System, index: number, text: string): void {
  const line = system.lines[index]
  if (line === undefined || line.isCut || line.source === 'closed') return
  change(system, index, { toSource: [...line.toSource, text] })
}

/** The side reads no more, and what comes for it is gone. */
export function closeAtSource(system: System): void {
  const index = lineOfSource(system)
  if (index >= 0) change(system, index, { source: 'closed', toSource: [] })
}

export function closeAtDestination(system: System, index: number): void {
  if (index >= 0) change(system, index, { destination: 'closed', toDestination: [] })
}

/** What a peer is told; not what it told itself. */
export function errorText(error: GodwitError): string | undefined {
  return error instanceof PeerError ? undefined : encode('Error', error.code)
}

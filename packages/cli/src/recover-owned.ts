/**
 * What agents that died left in a state directory: told, and settled.
 *
 * @module
 */
import type { OwnerRecord } from '@godwit/core'
import { formatBytes } from '@godwit/core'
import { QEMU_KIND } from '@godwit/qemu'
import type { RecoveredGuest, SecurityOptions } from 'godwit'
import { OwnerDirectory, recoverOwned } from 'godwit'
import type { ExitCode } from './exit-code.ts'
import { ExitCode as Exit } from './exit-code.ts'
import { formatError, note, print } from './output.ts'
import { printable } from './printable.ts'

function nameOf({ guest, memoryBytes, peer, role }: OwnerRecord): string {
  const way = role === 'source' ? 'to' : 'from'
  return `${guest}, ${formatBytes(memoryBytes)}, ${way} ${peer}`
}

/**
 * What is left of a destination: nobody shall wait for a guest that it held.
 *
 * @param tell - gets a line for each
 */
export async function refuseLeft(
  stateDir: string,
  tell: (text: string) => void = note,
): Promise<void> {
  const owners = new OwnerDirectory(stateDir)
  for (const name of owners.damaged)
    tell(`${stateDir}/${name} is damaged: whose guest it was is unknown`)
  for (const record of owners.left('destination')) {
    if (record.state === 'reserved') owners.forget(record)
    if (record.state === 'prepared') {
      await owners.refuse(record.session)
      tell(`a guest that was held when this agent died is refused now (${nameOf(record)})`)
    }
    if (record.state === 'lost') {
      const isVm = record.guest === QEMU_KIND
      const died = 'a guest that ran here died with its agent'
      const what = isVm ? 'a VM that ran here was left by its agent' : died
      tell(`${what} (${nameOf(record)})`)
    }
  }
}

/** Before another guest goes. */
export function tellLeft(stateDir: string): void {
  const left = new OwnerDirectory(stateDir).left('source').filter(({ state }) => state !== 'moved')
  if (left.length === 0) return
  note(`of ${left.length} guest(s) that were sent before it is not settled what became of them:`)
  note(`godwit send --recover --state-dir ${stateDir} asks`)
}

/** `send --recover`. */
export async function recoverLeft(settings: {
  readonly stateDir: string
  readonly to?: string
  readonly security: SecurityOptions | undefined
  readonly insecure?: boolean
}): Promise<ExitCode> {
  const guests = await recoverOwned(settings)
  if (guests.length === 0) print('nothing is in doubt')
  for (const guest of guests) {
    print(`${printable(nameOf(guest.record))}: ${outcomeOf(guest)}`)
    if (guest.error !== undefined) note(formatError(guest.error))
  }
  return worstOf(guests)
}

function outcomeOf({ answer, record }: RecoveredGuest): string {
  switch (answer) {
    case 'running':
      return 'runs there'
    case 'ended':
      return 'ran there, and has ended'
    case 'prepared':
      return 'is held there without all of its pages, which died here: lost'
    case 'lost':
      return record.state === 'released'
        ? 'lost; nobody runs it'
        : 'died here, before it was let go'
    case undefined:
      return 'in doubt: the destination does not say; ask again, or look there'
  }
}

function worstOf(guests: readonly RecoveredGuest[]): ExitCode {
  if (guests.some(({ answer }) => answer === undefined)) return Exit.InDoubt
  const isLost = guests.some(({ answer }) => answer === 'lost' || answer === 'prepared')
  return isLost ? Exit.LostWithHost : Exit.Done
}

/**
 * A lock on a directory for the life of a process, which one that is killed does not leave behind:
 * files `lock.N` say which process has it, and the highest number counts. Numbers only go up, and
 * the last file is never removed, so that nobody takes for free what another has just taken.
 *
 * @module
 */
import { randomUUID } from 'node:crypto'
import { linkSync, readFileSync, readdirSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { GodwitError } from '@godwit/core'
import { isAlive, ownIdentity } from './process-identity.ts'

const pattern = /^lock\.([1-9]\d{0,14})$/

/**
 * Takes the lock until the process ends.
 *
 * @param directory - is there
 * @throws {GodwitError} `ADDRESS_IN_USE`: a process that lives has it; `FILE_UNWRITABLE`
 */
export function lockDirectory(directory: string): void {
  try {
    lock(directory)
  } catch (thrown) {
    if (thrown instanceof GodwitError) throw thrown
    const { message } = thrown as Error
    const text = `The directory ${directory} cannot be locked: ${message}`
    throw new GodwitError('FILE_UNWRITABLE', text, { cause: thrown })
  }
}

function lock(directory: string): void {
  for (;;) {
    const last = lastOf(directory)
    const holder = last === 0 ? undefined : holderOf(directory, last)
    if (holder !== undefined && isAlive(holder)) throw taken(directory, holder)
    const mine = last + 1
    if (!take(directory, mine)) continue
    if (lastOf(directory) === mine) {
      for (const old of numbersOf(directory)) if (old < mine) remove(directory, old)
      return
    }
    // Another has gone by while this one looked.
    remove(directory, mine)
  }
}

/** Makes the file, whole or not at all. @returns false where it is there */
function take(directory: string, number: number): boolean {
  const whole = join(directory, `lock.${randomUUID()}.tmp`)
  writeFileSync(whole, ownIdentity(), { mode: 0o600 })
  try {
    linkSync(whole, pathOf(directory, number))
    return true
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw thrown
  } finally {
    unlinkSync(whole)
  }
}

function pathOf(directory: string, number: number): string {
  return join(directory, `lock.${number}`)
}

function numbersOf(directory: string): readonly number[] {
  return readdirSync(directory).flatMap((name) => {
    const [, number] = pattern.exec(name) ?? []
    return number === undefined ? [] : [Number(number)]
  })
}

/** 0: there is none. */
function lastOf(directory: string): number {
  return Math.max(0, ...numbersOf(directory))
}

/** Undefined where the file has just gone. */
function holderOf(directory: string, number: number): string | undefined {
  try {
    return readFileSync(pathOf(directory, number), 'utf8')
  } catch {
    return undefined
  }
}

function remove(directory: string, number: number): void {
  try {
    unlinkSync(pathOf(directory, number))
  } catch {
    // It is gone already.
  }
}

function taken(directory: string, holder: string): GodwitError {
  const [, pid] = holder.split('/')
  const text = `Another agent has the state directory ${directory} (process ${pid}): end it, or`
  return new GodwitError('ADDRESS_IN_USE', `${text} choose another --state-dir`)
}

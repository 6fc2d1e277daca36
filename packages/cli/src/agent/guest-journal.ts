/**
 * The table of guests in a file (`guests.json` of the state directory), so that the next agent can
 * say what became of them. Whose a guest is stands in the owner records; this has their names.
 *
 * @module
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseRelease } from '@godwit/catalog'
import type { OwnerStore } from '@godwit/core'
import { NAME_PATTERN } from '@godwit/core'
import type { GuestLine, GuestState, GuestTable } from './guest-table.ts'
import { GUEST_STATES, lineOf } from './guest-table.ts'
import type { Log } from './log.ts'

const format = 'godwit.agent/1'
const fileName = 'guests.json'

export class GuestJournal {
  readonly #path: string
  readonly #log: Log
  #isFailing = false

  constructor(stateDir: string, log: Log) {
    this.#path = join(stateDir, fileName)
    this.#log = log
  }

  /** Writes the table at every change from now on. What cannot be written is told, once. */
  follow(table: GuestTable): void {
    table.listen(() => this.#write(table))
  }

  /**
   * Takes up what an agent before this one has left: its guests died with it, or had moved. VMs
   * that were here are `running`, and still to be looked for.
   */
  restore(table: GuestTable, owners: Pick<OwnerStore, 'find'>): void {
    for (const line of this.#read()) {
      const state = stateAfter(line, owners)
      if (state === undefined) continue
      const { name, kind, memoryBytes, peer, session, role, since, vm, pid, pageBytes } = line
      const sinceMs = state === line.state ? Date.parse(since) : Date.now()
      const reason = state === line.state ? line.reason : becauseOf[state]
      const { os, hypervisor } = line
      const place = { vm, pid, pageBytes, os, hypervisor }
      const change = { peer, session, role, reason, ...place }
      table.restore({ name, kind, memoryBytes }, state, sinceMs, change)
      if (state === line.state) continue
      this.#log.warn({ guest: name, session, peer, was: line.state, state }, reason ?? state)
    }
  }

  #read(): readonly GuestLine[] {
    let text: string
    try {
      text = readFileSync(this.#path, 'utf8')
    } catch (thrown) {
      const { code } = thrown as NodeJS.ErrnoException
      if (code !== 'ENOENT') this.#log.warn({ file: this.#path, code }, 'names cannot be read')
      return []
    }
    try {
      const stored = JSON.parse(text) as { format?: unknown; guests?: unknown }
      if (stored.format !== format || !Array.isArray(stored.guests)) throw new Error('another file')
      return stored.guests.filter(isLine)
    } catch {
      this.#log.warn({ file: this.#path }, 'damaged: what guests were here is not known by name')
      return []
    }
  }

  #write(table: GuestTable): void {
    const guests = table.entries.map(lineOf)
    try {
      writeFileSync(`${this.#path}.tmp`, JSON.stringify({ format, guests }), { mode: 0o600 })
      renameSync(`${this.#path}.tmp`, this.#path)
      this.#isFailing = false
    } catch (thrown) {
      const { code } = thrown as NodeJS.ErrnoException
      if (!this.#isFailing) this.#log.error({ file: this.#path, code }, 'names cannot be written')
      this.#isFailing = true
    }
  }
}

/** Why a guest is in another state than when the agent died. */
const becauseOf: Partial<Record<GuestState, string>> = {
  lost: 'it died with the agent that had it',
  left: 'it had been handed over before the agent died',
  'in-doubt': 'the agent died in the hand-over: `godwit recover` asks whose it is',
}

/** @returns undefined for one that was never this agent's */
function stateAfter(line: GuestLine, owners: Pick<OwnerStore, 'find'>): GuestState | undefined {
  const { state, session, role } = line
  if (['left', 'in-doubt', 'ended', 'lost'].includes(state)) return state
  if (state === 'arriving') return undefined
  const isHere = line.vm === undefined ? 'lost' : 'running'
  if (session === undefined || role !== 'source') return isHere
  const record = owners.find(session, 'source')
  if (record?.state === 'moved') return 'left'
  return record?.state === 'released' ? 'in-doubt' : isHere
}

function isLine(value: unknown): value is GuestLine {
  if (typeof value !== 'object' || value === null) return false
  const line = value as Partial<GuestLine>
  const { name, kind, memoryBytes, state, since, peer, session } = line
  const { vm, pid, pageBytes, os, hypervisor } = line
  return (
    typeof name === 'string' &&
    NAME_PATTERN.test(name) &&
    typeof kind === 'string' &&
    typeof memoryBytes === 'number' &&
    GUEST_STATES.some((one) => one === state) &&
    typeof since === 'string' &&
    Number.isFinite(Date.parse(since)) &&
    [peer, session, vm].every((one) => one === undefined || typeof one === 'string') &&
    [pid, pageBytes].every((one) => one === undefined || Number.isSafeInteger(one)) &&
    [os, hypervisor].every((one) => one === undefined || isRelease(one))
  )
}

function isRelease(text: unknown): boolean {
  try {
    parseRelease(String(text))
    return typeof text === 'string'
  } catch {
    return false
  }
}

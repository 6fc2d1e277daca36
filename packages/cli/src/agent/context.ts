/**
 * What the parts of an agent share.
 *
 * @module
 */
import { GodwitError } from '@godwit/core'
import type { ImageDirectory, SecurityOptions } from 'godwit'
import type { GuestEntry, GuestTable } from './guest-table.ts'
import type { HookFacts, Hooks } from './hooks.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { ReadRegistered } from './registered-guests.ts'

export interface AgentContext {
  readonly log: Log
  readonly hooks: Hooks
  readonly metrics: Metrics
  readonly table: GuestTable
  /** Of both roles. */
  readonly security: SecurityOptions | undefined
  readonly insecure: boolean
  readonly stateDir: string
  /** Where guests are registered, and static maps looked up. */
  readonly catalog: string | undefined
  readonly registered: ReadRegistered
  /** Where images of guests are kept that leave, for when they come back. */
  readonly images: ImageDirectory | undefined
  /** The agent is to end: it takes nothing new. */
  readonly isEnding: () => boolean
}

/** @throws {GodwitError} `TOO_LATE` */
export function refuseWhileEnding({ isEnding }: Pick<AgentContext, 'isEnding'>): void {
  if (!isEnding()) return
  throw new GodwitError('TOO_LATE', 'This agent is ending, and takes no more guests')
}

/** What hooks are told of a guest. */
export function hookFactsOf(entry: GuestEntry, error?: string): HookFacts {
  const { name: guest, kind, memoryBytes, peer, session, role } = entry
  const roles = role === undefined ? {} : { role }
  return { guest, kind, memoryBytes, peer, session, error, ...roles }
}

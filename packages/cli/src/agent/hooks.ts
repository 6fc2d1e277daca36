/**
 * Commands of the operator's own that are run at the stages of a guest's life: to move an address,
 * to tell somebody. A command is one file, which is started as it is: no shell reads anything, and
 * what a peer says comes to it in the environment only.
 *
 * @module
 */
import { accessSync, constants, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { GodwitError, formatDurationMs } from '@godwit/core'
import { printable } from '../printable.ts'
import type { HookEnd } from './hook-process.ts'
import { runHook } from './hook-process.ts'
import type { Log } from './log.ts'

/** Of these the agent waits for the first three, and one that fails ends the migration. */
export const HOOK_STAGES = [
  'before-migrate',
  'arriving',
  'paused',
  'handed-over',
  'left',
  'failed',
  'arrived',
  'not-arrived',
  'started',
  'ended',
] as const
export type HookStage = (typeof HOOK_STAGES)[number]

export interface Hook {
  readonly stage: HookStage
  /** An absolute path. */
  readonly file: string
}

/** What a hook is told, in its environment. */
export interface HookFacts {
  /** Its name; made of letters, digits and `._-`. */
  readonly guest: string
  readonly kind: string
  readonly memoryBytes: number
  readonly role?: 'source' | 'destination'
  readonly peer?: string | undefined
  readonly session?: string | undefined
  /** Why it failed. */
  readonly error?: string | undefined
}

/** Who waits longer for a hook than for a migration has another problem. */
export const HOOK_TIMEOUT_MS = 10_000

export interface HookOptions {
  readonly timeoutMs: number
  readonly log: Log
  /** `HOST:PORT` where the agent listens. */
  readonly address: () => string
  /** Hears how each ended. */
  readonly onRun?: (stage: HookStage, isDone: boolean) => void
}

/**
 * Reads `STAGE=FILE`.
 *
 * @throws {GodwitError} `USAGE`: no such stage; `FILE_UNREADABLE`: no file that can be executed
 */
export function parseHook(text: string): Hook {
  const at = text.indexOf('=')
  const stage = HOOK_STAGES.find((one) => one === text.slice(0, at))
  if (at < 0 || stage === undefined) {
    const known = HOOK_STAGES.join(', ')
    throw new GodwitError('USAGE', `"${text}" is not STAGE=FILE; stages are ${known}`)
  }
  const file = resolve(text.slice(at + 1))
  try {
    if (!statSync(file).isFile()) throw new Error('it is no file')
    accessSync(file, constants.X_OK)
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException
    throw new GodwitError('FILE_UNREADABLE', `Hook ${file} cannot be run: ${code ?? message}`)
  }
  return { stage, file }
}

/** Runs hooks: those of one guest one after another, in the order of its stages. */
export class Hooks {
  readonly #hooks: readonly Hook[]
  readonly #options: HookOptions
  /** By guest: settles when what is to run for it by now is done. */
  readonly #last = new Map<string, Promise<unknown>>()

  constructor(hooks: readonly Hook[], options: HookOptions) {
    this.#hooks = hooks
    this.#options = options
  }

  has(stage: HookStage): boolean {
    return this.#hooks.some((hook) => hook.stage === stage)
  }

  /**
   * Runs the hooks of a stage that the migration waits for.
   *
   * @throws {GodwitError} `HOOK_FAILED`: one said no; those behind it are not run
   */
  run(stage: HookStage, facts: HookFacts): Promise<void> {
    if (!this.has(stage)) return Promise.resolve()
    const done = (this.#last.get(facts.guest) ?? Promise.resolve()).then(() =>
      this.#runAll(stage, facts),
    )
    const settled = done.catch(() => {})
    this.#last.set(facts.guest, settled)
    void settled.then(() => {
      if (this.#last.get(facts.guest) === settled) this.#last.delete(facts.guest)
    })
    return done
  }

  /** Runs the hooks of a stage that nothing can undo: what fails is in the log. */
  tell(stage: HookStage, facts: HookFacts): void {
    // It is told there.
    this.run(stage, facts).catch(() => {})
  }

  /** Resolves when no hook runs. */
  async settled(): Promise<void> {
    while (this.#last.size > 0) await Promise.all(this.#last.values())
  }

  async #runAll(stage: HookStage, facts: HookFacts): Promise<void> {
    const { timeoutMs, log, onRun } = this.#options
    for (const { file } of this.#hooks.filter((hook) => hook.stage === stage)) {
      const end = await runHook(file, this.#environment(stage, facts), timeoutMs)
      onRun?.(stage, end.isDone)
      const { guest, session, peer } = facts
      const line = { guest, session, peer, stage, hook: file, ms: Math.round(end.ms) }
      if (end.isDone) {
        log.info(line, 'hook done')
        continue
      }
      const how = howItEnded(end, timeoutMs)
      log.warn({ ...line, how, stderr: end.stderr }, 'hook failed')
      // The other side may hear of it: nothing of this machine is in the text.
      throw new GodwitError('HOOK_FAILED', `The hook for "${stage}" of guest ${guest} ${how}`)
    }
  }

  #environment(stage: HookStage, facts: HookFacts): NodeJS.ProcessEnv {
    const { guest, kind, memoryBytes, role, peer, session, error } = facts
    const own = {
      GODWIT_STAGE: stage,
      GODWIT_GUEST: guest,
      GODWIT_KIND: kind,
      GODWIT_MEMORY_BYTES: String(memoryBytes),
      GODWIT_ROLE: role,
      GODWIT_PEER: peer,
      GODWIT_SESSION: session,
      GODWIT_ERROR: error,
      GODWIT_AGENT: this.#options.address(),
    }
    const known = Object.entries(own).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, printable(value)] as const],
    )
    return { ...process.env, ...Object.fromEntries(known) }
  }
}

function howItEnded({ code, signal, error, isLate }: HookEnd, timeoutMs: number): string {
  if (isLate) return `took longer than ${formatDurationMs(timeoutMs)} and was killed`
  if (error !== undefined) return `could not be started (${error})`
  return signal === undefined ? `ended with exit code ${code}` : `was ended by ${signal}`
}

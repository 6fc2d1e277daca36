/**
 * One hook as a process: started without a shell, and never longer than its time.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'

/** How a hook ended. */
export interface HookEnd {
  /** With exit code 0, in time. */
  readonly isDone: boolean
  readonly code: number | undefined
  readonly signal: string | undefined
  /** Why it could not be started. */
  readonly error: string | undefined
  readonly isLate: boolean
  /** The beginning of what it said. */
  readonly stderr: string
  readonly ms: number
}

/** More is read, and forgotten. */
const stderrCharsMax = 2000
/** What a hook leaves running may hold its outputs open: those are not waited for. */
const lingerMs = 100

/** Runs a file without arguments. Never rejects. */
export function runHook(file: string, env: NodeJS.ProcessEnv, timeoutMs: number): Promise<HookEnd> {
  const startMs = performance.now()
  let stderr = ''
  let isLate = false
  return new Promise((resolve) => {
    // A group of its own, so that what it started ends with it.
    const child = spawn(file, [], { env, stdio: ['ignore', 'ignore', 'pipe'], detached: true })
    const timer = setTimeout(() => {
      isLate = true
      killGroup(child)
    }, timeoutMs)
    const end = (code: number | null, signal: string | null, error?: string): void => {
      clearTimeout(timer)
      child.stderr.destroy()
      const ms = performance.now() - startMs
      const isDone = code === 0 && !isLate
      const how = { code: code ?? undefined, signal: signal ?? undefined, error }
      resolve({ ...how, isDone, isLate, stderr: stderr.trim(), ms })
    }
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(0, stderrCharsMax)
    })
    child.on('error', (error: NodeJS.ErrnoException) => end(null, null, error.code ?? 'unknown'))
    child.on('close', (code, signal) => end(code, signal))
    child.on('exit', (code, signal) => setTimeout(() => end(code, signal), lingerMs).unref())
  })
}

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  } catch {
    // It has just ended.
  }
}

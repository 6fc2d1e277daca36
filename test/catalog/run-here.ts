/**
 * `godwit` in this process, which takes a tenth of the time of one of its own. One at a time: what
 * it prints is caught on its way.
 *
 * @module
 */
import { vi } from 'vitest'
import { runProgram } from '../../packages/cli/src/program.ts'
import type { Ended } from '../end-to-end/process.ts'

/** Runs a command to its end. */
export async function runHere(...args: string[]): Promise<Ended> {
  const printed = { stdout: '', stderr: '' }
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((chunk, encoding, done) => {
      printed[name] += String(chunk)
      const callback = typeof encoding === 'function' ? encoding : done
      callback?.()
      return true
    }),
  )
  try {
    return { code: await runProgram(args), ...printed }
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
}

/**
 * Ends calls that do not end by themselves.
 *
 * @module
 */
import { createContext, Script } from 'node:vm'

const context = createContext({ run: undefined as (() => void) | undefined })
const script = new Script('run()')

/** Runs `call`; false when it had not returned after `milliseconds` and was cut off. */
export function returnsWithin(milliseconds: number, call: () => void): boolean {
  // What it throws is carried by hand: errors of another realm would be no `Error` here.
  let thrown: { readonly error: unknown } | undefined
  context['run'] = () => {
    try {
      call()
    } catch (error) {
      thrown = { error }
    }
  }
  try {
    script.runInContext(context, { timeout: milliseconds })
  } catch (error) {
    const code = (error as { code?: unknown } | undefined)?.code
    if (code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return false
    throw error
  }
  if (thrown !== undefined) throw thrown.error
  return true
}

/**
 * What ends with all that it has started when it is interrupted.
 *
 * @module
 */
import { beginBenchmark, interruptBenchmark } from '@godwit/benchmarks'
import { GodwitError } from '@godwit/core'
import { ExitCode as Exit } from './exit-code.ts'
import { listenToInterrupts } from './interrupt.ts'

/** So long what was begun may take to be tidied up. */
const tidyMs = 5000

/**
 * Does the work of a benchmark. At Ctrl-C or SIGTERM its processes are ended, which ends what waits
 * for them; work that goes on nevertheless, as that within this process does, ends with it, at a
 * second Ctrl-C at once.
 *
 * @throws {GodwitError} `CANCELLED`
 */
export async function interruptible<T>(work: () => Promise<T>): Promise<T> {
  const interrupts = listenToInterrupts()
  beginBenchmark()
  const done = work()
  const isTidy = done.then(
    () => true,
    () => true,
  )
  const interrupted = interrupts.first.then(async (signal): Promise<never> => {
    if (signal === 'SIGINT') void interrupts.second.then(() => process.exit(Exit.Cancelled))
    await interruptBenchmark()
    const late = new Promise<false>((resolve) => {
      setTimeout(resolve, tidyMs, false).unref()
    })
    if (!(await Promise.race([isTidy, late]))) process.exit(Exit.Cancelled)
    throw new GodwitError('CANCELLED', 'The benchmark was interrupted')
  })
  try {
    return await Promise.race([done, interrupted])
  } catch (thrown) {
    // What fails because of an interrupt fails before all that belongs to it has ended.
    if (interrupts.signal !== undefined) await interrupted
    throw thrown
  } finally {
    interrupts.stop()
  }
}

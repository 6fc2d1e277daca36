/**
 * Many command lines in one process, where how a process starts and ends is not what is tested:
 * starting one takes longer than all of them.
 *
 * @module
 */
import './compile-cache.ts'
import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Ended } from './process.ts'

const script = fileURLToPath(new URL('command-lines-child.ts', import.meta.url))
let child: ChildProcess | undefined

/** Runs a command to its end, one at a time; {@link endCommandLines} when all are done. */
export function runCommandLine(...args: string[]): Promise<Ended> {
  child ??= fork(script, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const served = child
  return new Promise((resolve, reject) => {
    const lost = (): void => reject(new Error('the process of the command lines has ended'))
    served.once('exit', lost)
    served.once('message', (ended) => {
      served.off('exit', lost)
      resolve(ended as Ended)
    })
    served.send(args)
  })
}

export function endCommandLines(): void {
  child?.disconnect()
  child = undefined
}

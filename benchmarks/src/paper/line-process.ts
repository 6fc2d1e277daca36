/**
 * A process that answers each line that it is told with one of its own.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { failure, start } from '../children.ts'
import { splitCommand } from '../process.ts'

export class LineProcess {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>

  /** @param prefix - what starts another program elsewhere, if it is to be */
  constructor(prefix: readonly string[], program: string, args: readonly string[]) {
    const own = [process.execPath, ...process.execArgv, program, ...args]
    const [first, rest] = splitCommand([...prefix, ...own])
    this.#child = start(first, rest, { stdio: ['pipe', 'pipe', 'inherit'] })
    // A process that has ended is told of by its next answer, which does not come.
    this.#child.stdin!.on('error', () => {})
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]()
  }

  /** The next line that it says. @throws when it ended */
  async answer(): Promise<string> {
    const { value, done } = await this.#lines.next()
    if (done === true) throw failure(`${this.#child.spawnargs.join(' ')} ended`)
    return value
  }

  async ask(line: string): Promise<string> {
    this.#child.stdin!.write(`${line}\n`)
    return this.answer()
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }
}

/**
 * A machine in a process of its own, which is told what to do line by line.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { start } from '../children.ts'
import type { Place } from '../peer/namespaces.ts'
import { splitCommand } from '../process.ts'
import type { Answer, Commands, MachineParts } from './machine.ts'

const program = fileURLToPath(new URL('./machine.ts', import.meta.url))

type Answered<K extends keyof Commands> = Awaited<ReturnType<Commands[K]>>

export class RemoteMachine {
  /** Where its agent listens. */
  readonly address: string
  readonly #process: ChildProcess
  readonly #lines: AsyncIterator<string>

  static async start({ prefix }: Place, parts: MachineParts): Promise<RemoteMachine> {
    const own = [process.execPath, ...process.execArgv, program, 'machine', JSON.stringify(parts)]
    const [first, args] = splitCommand([...prefix, ...own])
    const child = start(first, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    return new RemoteMachine(child, lines, await answerOf<string>(lines))
  }

  private constructor(child: ChildProcess, lines: AsyncIterator<string>, address: string) {
    this.#process = child
    this.#lines = lines
    this.address = address
  }

  /** @throws what it says when it cannot */
  async tell<K extends keyof Commands>(
    command: K,
    ...args: Parameters<Commands[K]>
  ): Promise<Answered<K>> {
    this.#process.stdin!.write(`${JSON.stringify([command, ...args])}\n`)
    return answerOf<Answered<K>>(this.#lines)
  }

  async end(): Promise<void> {
    if (this.#process.exitCode !== null) return
    const ended = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await ended
  }
}

async function answerOf<T>(lines: AsyncIterator<string>): Promise<T> {
  const { value: line, done } = await lines.next()
  if (done === true) throw new Error('a machine ended')
  const { value, failure } = JSON.parse(line) as Answer
  if (failure !== undefined) throw new Error(failure)
  return value as T
}

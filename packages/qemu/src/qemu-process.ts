/**
 * A QEMU that this process started. It is in a session of its own: what the terminal tells this
 * process, it does not hear.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { GodwitError } from '@godwit/core'
import { makeFolder } from './device-state.ts'
import type { QemuCommand } from './qemu-config.ts'
import { writeFiles } from './vm-files.ts'

/** What it has time for when it is asked to end; then it is ended. */
const endLimitMs = 5000
const shownMax = 300

/** One process, and its folder of sockets. */
export class QemuProcess {
  readonly qmpPath: string
  /** Where it takes the state of a VM. */
  readonly statePath: string
  readonly pid: number
  /** Resolves when it is gone. Never rejects. */
  readonly ended: Promise<void>
  readonly #folder: string
  readonly #child: ChildProcess
  readonly #endWithUs: () => void
  #isEnded = false

  /**
   * Starts it; it ends with this process, until {@link letGo}.
   *
   * @param commandFor - the command, told where it is to listen
   * @throws {GodwitError} `GUEST_OPTION`: there is no such program
   */
  static async start(commandFor: (qmpPath: string) => QemuCommand): Promise<QemuProcess> {
    const folder = makeFolder()
    const [program, ...args] = commandFor(join(folder, 'qmp'))
    const log = openSync(join(folder, 'log'), 'wx', 0o600)
    const child = spawn(program, args, { detached: true, stdio: ['ignore', log, log] })
    closeSync(log)
    try {
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve).once('error', reject)
      })
    } catch (error) {
      rmSync(folder, { recursive: true, force: true })
      const { code = String(error) } = error as { code?: string }
      const text = `${program} cannot be started (${code}): it is what "command" begins with`
      throw new GodwitError('GUEST_OPTION', text, { cause: error })
    }
    return new QemuProcess(folder, child)
  }

  private constructor(folder: string, child: ChildProcess) {
    this.#folder = folder
    this.#child = child
    this.pid = child.pid!
    this.qmpPath = join(folder, 'qmp')
    this.statePath = join(folder, 'state')
    this.#endWithUs = () => void child.kill('SIGKILL')
    process.once('exit', this.#endWithUs)
    this.ended = new Promise((resolve) => {
      child.once('exit', () => {
        this.#isEnded = true
        process.off('exit', this.#endWithUs)
        resolve()
      })
    })
    // Neither it nor the wait for its end keeps this process from ending.
    child.unref()
  }

  /** Leaves word of files that are the VM's, for who finds its folder (`vm-files.ts`). */
  noteFiles(paths: readonly string[]): void {
    writeFiles(this.#folder, paths)
  }

  /** What QEMU itself said last, in one line: a console of the VM may be among it. */
  get lastWords(): string {
    try {
      const lines = readFileSync(join(this.#folder, 'log'), 'utf8').split('\n')
      const words = lines.filter((line) => /^\S*qemu\S*: /.test(line))
      return words.join('; ').slice(-shownMax)
    } catch {
      return ''
    }
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  /** It outlives this process from here on. */
  letGo(): void {
    process.off('exit', this.#endWithUs)
  }

  /**
   * Ends it; resolves when it is gone, with its folder.
   *
   * @param isPolite - it is asked, and has a while for its disks
   */
  async end(isPolite: boolean): Promise<void> {
    const kill = (): void => void this.#child.kill('SIGKILL')
    if (!this.#isEnded) {
      // This process waits for it now.
      this.#child.ref()
      if (isPolite) this.#child.kill('SIGTERM')
      else kill()
      const timer = setTimeout(kill, endLimitMs)
      await this.ended
      clearTimeout(timer)
    }
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/**
 * A relay in a process of its own, as the agent has it whose guest it follows.
 *
 * @module
 */
import type { GuestRelay, Place } from '@godwit/memcached'
import { toGodwitError } from '@godwit/core'
import { formatHostPort } from '@godwit/transport'
import type { ControlOptions } from './control-socket.ts'
import { ControlConnection } from './control-connection.ts'
import { formatError } from './output.ts'

/** Where the service is, and where it will be when it has moved. */
export interface Route {
  readonly owner: Place
  readonly next: Place
}

type Tell = (text: string) => void

const format = ({ host, port }: Place): string => formatHostPort(host, port)

/** By the relay's control socket. A relay that fails later is told of, and gone on without. */
export class RemoteRelay implements GuestRelay {
  readonly #connection: ControlConnection
  readonly #file: string
  readonly #tell: Tell
  #isLost = false
  /** What was asked last. */
  #last: Promise<void> = Promise.resolve()

  private constructor(file: string, connection: ControlConnection, tell: Tell) {
    this.#file = file
    this.#connection = connection
    this.#tell = tell
  }

  /**
   * Has the relay at the control socket `file` forward to the owner from now on.
   *
   * @param tell - when it fails later on
   * @throws {GodwitError} `CONNECTION_REFUSED` where there is none, `ADDRESS_IN_USE` when it
   *   follows another guest, `INSECURE_ADDRESS` when it was not told that it may forward there
   */
  static async follow(file: string, { owner, next }: Route, tell: Tell): Promise<RemoteRelay> {
    const connection = await ControlConnection.open(file)
    try {
      await connection.ask('follow', { owner: format(owner), next: format(next) })
    } catch (error) {
      connection.close()
      throw error
    }
    const relay = new RemoteRelay(file, connection, tell)
    void connection.ended.then(() => relay.#lost())
    return relay
  }

  hold(): Promise<void> {
    this.#last = this.#ask('hold')
    return this.#last
  }

  release(to: Place): void {
    this.#last = this.#ask('set', { to: format(to) })
  }

  /** The relay goes on with the owner that it has been told. */
  async close(): Promise<void> {
    await this.#last
    this.#isLost = true
    this.#connection.close()
  }

  async #ask(command: string, options: ControlOptions = {}): Promise<void> {
    if (this.#isLost) return
    try {
      await this.#connection.ask(command, options)
    } catch (thrown) {
      this.#tell(formatError(toGodwitError(thrown)))
      this.#lost()
    }
  }

  #lost(): void {
    if (this.#isLost) return
    this.#isLost = true
    this.#connection.close()
    this.#tell(`the relay at ${this.#file} is gone: the guest goes on without it`)
  }
}

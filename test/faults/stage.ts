/**
 * Where a cell is played: a source and a destination, both in processes of their own, and the
 * network between them.
 *
 * @module
 */
import { setTimeout } from 'node:timers/promises'
import { callControl } from '../../packages/cli/src/control-socket.ts'
import type { Ended } from './agent-process.ts'
import { AgentProcess, freshFile } from './agent-process.ts'
import type { FaultProxy } from './proxy.ts'

const pollMs = 10

/** What an agent tells of itself. */
export type Status = Readonly<Record<string, unknown>>

/** An agent that goes on until it is killed, and its socket. */
interface Served {
  readonly agent: AgentProcess
  readonly control: string
  readonly address: string
}

/** For one cell after the other. */
export class Stage {
  proxy: FaultProxy = undefined!
  #source: AgentProcess | undefined
  #served: Served | undefined
  #receive: readonly string[] = []
  /** Of the source's command. */
  readonly control: string = freshFile('source.sock')
  /** Whether the source's command has ended. */
  isSourceOver = false
  /** Destinations of this cell that were killed. */
  readonly dead: AgentProcess[] = []

  get source(): AgentProcess {
    return this.#source!
  }

  get destination(): AgentProcess {
    return this.#served!.agent
  }

  get address(): string {
    return this.#served!.address
  }

  /** Two agents that are alive; a destination that was started with other options is replaced. */
  async prepare(receive: readonly string[]): Promise<void> {
    this.dead.length = 0
    if (this.#source?.isAlive !== true) this.#source = new AgentProcess()
    const isSame = receive.join(' ') === this.#receive.join(' ')
    if (this.#served?.agent.isAlive !== true || !isSame) {
      await this.#served?.agent.end()
      this.#receive = receive
      this.#served = await serve(receive)
    }
  }

  /** Has the source run a command. */
  async send(args: readonly string[]): Promise<Ended> {
    this.isSourceOver = false
    const ended = await this.source.run(args)
    this.isSourceOver = true
    return ended
  }

  /** The destination was killed; another takes its place in the network. */
  async replaceDestination(): Promise<void> {
    this.dead.push(this.destination)
    await this.destination.end()
    this.#served = await serve(this.#receive)
    this.proxy.to = this.address
  }

  /** Asks until the answer is as wanted; undefined where nobody can answer any more. */
  async #when(side: 'source' | 'destination', isWanted: (status: Status) => boolean) {
    const agent = this[side]
    const control = side === 'source' ? this.control : this.#served!.control
    while (agent.isAlive) {
      const status = (await callControl(control, 'status').catch(() => undefined)) as Status
      if (status !== undefined && isWanted(status)) return status
      if (side === 'source' && status === undefined && this.isSourceOver) return undefined
      await setTimeout(pollMs)
    }
    return undefined
  }

  /** Nothing of a migration is left at the destination, not even its guest. */
  async destinationIdle(): Promise<void> {
    await this.#when('destination', (status) => {
      const { isEmpty } = this.destination.journal
      return isEmpty && countOf(status, 'sessions') + countOf(status, 'guests') === 0
    })
  }

  /** The destination waits for nothing, or for the source to come back. */
  async destinationGaveUp(): Promise<void> {
    await this.#when('destination', ({ sessions }) => {
      return (sessions as { state: string }[]).every(({ state }) => state === 'paused')
    })
  }

  /** The source has found out that something is wrong. */
  async sourceGaveUp(): Promise<void> {
    while (!this.isSourceOver && this.source.isAlive && !/^godwit: /m.test(this.source.stderr)) {
      await setTimeout(pollMs)
    }
  }

  /** So many attempts to connect were dropped, or nobody tries any more. */
  async refusals(count: number): Promise<void> {
    while (!this.isSourceOver && this.proxy.refusals < count) await setTimeout(pollMs)
  }

  /** An operator vouches for the end of the destination, where the source waits for that. */
  async fence(): Promise<void> {
    const paused = await this.#when('source', ({ state }) => state === 'paused')
    if (paused === undefined) return
    await callControl(this.control, 'recover', { fenced: 'true' }).catch(() => undefined)
  }

  /** What the agents are at, for whoever looks into a cell that hangs. */
  async describe(): Promise<string> {
    const ask = (control: string): Promise<unknown> =>
      Promise.race([
        callControl(control, 'status').catch((error: unknown) => String(error)),
        setTimeout(1000, 'no answer'),
      ])
    const [here, there] = [await ask(this.control), await ask(this.#served!.control)]
    return JSON.stringify({ here, there, stderr: this.source.stderr })
  }

  /** Whatever the agents are at, it is over. */
  async clear(): Promise<void> {
    await Promise.all([this.#source?.end(), this.#served?.agent.end()])
  }
}

function countOf(status: Status, list: string): number {
  return (status[list] as unknown[]).length
}

async function serve(receive: readonly string[]): Promise<Served> {
  const agent = new AgentProcess()
  const control = freshFile('destination.sock')
  const options = ['--listen', '127.0.0.1:0', '--quiet', '--control', control, ...receive]
  void agent.run(['receive', ...options])
  for (;;) {
    const status = (await callControl(control, 'status').catch(() => undefined)) as Status
    if (status !== undefined) return { agent, control, address: String(status['listening']) }
    if (!agent.isAlive) throw new Error(`no destination: ${agent.stderr}`)
    await setTimeout(pollMs)
  }
}

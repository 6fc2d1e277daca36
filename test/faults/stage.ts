/**
 * Where a cell is played: a source and a destination, both in processes of their own, and the
 * network between them.
 *
 * @module
 */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { callControl } from '../../packages/cli/src/control-connection.ts'
import type { Ended } from './agent-process.ts'
import { AgentProcess, freshFile } from './agent-process.ts'
import type { Fault } from './fault.ts'
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

type Disks = Pick<Fault, 'hasRecords' | 'smallDisk'>

/** For one cell after the other. */
export class Stage {
  proxy: FaultProxy = undefined!
  #source: AgentProcess | undefined
  #served: Served | undefined
  #receive: readonly string[] = []
  /** Of the source, for one cell. */
  #stateDirectory: string | undefined
  #disk: string | undefined
  #diskOwner: AgentProcess | undefined
  /** What `send --recover` ended with. */
  recoveryCode: number | undefined
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
  async prepare(receive: readonly string[], { hasRecords, smallDisk }: Disks = {}): Promise<void> {
    this.dead.length = 0
    this.recoveryCode = undefined
    this.#stateDirectory = hasRecords === true ? freshFile('source-records') : undefined
    if (smallDisk === 'source') await this.#source?.end()
    if (this.#source?.isAlive !== true) {
      this.#source = new AgentProcess(smallDisk === 'source' ? this.#stateDirectory : undefined)
    }
    const isSame = receive.join(' ') === this.#receive.join(' ') && hasRecords !== true
    if (this.#served?.agent.isAlive === true && isSame) return
    await this.#served?.agent.end()
    const records = freshFile('destination-records')
    this.#receive = hasRecords === true ? [...receive, '--state-dir', records] : receive
    this.#served = await serve(this.#receive, smallDisk === 'destination' ? records : undefined)
    this.#disk = smallDisk === 'destination' ? records : this.#stateDirectory
    this.#diskOwner = smallDisk === 'destination' ? this.destination : this.source
  }

  /** Nothing more can be written where records are. */
  fillDisk(): void {
    const filler = openSync(this.#filler, 'w')
    try {
      for (;;) writeSync(filler, new Uint8Array(4096))
    } catch {
      // That was the last block.
    } finally {
      closeSync(filler)
    }
  }

  emptyDisk(): void {
    rmSync(this.#filler, { force: true })
  }

  get #filler(): string {
    return this.#diskOwner!.pathWithin(join(this.#disk!, 'filler'))
  }

  /** Another process finds out what became of the guest of the one that was killed. */
  async recoverSource(): Promise<void> {
    this.dead.push(this.source)
    await this.source.end()
    this.#source = new AgentProcess()
    const recover = ['send', '--recover', '--state-dir', this.#stateDirectory!]
    const { code } = await this.#source.run(recover)
    this.recoveryCode = code
  }

  /** Has the source run a command. */
  async send(args: readonly string[]): Promise<Ended> {
    this.isSourceOver = false
    const records = this.#stateDirectory
    const more = records === undefined ? [] : ['--state-dir', records]
    const ended = await this.source.run([...args, ...more])
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
      const isWaiting = ({ state }: { state: string }): boolean => /paused|holding/.test(state)
      return (sessions as { state: string }[]).every(isWaiting)
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
  async fence(state: 'paused' | 'bereaved'): Promise<void> {
    const waiting = await this.#when('source', (status) => status['state'] === state)
    if (waiting === undefined) return
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

async function serve(receive: readonly string[], disk?: string): Promise<Served> {
  const agent = new AgentProcess(disk)
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

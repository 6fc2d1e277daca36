/**
 * `godwit relay`: clients of a service stay connected to it while the service moves.
 *
 * @module
 */
import { GodwitError, parseDurationMs } from '@godwit/core'
import { type Place, Relay } from '@godwit/memcached'
import { formatHostPort, isLoopback, parseAddress, toTransportError } from '@godwit/transport'
import type { Command } from 'commander'
import type { Caller, ControlCommands, ControlOptions, ControlServer } from './control-socket.ts'
import { serveControl } from './control-socket.ts'
import type { ExitCode } from './exit-code.ts'
import { ExitCode as Exit } from './exit-code.ts'
import { listenToInterrupts } from './interrupt.ts'
import { note, print } from './output.ts'

interface RelaySettings {
  readonly listen: string
  readonly to?: string
  readonly control?: string
  readonly holdFor?: number
  readonly insecure?: boolean
  readonly quiet?: boolean
}

const examples = `
Clients connect to the relay; send tells it where the service is, before and after it moves:
  godwit relay --listen 127.0.0.1:11211 --control relay.sock
  godwit send memcached,port=11922,next=11923,relay=relay.sock --to 127.0.0.1:7000`

/** Adds the command; `finish` gets the exit code. */
export function addRelayCommand(program: Command, finish: (code: ExitCode) => void): void {
  program
    .command('relay')
    .description('Keep clients of a memcached guest connected while it moves')
    .requiredOption('--listen <ADDRESS>', 'where clients connect to, HOST:PORT; port 0 takes any')
    .option(
      '--to <ADDRESS>',
      'where the service is, HOST:PORT (default: clients wait until `send` tells)',
    )
    .option(
      '--control <SOCKET>',
      'serve `send memcached,relay=SOCKET`, and `godwit status` and `set to=ADDRESS`, at this path',
    )
    .option(
      '--hold-for <T>',
      'how long clients wait for a new owner before they are disconnected (default 10s)',
      parseDurationMs,
    )
    .option('--insecure', 'listen, or forward, off loopback: nobody is authenticated, in the clear')
    .option('--quiet', 'print nothing but errors and the address')
    .addHelpText('after', examples)
    .action(async (settings: RelaySettings) => {
      finish(await relay(settings))
    })
}

/** @throws {GodwitError} `ADDRESS_INVALID`, `INSECURE_ADDRESS` */
function readPlace(text: string, { insecure }: RelaySettings, mayBeAny: boolean): Place {
  const { transport, host, port } = parseAddress(text)
  if (transport !== 'tcp' || (port === 0 && !mayBeAny)) {
    const form = 'HOST:PORT, with a port'
    throw new GodwitError('ADDRESS_INVALID', `"${text}" is not where a service is: ${form}`)
  }
  if (insecure === true || isLoopback(host)) return { host, port }
  throw new GodwitError(
    'INSECURE_ADDRESS',
    `${host} reaches beyond this machine, and memcached knows no authentication; ` +
      'take a tunnel to 127.0.0.1, or start the relay with --insecure in a network you trust',
  )
}

function format({ host, port }: Place): string {
  return formatHostPort(host, port)
}

async function relay(settings: RelaySettings): Promise<ExitCode> {
  const { listen, to, control, holdFor } = settings
  if (to === undefined && control === undefined) {
    throw new GodwitError('USAGE', 'relay needs --to, or --control for a `send` that tells')
  }
  const at = readPlace(listen, settings, true)
  const owner = to === undefined ? {} : { to: readPlace(to, settings, false) }
  const say = settings.quiet === true ? (): void => {} : note
  const relaying = await Relay.listen(at, {
    ...owner,
    ...(holdFor === undefined ? {} : { holdMs: holdFor }),
    onGivenUp: (clients) =>
      note(`nobody said in time where the service is: ${clients} clients were disconnected`),
  }).catch((thrown: unknown) => {
    throw toTransportError(thrown, listen)
  })
  let server: ControlServer | undefined
  try {
    const commands = new RelayControl(relaying, settings, say).commands
    if (control !== undefined) server = await serveControl(control, commands)
    const interrupts = listenToInterrupts()
    print(`listening ${format(relaying.place)}`)
    await interrupts.first
    interrupts.stop()
    return Exit.Done
  } finally {
    server?.close()
    relaying.close()
  }
}

/** The source agent whose guest the relay follows. */
interface Follower {
  readonly owner: Place
  readonly next: Place
}

/** What may be asked of a relay at its control socket. */
class RelayControl {
  readonly #relay: Relay
  readonly #settings: RelaySettings
  readonly #say: (text: string) => void
  #agent: Follower | undefined

  constructor(relaying: Relay, settings: RelaySettings, say: (text: string) => void) {
    this.#relay = relaying
    this.#settings = settings
    this.#say = say
  }

  get commands(): ControlCommands {
    return {
      status: () => this.#status(),
      set: (options) => this.#set(options),
      follow: (options, caller) => this.#follow(options, caller),
      hold: () => this.#hold(),
    }
  }

  #status(): object {
    const { place, owner, state, clientCount } = this.#relay
    return {
      role: 'relay',
      listening: format(place),
      state,
      owner: owner === undefined ? 'not told yet' : format(owner),
      ...(this.#agent === undefined ? {} : { next: format(this.#agent.next) }),
      clients: clientCount,
    }
  }

  /** Forwards to another owner, what the one before was sent being answered first. */
  async #set(options: ControlOptions): Promise<object> {
    const unknown = Object.keys(options).find((name) => name !== 'to')
    if (unknown !== undefined) {
      throw new GodwitError('USAGE', `"${unknown}" cannot be set of a relay; there is to`)
    }
    const to = this.#read(options, 'to')
    const { state, owner } = this.#relay
    const isForwarding = state === 'forwarding'
    if (isForwarding && owner!.host === to.host && owner!.port === to.port) return options
    if (isForwarding) await this.#relay.hold()
    this.#relay.release(to)
    this.#say(`forwarding to ${format(to)}`)
    return options
  }

  #read(options: ControlOptions, name: string): Place {
    return readPlace(options[name] ?? '', this.#settings, false)
  }

  /** For a source agent: where its guest is, and where it is going. It stays connected. */
  async #follow(options: ControlOptions, caller: Caller): Promise<object> {
    if (this.#agent !== undefined) {
      throw new GodwitError('ADDRESS_IN_USE', 'The relay follows the guest of another agent')
    }
    const agent = { owner: this.#read(options, 'owner'), next: this.#read(options, 'next') }
    this.#agent = agent
    caller.keep(() => void this.#agentGone(agent))
    await this.#set({ to: format(agent.owner) })
    return { following: format(agent.owner) }
  }

  async #hold(): Promise<object> {
    const { dropped } = await this.#relay.hold(this.#agent?.next)
    if (dropped > 0) this.#say(`${dropped} clients did not take their replies: disconnected`)
    return { held: true, dropped }
  }

  /** The agent has ended, or died; in the latter case nobody else says who the owner is. */
  async #agentGone({ owner, next }: Follower): Promise<void> {
    this.#agent = undefined
    if (this.#relay.state === 'forwarding') return
    note(
      `the agent went away and left clients waiting: ${format(owner)} and ${format(next)} are ` +
        'asked which of them has the service',
    )
    const found = await this.#relay.seek([owner, next])
    if (found !== undefined) note(`${format(found)} has it: forwarding there`)
  }
}

/**
 * An urgent channel on a thread of its own: the thread's end.
 *
 * @module
 */
import type { Channel, Clock, DetachedChannel, GodwitError, PageHasher, Port } from '@godwit/core'
import { errorParts, toGodwitError } from '@godwit/core'
import type { Primitives, SentPages, Workspace } from '@godwit/codec'
import type { Link } from '@godwit/link'
import type { SealTools } from '@godwit/seal'
import { ChannelRole } from '@godwit/wire'
import { openLink } from './channels.ts'
import { pushOfSpans, sentOfSpans } from './round-spans.ts'
import { sealsOf } from './seals.ts'
import type { UrgentCommand, UrgentReport } from './urgent-messages.ts'
import type { UrgentOptions } from './urgent.ts'
import { Urgent } from './urgent.ts'
import { warmUpUrgent } from './warm-up-urgent.ts'

export type { UrgentCommand, UrgentReport }

/** What a thread has of the runtime. */
export interface UrgentEnvironment {
  readonly primitives: Primitives
  readonly clock: Clock
  /** Makes a channel of a connection that was detached on another thread; owns its descriptor. */
  readonly attach: (detached: DetachedChannel) => Channel
  readonly sealTools: SealTools
  /** Runs with a connection of this thread to itself. @returns what ends both */
  readonly warmUp?: (begin: (near: Channel, far: Channel) => void) => () => void
  /** Has commands obeyed that were posted already. */
  readonly hearPosted: () => void
  /** CPU time of this thread so far. */
  readonly cpuSeconds: () => number
}

/** Serves one urgent channel. The thread is to be ended from outside, after `ended`. */
export function serveUrgent(
  port: Port<UrgentReport, UrgentCommand>,
  environment: UrgentEnvironment,
): void {
  const thread = new UrgentThread(port, environment)
  port.listen((command) => thread.obey(command))
}

class UrgentThread {
  readonly #port: Port<UrgentReport, UrgentCommand>
  readonly #environment: UrgentEnvironment
  #sent: readonly SentPages[] = []
  #options: UrgentOptions | undefined
  #link: Link | undefined
  #urgent: Urgent | undefined
  #endWarmUp: () => void = () => {}

  constructor(port: Port<UrgentReport, UrgentCommand>, environment: UrgentEnvironment) {
    this.#port = port
    this.#environment = environment
  }

  /** What goes wrong here has a reason, which the death of the thread would not tell. */
  obey(command: UrgentCommand): void {
    try {
      this.#do(command)
    } catch (thrown) {
      this.#lost(toGodwitError(thrown))
    }
  }

  #do(command: UrgentCommand): void {
    switch (command.do) {
      case 'prepare':
        this.#prepare(command)
        break
      case 'open':
        this.#open(command)
        break
      case 'skip':
        this.#urgent!.skip(command.round)
        break
      case 'begin': {
        const { round, known, push } = command
        this.#urgent!.begin(round, known, pushOfSpans(push, this.#sent))
        break
      }
      case 'end':
        this.#end()
        break
      case 'close':
        if (this.#urgent === undefined) this.#link?.close()
        else this.#urgent.close()
        break
    }
  }

  #end(): void {
    const { cpuSeconds } = this.#environment
    this.#urgent!.end((done) => {
      this.#port.post({ type: 'sent', done, cpuSeconds: cpuSeconds() })
    })
  }

  #prepare({ hash, seed, pageBytes, memoryBytes, sent }: UrgentCommand & { do: 'prepare' }): void {
    const { primitives, clock, hearPosted, warmUp } = this.#environment
    this.#sent = sentOfSpans(sent, pageBytes)
    this.#options = {
      pageBytes,
      primitives,
      createHasher: (workspace: Workspace): PageHasher => workspace.createHasher(hash, seed),
      sent: this.#sent,
      onLost: (error) => this.#lost(error),
      hearPosted,
    }
    const options = this.#options
    this.#endWarmUp =
      warmUp?.((near, far) => warmUpUrgent(near, far, clock, options, memoryBytes)) ?? (() => {})
  }

  #open({ channel, preface, secret }: UrgentCommand & { do: 'open' }): void {
    this.#endWarmUp()
    // First: whoever hears nothing of the kind closes the descriptor.
    this.#port.post({ type: 'attached' })
    const { attach, clock, cpuSeconds, sealTools } = this.#environment
    const attached = attach(channel)
    const link = openLink(
      sealsOf(sealTools, secret)?.seal(attached, ChannelRole.Urgent) ?? attached,
      clock,
      preface,
      (self) => {
        this.#urgent = new Urgent(self, this.#options!)
        this.#port.post({ type: 'opened' })
        return this.#urgent
      },
      (error) => this.#lost(error),
    )
    this.#link = link
    void link.ended.then(() => {
      this.#port.post({ type: 'ended', wireBytes: link.wireBytes, cpuSeconds: cpuSeconds() })
    })
  }

  #lost(error: GodwitError | undefined): void {
    this.#port.post({ type: 'lost', error: error && errorParts(error) })
  }
}

/**
 * Runs a machine: feeds it events one at a time, has its effects performed in order, and reports
 * what comes of the asynchronous ones. Both agents use it; it knows neither side.
 *
 * @module
 */

/** What a machine and its agent are to the runner. */
export interface RunnerParts<State, Event, Effect> {
  readonly initial: State
  step(state: State, event: Event): { readonly state: State; readonly effects: readonly Effect[] }
  /** Performs one effect; whatever it throws becomes a failure event. */
  perform(effect: Effect): void
  /** The event that stands for something thrown. */
  failure(thrown: unknown): Event
  isFinished(state: State): boolean
}

/** The only place where a migration's state changes. */
export class Runner<State, Event, Effect> {
  /** Resolves when the machine has finished and no asynchronous effect is under way. */
  readonly finished: Promise<void>
  readonly #parts: RunnerParts<State, Event, Effect>
  readonly #events: Event[] = []
  readonly #inFlight = new Set<Promise<unknown>>()
  readonly #resolveFinished: () => void
  #state: State
  #dispatching = false

  constructor(parts: RunnerParts<State, Event, Effect>) {
    this.#parts = parts
    this.#state = parts.initial
    const { promise, resolve } = Promise.withResolvers<void>()
    this.finished = promise
    this.#resolveFinished = resolve
  }

  get state(): State {
    return this.#state
  }

  /** Feeds an event. One that comes while effects are performed waits for its turn. */
  dispatch(event: Event): void {
    this.#events.push(event)
    if (this.#dispatching) return
    this.#dispatching = true
    for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
      try {
        const { state, effects } = this.#parts.step(this.#state, next)
        this.#state = state
        for (const effect of effects) this.#parts.perform(effect)
      } catch (thrown) {
        this.#events.unshift(this.#parts.failure(thrown))
      }
    }
    this.#dispatching = false
    this.#settle()
  }

  fail(thrown: unknown): void {
    this.dispatch(this.#parts.failure(thrown))
  }

  /**
   * Starts an asynchronous effect; the event it resolves with is fed back.
   *
   * @param isWanted - asked when it is over: whether anybody still cares what came of it
   */
  start(work: () => Promise<Event>, isWanted: () => boolean = () => true): void {
    const tell = (event: Event): void => {
      if (isWanted()) this.dispatch(event)
    }
    const running = work().then(tell, (thrown: unknown) => tell(this.#parts.failure(thrown)))
    this.hold(running)
  }

  /** The migration is not over before `work` has settled. */
  hold(work: Promise<unknown>): void {
    this.#inFlight.add(work)
    const release = (): void => {
      this.#inFlight.delete(work)
      this.#settle()
    }
    work.then(release, release)
  }

  #settle(): void {
    if (this.#inFlight.size === 0 && this.#parts.isFinished(this.#state)) this.#resolveFinished()
  }
}

/**
 * The suite for sources: it plays the destination, to whatever source dials.
 *
 * @module
 */
import { GodwitError } from '@godwit/core'
import type { Hello } from '@godwit/wire'
import type { Case } from './case.ts'
import { Failure, Skip } from './failure.ts'
import type { CaseResult } from './result.ts'
import type { SourceContext } from './scripted-destination.ts'
import { ScriptedDestination } from './scripted-destination.ts'
import { ownershipCases } from './source/ownership.ts'
import { pageCases } from './source/pages.ts'
import { recoveryCases } from './source/recovery.ts'
import { refusalCases } from './source/refusals.ts'
import { staticCases } from './source/static.ts'
import { wholeCases } from './source/whole.ts'
import type { Caller } from './source-listener.ts'
import { SourceListener } from './source-listener.ts'
import { playAll } from './suite.ts'
import { Trace } from './trace.ts'

/** All cases, in the order in which they are played. */
export const sourceCases: readonly Case<SourceContext>[] = [
  ...wholeCases,
  ...refusalCases,
  ...pageCases,
  ...staticCases,
  ...recoveryCases,
  ...ownershipCases,
]

/** A source that was started for a case. */
export interface StartedSource {
  /** Ends it, whether it has ended by itself or not. */
  readonly stop: () => Promise<void>
}

/** Where to listen, and how sources come. */
export interface SourceSuiteOptions {
  readonly host: string
  /** 0 takes any. */
  readonly port: number
  readonly cases?: readonly Case<SourceContext>[]
  /**
   * Starts a source that dials `address` and moves its guest by `mode`; asked for whenever a case
   * needs one. Without it somebody else sees to that.
   */
  readonly start?: (address: string, mode: 'pre-copy' | 'post-copy') => StartedSource
  /** How long a source may take to dial. */
  readonly waitMs?: number
  readonly timeoutMs?: number
  readonly every?: number
  /** The suite listens. */
  readonly listening?: (address: string) => void
  readonly began?: (one: Case<SourceContext>, index: number) => void
  readonly ended?: (result: CaseResult) => void
}

/**
 * Plays them.
 *
 * @throws {GodwitError} `ADDRESS_UNAVAILABLE`; `CONNECTION_TIMEOUT`: no source came
 */
export async function testSource(options: SourceSuiteOptions): Promise<readonly CaseResult[]> {
  const { host, cases = sourceCases, timeoutMs = 5000, every = 1, waitMs = 60_000 } = options
  const trace = new Trace()
  const listener = await SourceListener.listen(host, options.port, trace, timeoutMs)
  const address = `${host}:${listener.port}`
  options.listening?.(address)
  const callers: Caller[] = []
  const started: StartedSource[] = []
  const endAll = async (): Promise<void> => {
    for (const caller of callers.splice(0)) listener.forget(caller)
    for (const source of started.splice(0)) await source.stop()
  }
  try {
    return await playAll({
      cases,
      trace,
      context(_trace, { mode = 'pre-copy' }) {
        const caller = async (): Promise<Caller> => {
          await endAll()
          if (options.start !== undefined) started.push(options.start(address, mode))
          const next = await listener.next(waitMs)
          if (next === undefined) throw nobody(address, waitMs)
          callers.push(next)
          return next
        }
        return {
          trace,
          timeoutMs,
          every,
          caller,
          async destination(terms = {}, choose = () => ({})) {
            const next = await caller()
            next.control.preface(next.preface)
            const hello = await helloOf(next, mode)
            return new ScriptedDestination(next, hello, { ...terms, ...choose(hello) })
          },
        }
      },
      cleanUp: endAll,
      began: options.began,
      ended: options.ended,
    })
  } finally {
    await endAll()
    await listener.close()
  }
}

function nobody(address: string, waitMs: number): GodwitError {
  const text = `No source dialled ${address} within ${waitMs / 1000} s`
  return new GodwitError('CONNECTION_TIMEOUT', text)
}

/** @throws {Skip} the source moves its guest in another mode */
async function helloOf(caller: Caller, mode: string): Promise<Hello> {
  const { control, exchange } = caller
  const heard = await exchange.next(control, 'C4.19', 'HELLO')
  if (heard.kind !== 'message' || heard.message.name !== 'Hello') {
    throw new Failure('C4.19', 'HELLO', heard.kind)
  }
  const hello = heard.message.body
  if (hello.mode === mode) return hello
  throw new Skip(`the source moves its guest by ${hello.mode}; this case takes ${mode}`)
}

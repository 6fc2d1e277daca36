/**
 * The suite for destinations: it plays the source.
 *
 * @module
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { TransportError } from '@godwit/core'
import type { Case } from './case.ts'
import { batchCases } from './destination/batches.ts'
import { bodyCases } from './destination/bodies.ts'
import { frameCases } from './destination/frames.ts'
import { nakCases } from './destination/naks.ts'
import { ownershipCases } from './destination/ownership.ts'
import { postCopyCases } from './destination/post-copy.ts'
import { prefaceCases } from './destination/prefaces.ts'
import { recoveryCases } from './destination/recovery.ts'
import { reverseCases } from './destination/reverse.ts'
import { richCases } from './destination/rich.ts'
import { roundCases } from './destination/rounds.ts'
import { stateCases } from './destination/states.ts'
import { staticCases } from './destination/static.ts'
import { termsCases } from './destination/terms.ts'
import { workloadState } from './guest-memory.ts'
import type { CaseResult } from './result.ts'
import type { DestinationContext } from './scripted-source.ts'
import { ScriptedSource } from './scripted-source.ts'
import { playAll } from './suite.ts'
import { Trace } from './trace.ts'

/** All cases, in the order in which they are played. */
export const destinationCases: readonly Case<DestinationContext>[] = [
  ...prefaceCases,
  ...frameCases,
  ...bodyCases,
  ...termsCases,
  ...staticCases,
  ...batchCases,
  ...richCases,
  ...roundCases,
  ...nakCases,
  ...stateCases,
  ...postCopyCases,
  ...recoveryCases,
  ...ownershipCases,
  ...reverseCases,
]

/** Against whom, and with what guest. */
export interface DestinationSuiteOptions {
  readonly host: string
  readonly port: number
  readonly cases?: readonly Case<DestinationContext>[]
  /** Of a kind that the destination knows. Default: Godwit's `idle`. */
  readonly guest?: DestinationContext['guest']
  /** What such a guest takes for its state; default: that of Godwit's workloads. */
  readonly state?: Uint8Array
  readonly timeoutMs?: number
  /** Of long lists of variants every n-th; default 1: all. */
  readonly every?: number
  readonly began?: (one: Case<DestinationContext>, index: number) => void
  readonly ended?: (result: CaseResult) => void
}

/** @throws {TransportError} `CONNECTION_REFUSED`: there is nobody to be tested */
async function reach(host: string, port: number): Promise<void> {
  const socket = connect({ host, port })
  try {
    await once(socket, 'connect')
  } catch (thrown) {
    const { message } = thrown as Error
    throw new TransportError('CONNECTION_REFUSED', `${host}:${port} cannot be reached: ${message}`)
  } finally {
    socket.destroy()
  }
}

/**
 * Plays them.
 *
 * @throws {TransportError} `CONNECTION_REFUSED`
 */
export async function testDestination(
  options: DestinationSuiteOptions,
): Promise<readonly CaseResult[]> {
  const { host, port, cases = destinationCases, timeoutMs = 5000, every = 1 } = options
  const { guest = { kind: 'idle', options: {} }, state = workloadState() } = options
  await reach(host, port)
  const trace = new Trace()
  let sources: ScriptedSource[] = []
  return playAll({
    cases,
    trace,
    context() {
      const context: DestinationContext = {
        trace,
        host,
        port,
        guest,
        state,
        timeoutMs,
        every,
        source(terms) {
          const source = new ScriptedSource(context, terms)
          sources.push(source)
          return source
        },
      }
      return context
    },
    async cleanUp() {
      for (const source of sources) await source.end()
      sources = []
    },
    began: options.began,
    ended: options.ended,
  })
}

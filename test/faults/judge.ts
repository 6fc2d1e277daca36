/**
 * What became of a guest, and whether that may be.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import type { Fault } from './fault.ts'
import type { Record } from './journal.ts'
import { overlap } from './journal.ts'

/** Ends that may be, and those that may not, in capitals. */
export const OUTCOMES = [
  'completed',
  /** The attempt failed, the guest went on at the source, and another attempt moved it. */
  'failed-then-moved',
  /** The same migration went on after post-copy was interrupted. */
  'recovered',
  /** At the destination, as its own records and memory tell; the source never heard the end. */
  'arrived-unheard',
  'in-doubt',
  'taken-over',
  'lost-with-host',
  /** The frame at which it was to strike did not come. */
  'missed',
  'WRONG',
  'DOUBLE',
  'LOST',
  'HANG',
] as const
export type Outcome = (typeof OUTCOMES)[number]

export interface Verdict {
  readonly outcome: Outcome
  readonly why?: string
}

/** All that is known when a cell is over. */
export interface Evidence {
  readonly fault: Fault
  readonly wasStruck: boolean
  /** READY was on its way to the source, which lets go of the guest then. */
  readonly wasReady: boolean
  /** COMMIT was on its way to the destination, in some attempt. */
  readonly wasCommitted: boolean
  /** Of the source's command; undefined where it was killed. */
  readonly code: number | undefined
  /** Of `send --recover`, where there was one. */
  readonly recoveryCode?: number | undefined
  readonly stderr: string
  readonly report: Report | undefined
  readonly source: Record
  readonly destination: Record
  /** Of this cell, and killed. */
  readonly dead: readonly Record[]
}

export function isBad({ outcome }: Verdict): boolean {
  return outcome === outcome.toUpperCase()
}

/** The only function that says how a cell ended. */
export function judge(evidence: Evidence): Verdict {
  const { source, destination, dead } = evidence
  if (overlap([source, destination, ...dead])) {
    return { outcome: 'DOUBLE', why: 'two sides ran the guest at the same time' }
  }
  const verdict = judgeEnd(evidence)
  if (!evidence.wasStruck && verdict.outcome === 'completed') return { outcome: 'missed' }
  return verdict
}

function judgeEnd(evidence: Evidence): Verdict {
  switch (evidence.code) {
    case 0:
      return judgeMoved(evidence)
    case 4:
      return judgeDoubt(evidence)
    case 5:
      return arrived(evidence, 'arrived-unheard')
    case 6:
      return evidence.fault.kills === undefined
        ? { outcome: 'LOST', why: 'nobody was killed' }
        : { outcome: 'lost-with-host' }
    case 7:
      return judgeTakeover(evidence)
    case 8:
      return evidence.fault.kills === 'destination'
        ? { outcome: 'lost-with-host' }
        : { outcome: 'LOST', why: 'no destination was killed' }
    case undefined:
      return judgeOrphan(evidence)
    default:
      return { outcome: 'WRONG', why: `no attempt succeeded: exit code ${evidence.code}` }
  }
}

function judgeMoved(evidence: Evidence): Verdict {
  const { memory, guestProof, recoveries } = evidence.report!
  if (memory?.equal !== true) return { outcome: 'WRONG', why: 'the digests differ' }
  if (guestProof?.continuous !== true) return { outcome: 'WRONG', why: 'not as if it had stayed' }
  if (/trying again/.test(evidence.stderr)) return arrived(evidence, 'failed-then-moved')
  return arrived(evidence, recoveries === undefined ? 'completed' : 'recovered')
}

/** The guest ran to the end of its time at the destination, whose witness has looked at it. */
function arrived(evidence: Evidence, outcome: Outcome): Verdict {
  const { destination, dead, fault, source } = evidence
  const isWitnessed = destination.isRight !== undefined
  if (fault.kills === 'destination' && !isWitnessed) {
    const ran = [destination, ...dead].some(({ spans }) => spans.length > 0)
    if (ran) return { outcome: 'lost-with-host' }
  }
  if (destination.spans.length !== 1) {
    return { outcome: 'WRONG', why: `it ran there ${destination.spans.length} times` }
  }
  if (destination.isRight !== true) return { outcome: 'WRONG', why: 'its memory is wrong there' }
  const last = source.spans.at(-1)
  if (last !== undefined && last.toNs > destination.spans[0]!.fromNs) {
    return { outcome: 'DOUBLE', why: 'the source ran it after the destination had' }
  }
  return { outcome }
}

/** The source does not know; there is still one at the most, and that one is right. */
function judgeDoubt(evidence: Evidence): Verdict {
  if (!evidence.wasReady) return { outcome: 'WRONG', why: 'in doubt before READY' }
  // Whoever can be asked is asked.
  return evidence.fault.kills === 'destination'
    ? { outcome: 'in-doubt' }
    : { outcome: 'WRONG', why: 'in doubt, and the destination was there to be asked' }
}

function judgeTakeover({ fault, source }: Evidence): Verdict {
  if (fault.kills !== 'destination') return { outcome: 'WRONG', why: 'nobody was to be fenced' }
  return source.isRight === true
    ? { outcome: 'taken-over' }
    : { outcome: 'WRONG', why: 'its memory is wrong here' }
}

/** The source was killed. What it had not handed over went with it. */
function judgeOrphan(evidence: Evidence): Verdict {
  const { fault, destination, recoveryCode, wasCommitted } = evidence
  if (fault.kills !== 'source') return { outcome: 'WRONG', why: 'the source died by itself' }
  const ran = destination.spans.length > 0
  const isThere = ran && destination.isRight === true
  if (recoveryCode === 4) {
    // A destination that heard END has nothing in writing any more: there it did run to its end.
    return isThere
      ? { outcome: 'in-doubt' }
      : { outcome: 'WRONG', why: 'the destination could be asked' }
  }
  if (isThere && recoveryCode === 8) return { outcome: 'WRONG', why: 'it is not lost' }
  // By asking, a guest that was held is handed over.
  if (ran && !wasCommitted) return { outcome: 'WRONG', why: 'started without COMMIT' }
  return { outcome: isThere ? 'arrived-unheard' : 'lost-with-host' }
}

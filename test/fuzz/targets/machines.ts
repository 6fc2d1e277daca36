/**
 * Each machine of a session by itself, with a peer that says anything at any time: an input is a
 * byte of terms and then steps of three bytes each. What the machine asks its agent for is answered
 * as the agent would, sooner or later.
 *
 * @module
 */
import type { ErrorCode, GodwitError } from '@godwit/core'
import {
  CancelledError,
  GodwitError as AnyError,
  PeerError,
  ProtocolError,
  TransportError,
} from '@godwit/core'
import { seededRandom } from '@godwit/testkit'
import type { Message, MessageName } from '@godwit/wire'
import { FrameType } from '@godwit/wire'
import type { Setting } from '../../../packages/session/test/setting.ts'
import { compose } from '../../../packages/session/test/setting.ts'
import type { Field, Random } from '../mutator.ts'
import { pick, randomBytes } from '../mutator.ts'
import type { Target } from '../target.ts'
import { withoutNumbers } from '../target.ts'

const modes = ['stop-copy', 'pre-copy', 'post-copy', 'hybrid'] as const
const kinds = ['full', 'dirty', 'final', 'post-copy'] as const
const names = Object.keys(FrameType).filter((name) => name !== 'Invalid') as MessageName[]
const ownerAnswers = ['prepared', 'running', 'refused', 'lost', 'ended'] as const
const stepBytes = 3
const stepsMax = 120
const triesMax = 60
const seedCount = 200
const epochMax = 4
const roundMax = 8

/** What the first byte stands for. */
export function settingOf(byte: number): Setting {
  return {
    mode: modes[byte & 3]!,
    verify: (byte & 4) > 0,
    final: (byte & 8) > 0,
    recovers: (byte & 16) > 0,
    keepsCheckpoints: (byte & 32) > 0,
    postCopy: (byte & 64) > 0,
    asks: (byte & 128) > 0,
    roundsMax: 2,
  }
}

/** A failure of this side, of the network, or as the peer tells it. */
export function failureOf(byte: number): GodwitError {
  const codes: readonly ErrorCode[] = [
    'CANCELLED',
    'SESSION_UNKNOWN',
    'EPOCH_STALE',
    'GUEST_FAILED',
  ]
  switch (byte % 4) {
    case 0:
      return new TransportError('CONNECTION_LOST', 'cut')
    case 1:
      return new CancelledError()
    case 2:
      return new PeerError(codes[(byte >>> 2) % codes.length]!, 'told')
    default:
      return new AnyError(codes[(byte >>> 2) % codes.length]!, 'failed')
  }
}

function messageOf(which: number, how: number): Message {
  const kind = kinds[(how >>> 5) & 3]!
  const owner = ownerAnswers[(how >>> 4) % ownerAnswers.length]!
  const more = { kind, epoch: (how >>> 3) % epochMax, postCopy: how > 127, owner }
  return compose(names[which % names.length]!, how % roundMax, more)
}

/** One machine under test, and the rules that it must keep. */
export interface Bench {
  /** Something that its agent was asked for is done. @returns whether there was anything */
  work(choice: number): boolean
  /** @throws {ProtocolError} */
  hear(message: Message): void
  fail(error: GodwitError): void
  /** Whatever else may happen at this time, if anything does. */
  befall(choice: number): void
  readonly name: string
}

/** A bench that can be asked what it would do. */
export interface GuidedBench extends Bench {
  wouldHear(message: Message): boolean
}

/** By state: what the peer is to say. */
export type Expected = Readonly<Record<string, readonly MessageName[]>>

/** Hears a message as agents do: what is refused is a failure. */
function tell(bench: Bench, message: Message): string {
  try {
    bench.hear(message)
    return ''
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    bench.fail(error)
    return withoutNumbers(error.message)
  }
}

function play(bench: Bench, input: Uint8Array): string {
  const visited = new Set<string>()
  let refused = ''
  for (let at = 1; at + stepBytes <= input.length; at += stepBytes) {
    const [what, which, how] = [input[at]! % 8, input[at + 1]!, input[at + 2]!]
    if (what < 4) bench.work(which)
    else if (what < 6) refused = tell(bench, messageOf(which, how)) || refused
    else if (what === 6) bench.fail(failureOf(which))
    else bench.befall(which)
    visited.add(bench.name)
  }
  return `${bench.name} ${refused === '' ? visited.size : refused}`
}

/** Steps that mostly are what the machine waits for, so that it gets far. */
function walk(bench: GuidedBench, waitsFor: Expected, steps: number, random: Random): number[] {
  const bytes: number[] = []
  for (let left = steps; left > 0; left--) {
    const choice = random(256)
    if (random(3) > 0 && bench.work(choice)) {
      bytes.push(random(4), choice, 0)
    } else if (random(30) === 0) {
      const what = 6 + (random(4) > 0 ? 1 : 0)
      bytes.push(what, choice, 0)
      if (what === 6) bench.fail(failureOf(choice))
      else bench.befall(choice)
    } else {
      const said = likely(bench, waitsFor, random)
      if (said === undefined) continue
      bytes.push(4, ...said)
      tell(bench, messageOf(...said))
    }
  }
  return bytes
}

/** What the peer would say now, with few exceptions; undefined where it would wait. */
function likely(
  bench: GuidedBench,
  waitsFor: Expected,
  random: Random,
): readonly [which: number, how: number] | undefined {
  if (random(60) === 0) return [random(names.length), random(256)]
  const awaited = waitsFor[bench.name] ?? []
  // Most bodies do not matter; of rounds, kinds and epochs some are right.
  for (let tries = 0; tries < triesMax && awaited.length > 0; tries++) {
    const said = [names.indexOf(pick(awaited, random)), random(256)] as const
    if (bench.wouldHear(messageOf(...said))) return said
  }
  return undefined
}

const noFields = (input: Uint8Array): readonly Field[] => {
  const length = Math.min(input.length, stepBytes * stepsMax)
  return Array.from({ length }, (_, at) => ({ at, byteCount: 1 }))
}

/** A target of one kind of machine; `waitsFor` helps to make inputs that get far. */
export function machineTarget(
  name: string,
  create: (setting: Setting) => GuidedBench,
  waitsFor: Expected,
  reaches: readonly string[],
): Target {
  const make = (steps: number, random: Random): Uint8Array => {
    const terms = random(256)
    return Uint8Array.of(terms, ...walk(create(settingOf(terms)), waitsFor, steps, random))
  }
  const random = seededRandom(1)
  return {
    name,
    seeds: Array.from({ length: seedCount }, () => make(random(stepsMax), random)),
    reaches,
    inputBytesMax: 1 + stepBytes * stepsMax,
    allocatedBytesMax: () => 8 << 20,
    cpuMsMax: 100,
    fieldsOf: noFields,
    generate(random) {
      if (random(20) === 0) return randomBytes(random(stepBytes * stepsMax), random)
      return make(random(stepsMax), random)
    },
    run(input) {
      return play(create(settingOf(input[0] ?? 0)), input)
    },
  }
}

/** Takes out of `list` what `choice` means, if it is not empty. */
export function takeOne<Kind>(list: Kind[], choice: number): Kind | undefined {
  return list.splice(choice % Math.max(1, list.length), 1)[0]
}

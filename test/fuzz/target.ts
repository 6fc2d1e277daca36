/**
 * What a fuzz target is, and the checks that targets share.
 *
 * @module
 */
import type { ErrorCode } from '@godwit/core'
import { GodwitError } from '@godwit/core'
import type { Field, Random } from './mutator.ts'

/** One decoder, and what must hold whatever it is given. */
export interface Target {
  readonly name: string
  /** Inputs to begin with. */
  readonly seeds: readonly Uint8Array[]
  /** Starts of labels that even a short run must see: else it does not get deep. */
  readonly reaches: readonly string[]
  readonly inputBytesMax: number
  /** What one input may make this process allocate, harness included. */
  allocatedBytesMax(inputBytes: number): number
  /** CPU time of one input. */
  readonly cpuMsMax: number
  /** Where the lengths and counts of an input are. */
  fieldsOf(input: Uint8Array): readonly Field[]
  /** An input of the target's own making, right or nearly so; `pool` has those at hand. */
  generate(random: Random, pool: readonly Uint8Array[]): Uint8Array
  /**
   * Does it all.
   *
   * @returns a label: inputs that give a new one are kept to be mutated further
   * @throws whatever is a fault
   */
  run(input: Uint8Array): string
}

/** A rule that does not hold. */
export class Fault extends Error {
  override readonly name = 'Fault'
}

/** @throws {Fault} */
export function must(holds: boolean, rule: string): asserts holds {
  if (!holds) throw new Fault(rule)
}

/** The one kind of text for texts that differ in numbers only. */
export function withoutNumbers(text: string): string {
  return text.replaceAll(/0x[0-9a-f]+|\d+/gi, 'N')
}

/** What a call returned, or the typed error that it may throw; anything else is a fault. */
export type Outcome<Kind> =
  | { readonly value: Kind; readonly error: undefined }
  | { readonly value: undefined; readonly error: GodwitError }

export function outcomeOf<Kind>(call: () => Kind, codes: readonly ErrorCode[]): Outcome<Kind> {
  try {
    return { value: call(), error: undefined }
  } catch (error) {
    if (error instanceof GodwitError && codes.includes(error.code)) {
      return { value: undefined, error }
    }
    throw error
  }
}

/** An error as a label. */
export function labelOf(error: GodwitError): string {
  return `${error.code} ${withoutNumbers(error.message)}`
}

const guardByte = 0xa5

/** Memory with a guard on both sides of a part that may be written. */
export class GuardedBytes {
  readonly bytes: Uint8Array
  readonly #all: Uint8Array
  readonly #guard: Uint8Array

  constructor(byteCount: number, guardBytes = 256) {
    this.#guard = new Uint8Array(guardBytes).fill(guardByte)
    this.#all = new Uint8Array(byteCount + 2 * guardBytes).fill(guardByte)
    this.bytes = this.#all.subarray(guardBytes, guardBytes + byteCount)
  }

  /** @throws {Fault} */
  check(what: string): void {
    const { length } = this.#guard
    const head = this.#all.subarray(0, length)
    const tail = this.#all.subarray(this.#all.length - length)
    const isWhole = [head, tail].every((part) => Buffer.compare(part, this.#guard) === 0)
    if (!isWhole) {
      head.fill(guardByte)
      tail.fill(guardByte)
    }
    must(isWhole, `${what}: bytes outside were written`)
  }
}

/** The number at the start of an input, and what is behind it. */
export function splitNumber(input: Uint8Array): { number: number; rest: Uint8Array } {
  const head = new Uint8Array(4)
  head.set(input.subarray(0, 4))
  const number = new DataView(head.buffer).getUint32(0, true)
  return { number, rest: input.subarray(Math.min(4, input.length)) }
}

/** The four bytes that {@link splitNumber} reads. */
export function numberBytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, true)
  return bytes
}

/**
 * Edits of inputs: what a fuzzer tries. All of it follows from the random numbers it is given.
 *
 * @module
 */

/** Whole numbers `0 .. limit - 1`. */
export type Random = (limit: number) => number

/** A number within an input, little-endian: a length, a count, an index. */
export interface Field {
  readonly at: number
  readonly byteCount: 1 | 2 | 4
}

export interface MutationContext {
  readonly random: Random
  /** Other inputs, to take pieces of. */
  readonly others: readonly Uint8Array[]
  /** Numbers of the input at hand that mean something. */
  readonly fieldsOf: (input: Uint8Array) => readonly Field[]
  readonly inputBytesMax: number
}

type Edit = (bytes: Uint8Array, context: MutationContext) => Uint8Array

/** Borders of types, of pages, and of limits of the protocol; each plus or minus one, too. */
const borders = [
  0, 1, 4, 8, 16, 32, 64, 0x80, 0x100, 1024, 4096, 8192, 0x4000, 0x8000, 0x10000, 0x40000, 0x200000,
  0x400000, 0x800000, 0x1000000, 0x80000000, 0x100000000,
]
const editsMax = 6
const repeatsMax = 64

/** One of `list`. */
export function pick<Kind>(list: readonly Kind[], random: Random): Kind {
  return list[random(list.length)]!
}

/** Bytes one behind the other, in memory of their own. */
export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/** A number that decoders may stumble over. */
export function interesting(random: Random): number {
  return (pick(borders, random) + random(3) - 1) >>> 0
}

/** Mostly short, sometimes up to `limit`. */
export function someLength(limit: number, random: Random): number {
  const most = random(4) === 0 ? limit : Math.min(limit, pick([2, 8, 32, 256], random))
  return random(most + 1)
}

export function randomBytes(byteCount: number, random: Random): Uint8Array {
  return Uint8Array.from({ length: byteCount }, () => random(256))
}

function piece(bytes: Uint8Array, random: Random): Uint8Array {
  const start = random(bytes.length + 1)
  return bytes.subarray(start, start + someLength(bytes.length - start, random))
}

function writeNumber(bytes: Uint8Array, { at, byteCount }: Field, value: number): void {
  for (let i = 0; i < byteCount; i++) bytes[at + i] = value >>> (i * 8)
}

function readNumber(bytes: Uint8Array, { at, byteCount }: Field): number {
  let value = 0
  for (let i = 0; i < byteCount; i++) value |= bytes[at + i]! << (i * 8)
  return value >>> 0
}

/** What a length could be mistaken for. */
function anotherNumber(old: number, bytes: Uint8Array, at: number, random: Random): number {
  switch (random(7)) {
    case 0:
      return interesting(random)
    case 1:
      return old + 1 + random(4)
    case 2:
      return old - 1 - random(4)
    case 3:
      return bytes.length - at + random(3) - 1
    case 4:
      return bytes.length + random(3) - 1
    case 5:
      return old * 2
    default:
      return random(256)
  }
}

function setField(bytes: Uint8Array, context: MutationContext): Uint8Array {
  const fields = context.fieldsOf(bytes).filter((one) => one.at + one.byteCount <= bytes.length)
  if (fields.length === 0) return setNumber(bytes, context)
  const field = pick(fields, context.random)
  const old = readNumber(bytes, field)
  writeNumber(bytes, field, anotherNumber(old, bytes, field.at, context.random))
  return bytes
}

function setNumber(bytes: Uint8Array, { random }: MutationContext): Uint8Array {
  const byteCount = pick([1, 2, 4] as const, random)
  if (bytes.length < byteCount) return bytes
  const field = { at: random(bytes.length - byteCount + 1), byteCount }
  const value = anotherNumber(readNumber(bytes, field), bytes, field.at, random)
  writeNumber(bytes, field, value)
  // MessagePack is the other way round.
  if (random(3) === 0) bytes.subarray(field.at, field.at + byteCount).reverse()
  return bytes
}

function setByte(bytes: Uint8Array, { random }: MutationContext): Uint8Array {
  if (bytes.length > 0)
    bytes[random(bytes.length)] = random(2) === 0 ? interesting(random) : random(256)
  return bytes
}

function flipBit(bytes: Uint8Array, { random }: MutationContext): Uint8Array {
  if (bytes.length > 0) bytes[random(bytes.length)]! ^= 1 << random(8)
  return bytes
}

function truncate(bytes: Uint8Array, { random }: MutationContext): Uint8Array {
  return bytes.slice(0, bytes.length - someLength(bytes.length, random))
}

function extend(bytes: Uint8Array, { random }: MutationContext): Uint8Array {
  const more = someLength(4096, random)
  const filled =
    random(2) === 0 ? new Uint8Array(more).fill(random(256)) : randomBytes(more, random)
  return joined(bytes, filled)
}

function remove(bytes: Uint8Array, { random }: MutationContext): Uint8Array {
  const { byteOffset, length } = piece(bytes, random)
  const start = byteOffset - bytes.byteOffset
  return joined(bytes.subarray(0, start), bytes.subarray(start + length))
}

function repeat(bytes: Uint8Array, { random }: MutationContext): Uint8Array {
  const part = piece(bytes, random)
  const end = part.byteOffset - bytes.byteOffset + part.length
  const times = 1 + someLength(repeatsMax, random)
  const copies = Array.from({ length: times }, () => part)
  return joined(bytes.subarray(0, end), ...copies, bytes.subarray(end))
}

function splice(bytes: Uint8Array, { random, others }: MutationContext): Uint8Array {
  const other = pick(others, random)
  const cut = random(Math.min(bytes.length, other.length) + 1)
  return joined(bytes.subarray(0, cut), other.subarray(cut))
}

function insert(bytes: Uint8Array, { random, others }: MutationContext): Uint8Array {
  const at = random(bytes.length + 1)
  return joined(bytes.subarray(0, at), piece(pick(others, random), random), bytes.subarray(at))
}

function overwrite(bytes: Uint8Array, { random, others }: MutationContext): Uint8Array {
  const part = piece(pick(others, random), random)
  const at = random(bytes.length + 1)
  bytes.set(part.subarray(0, bytes.length - at), at)
  return bytes
}

const edits: readonly Edit[] = [
  setField,
  setField,
  setField,
  setNumber,
  setNumber,
  setByte,
  setByte,
  flipBit,
  flipBit,
  truncate,
  extend,
  remove,
  repeat,
  splice,
  insert,
  overwrite,
]

/** `input` after a few edits; the input itself stays as it is. */
export function mutated(input: Uint8Array, context: MutationContext): Uint8Array {
  let bytes: Uint8Array = input.slice()
  for (let left = 1 + context.random(editsMax); left > 0; left--) {
    const edited = pick(edits, context.random)(bytes, context)
    bytes = edited.length > context.inputBytesMax ? edited.slice(0, context.inputBytesMax) : edited
    if (context.random(2) === 0) break
  }
  return bytes
}

/** A number in front of an input, and every byte of what may be a header behind it. */
export function numberFields(input: Uint8Array, headerBytes: number): readonly Field[] {
  const fields: Field[] = [{ at: 0, byteCount: 4 }]
  for (let at = 4; at < Math.min(input.length, 4 + headerBytes); at++)
    fields.push({ at, byteCount: 1 })
  return fields
}

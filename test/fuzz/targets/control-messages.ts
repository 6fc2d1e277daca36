/**
 * Control messages of every type: two bytes of frame type in front, the body behind.
 *
 * @module
 */
import type { ErrorCode } from '@godwit/core'
import type { Message } from '@godwit/wire'
import { FrameType, decodeMessage, encodeMessage } from '@godwit/wire'
import { typeNumber } from '../../conformance/feeding.ts'
import type { ControlVector } from '../../conformance/vector-files.ts'
import { canonical } from '../../conformance/vector-files.ts'
import { vectorInputs } from '../corpus.ts'
import type { Field, Random } from '../mutator.ts'
import { interesting, joined, pick, randomBytes, someLength } from '../mutator.ts'
import type { Target } from '../target.ts'
import { labelOf, must, outcomeOf } from '../target.ts'

const codes: readonly ErrorCode[] = ['WIRE_BODY', 'WIRE_FRAME_TYPE']
const files = ['control.json', 'control-nested.json', 'control-raw.json', 'control-static.json']
const typeBytes = 2
const headBytes = 3

function withType(type: number, body: Uint8Array): Uint8Array {
  return joined(Uint8Array.of(type & 0xff, type >>> 8), body)
}

const seeds = vectorInputs<ControlVector>(files, (bytes, { type }) => {
  return withType(typeNumber(type), bytes)
})

/** Every place that can be the tag of a str, bin, array or map with a length behind it. */
function fieldsOf(input: Uint8Array): readonly Field[] {
  const fields: Field[] = [{ at: 0, byteCount: 1 }]
  for (let at = typeBytes; at < input.length && fields.length < 512; at++) {
    const tag = input[at]!
    if (tag >= 0x80 && tag <= 0xbf) fields.push({ at, byteCount: 1 })
    if (tag >= 0xc4 && tag <= 0xdf) fields.push({ at: at + 1, byteCount: 1 })
  }
  return fields
}

/** Words that messages know, and a few that objects do. */
const words = [
  ...new Set(
    seeds.flatMap((seed) => [
      ...Buffer.from(seed)
        .toString('latin1')
        .matchAll(/[a-z]{2,}\w*/gi),
    ]),
  ),
].map(([word]) => word)
const odd = ['__proto__', 'constructor', 'toString', 'length', '0', '4294967295', '']

function header(short: number, wide: readonly number[], count: number, random: Random): number[] {
  const lying = random(40) === 0 ? interesting(random) : count
  if (short > 0 && lying < (short === 0xa0 ? 32 : 16) && random(4) > 0) return [short | lying]
  const byteCount = lying < 0x100 && wide.length === headBytes ? 1 : lying < 0x10000 ? 2 : 4
  const index = wide.length === headBytes ? byteCount >>> 1 : byteCount >>> 2
  const bytes = Array.from(
    { length: byteCount },
    (_, i) => (lying >>> ((byteCount - 1 - i) * 8)) & 255,
  )
  return [wide[index]!, ...bytes]
}

function str(random: Random): number[] {
  const text = random(8) === 0 ? pick(odd, random) : pick(words, random)
  const bytes =
    random(30) === 0 ? [...randomBytes(someLength(300, random), random)] : [...Buffer.from(text)]
  return [...header(0xa0, [0xd9, 0xda, 0xdb], bytes.length, random), ...bytes]
}

function scalar(random: Random): number[] {
  const widths = [
    [0xca, 4],
    [0xcb, 8],
    [0xcc, 1],
    [0xcd, 2],
    [0xce, 4],
    [0xcf, 8],
    [0xd0, 1],
    [0xd3, 8],
  ] as const
  const [tag, byteCount] = pick(widths, random)
  const bytes = randomBytes(byteCount, random)
  if (random(2) === 0) bytes.fill(pick([0, 0xff, 0x7f, 0x80], random), 0, byteCount - random(3))
  return [tag, ...bytes]
}

/** A value as MessagePack; deeper ones are fewer. */
function value(random: Random, depth: number): number[] {
  const kind = random(depth > 9 ? 6 : 8)
  if (kind < 2) return [random(256)]
  if (kind === 2) return str(random)
  if (kind === 3) return scalar(random)
  if (kind === 4) return [pick([0xc0, 0xc2, 0xc3], random)]
  if (kind === 5) {
    const bytes = randomBytes(pick([0, 7, 8, 16, 32, 33], random), random)
    return [...header(0, [0xc4, 0xc5, 0xc6], bytes.length, random), ...bytes]
  }
  const count = someLength(depth < 3 ? 8 : 3, random)
  const isMap = kind === 7
  const head = header(isMap ? 0x80 : 0x90, isMap ? [0xde, 0xdf] : [0xdc, 0xdd], count, random)
  const items = Array.from({ length: count }, () => {
    return [...(isMap ? str(random) : []), ...value(random, depth + 1)]
  })
  return [...head, ...items.flat()]
}

/** A map of the keys of some message, or of any. */
function generate(random: Random): Uint8Array {
  const type = random(20) === 0 ? random(0x10000) : pick(Object.values(FrameType), random)
  const body = [0xde, 0, 12]
  for (let i = 0; i < 12; i++) body.push(...str(random), ...value(random, 1))
  return withType(type, Uint8Array.from(body))
}

/** Bytes within a message, wherever they are. */
function* binaries(item: unknown): Generator<Uint8Array> {
  if (item instanceof Uint8Array) yield item
  else if (typeof item === 'object' && item !== null) {
    for (const each of Object.values(item)) yield* binaries(each)
  }
}

const known = Object.getOwnPropertyNames(Object.prototype).join()

function run(input: Uint8Array): string {
  const type = (input[0] ?? 0) | ((input[1] ?? 0) << 8)
  const rest = input.subarray(typeBytes)
  // In the midst of other memory: what reads on finds something.
  const around = new Uint8Array(rest.length + 9).fill(0xff)
  const body = around.subarray(5, 5 + rest.length)
  body.set(rest)
  const { value: message, error } = outcomeOf(() => decodeMessage(type, body), codes)
  must(Buffer.compare(body, rest) === 0, 'a body that was decoded is as it was')
  must(Object.getOwnPropertyNames(Object.prototype).join() === known, 'objects stay as they are')
  if (error !== undefined) return labelOf(error).replace(/ but received .*| Received .*/s, '')
  for (const bytes of binaries(message)) must(bytes.buffer !== around.buffer, 'values are copies')
  const again = decodeMessage(type, encodeMessage(message))
  must(shown(again) === shown(message), 'a message encodes to what decodes to it')
  return `right ${message.name} ${Object.keys(message.body).join()}`
}

function shown({ body }: Message): string {
  return canonical(body)
}

export const controlMessages: Target = {
  name: 'control-messages',
  seeds,
  reaches: ['right Hello', 'right Reserve', 'right Nak', 'WIRE_BODY', 'WIRE_FRAME_TYPE'],
  inputBytesMax: 32 * 1024,
  allocatedBytesMax: (inputBytes) => 4 * 1024 * 1024 + 512 * inputBytes,
  cpuMsMax: 200,
  fieldsOf,
  generate,
  run,
}

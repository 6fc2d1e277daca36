/**
 * The stream of a guest `network`, as each of its ends takes what the other sends. The first byte
 * of an input says which end it is, and how the rest is cut.
 *
 * @module
 */
import {
  ACKNOWLEDGEMENT_BYTES,
  HELLO_BYTES,
  RecordReader,
  SEGMENT_RECORD_BYTES,
  WINDOW_SEGMENTS,
  checkSegment,
  decodeAcknowledgement,
  decodeHello,
  encodeAcknowledgement,
  encodeHello,
} from '../../../packages/guest/src/stream.ts'
import type { Random } from '../mutator.ts'
import { joined, pick } from '../mutator.ts'
import type { Target } from '../target.ts'
import { labelOf, must, outcomeOf } from '../target.ts'

const codes = ['WIRE_MAGIC', 'WIRE_BODY', 'WIRE_SEQUENCE'] as const
const recordBytes = [HELLO_BYTES, ACKNOWLEDGEMENT_BYTES, SEGMENT_RECORD_BYTES] as const
const sentMax = 100

/** @returns what is expected of the next record */
function take(end: number, record: Uint8Array, expected: number): number {
  if (end === 0) {
    const hello = decodeHello(record)
    const ahead = hello.first - hello.acknowledged
    must(ahead >= 0 && ahead <= WINDOW_SEGMENTS, 'a hello is within the window')
    must(Buffer.compare(encodeHello(hello), record) === 0, 'a hello is what it was made of')
    return expected
  }
  if (end === 2) {
    checkSegment(record, expected)
    return expected + 1
  }
  const acknowledged = decodeAcknowledgement(record, expected, sentMax)
  must(acknowledged >= expected && acknowledged <= sentMax, 'what was sent is acknowledged')
  return acknowledged
}

function run(input: Uint8Array): string {
  const head = input[0] ?? 0
  const end = head % 3
  const cutBytes = 1 + ((head >>> 2) % 64) * 13
  const reader = new RecordReader(recordBytes[end]!)
  let [expected, count] = [0, 0]
  for (let at = 1; at < input.length; at += cutBytes) {
    const chunk = input.subarray(at, at + cutBytes)
    const { error } = outcomeOf(() => {
      reader.feed(chunk, (record) => {
        must(record.length === recordBytes[end], 'a record is whole')
        count++
        expected = take(end, record, expected)
      })
    }, codes)
    if (error !== undefined) return `${end} ${labelOf(error)}`
  }
  const whole = Math.floor(Math.max(0, input.length - 1) / recordBytes[end]!)
  must(count === whole, 'all records are taken')
  return `${end} right ${Math.min(2, count)}`
}

function generate(random: Random): Uint8Array {
  const end = random(3)
  const head = Uint8Array.of(end + 3 * random(80))
  const count = 1 + random(4)
  const parts = Array.from({ length: count }, (_, i) => {
    if (end === 1) return encodeAcknowledgement(pick([i, i, sentMax, random(2 ** 32)], random))
    if (end === 0) {
      const acknowledged = random(2 ** 32)
      const bytesPerSecond = pick([1000, 1e6, 1.25e9, random(2 ** 32)], random)
      const first = acknowledged + random(300)
      return encodeHello({ seed: random(2 ** 32), bytesPerSecond, acknowledged, first })
    }
    const record = new Uint8Array(SEGMENT_RECORD_BYTES)
    record.set(encodeAcknowledgement(random(9) === 0 ? random(9) : i))
    return record
  })
  return joined(head, ...parts)
}

export const guestStreams: Target = {
  name: 'guest-streams',
  seeds: [],
  reaches: [
    '0 right',
    '1 right',
    '2 right',
    '0 WIRE_MAGIC',
    '0 WIRE_BODY',
    '0 WIRE_SEQUENCE',
    '1 WIRE_SEQUENCE',
    '2 WIRE_SEQUENCE',
  ],
  inputBytesMax: 1 + 4 * SEGMENT_RECORD_BYTES,
  allocatedBytesMax: (inputBytes) => (16 << 20) + 64 * inputBytes,
  cpuMsMax: 100,
  fieldsOf: (input) =>
    [1, 5, 9, 17, 25, 33]
      .map((at) => ({ at, byteCount: 4 }) as const)
      .filter(({ at, byteCount }) => at + byteCount <= input.length),
  generate,
  run,
}

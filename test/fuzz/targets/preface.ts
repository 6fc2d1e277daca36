/**
 * The first bytes of a channel.
 *
 * @module
 */
import { PREFACE, PREFACE_BYTES, decodePreface, encodePreface } from '@godwit/wire'
import { vectorInputs } from '../corpus.ts'
import type { Random } from '../mutator.ts'
import { pick, randomBytes } from '../mutator.ts'
import type { Target } from '../target.ts'
import { labelOf, must, outcomeOf } from '../target.ts'

const seeds = vectorInputs(['preface.json'], (bytes) => bytes)

function generate(random: Random): Uint8Array {
  const value = {
    role: pick([1, 2, 3] as const, random),
    index: random(80),
    epoch: random(2 ** 32),
    session: randomBytes(16, random),
  }
  return encodePreface(value, random(4) === 0)
}

/** As a side takes it that has a key, and as one that has none. */
function run(input: Uint8Array): string {
  take(input, true)
  return take(input, false)
}

/** What every prefix of an input is taken for never changes once it was refused. */
function take(input: Uint8Array, isSealed: boolean): string {
  const codes = ['WIRE_MAGIC', 'WIRE_PREFACE', 'AUTH_REQUIRED'] as const
  let label = ''
  const length = Math.min(input.length, PREFACE_BYTES + 2)
  for (let end = 0; end <= length; end++) {
    const { value, error } = outcomeOf(() => decodePreface(input.subarray(0, end), isSealed), codes)
    const next = error === undefined ? '' : labelOf(error)
    if (end > 0 && label !== '') must(next === label, `refused at ${end} and not before`)
    label = next
    must((value !== undefined) === (end >= PREFACE_BYTES && label === ''), 'a preface is 32 bytes')
    if (value === undefined) continue
    must(value.session.buffer !== input.buffer, 'the session is a copy')
    const same =
      Buffer.compare(encodePreface(value, isSealed), input.subarray(0, PREFACE_BYTES)) === 0
    must(same, 'a preface is what it was made of')
  }
  return label === '' ? `right ${length >= PREFACE_BYTES}` : label
}

export const preface: Target = {
  name: 'preface',
  seeds,
  reaches: ['right true', 'right false', 'WIRE_MAGIC', 'WIRE_PREFACE', 'AUTH_REQUIRED'],
  inputBytesMax: 128,
  allocatedBytesMax: () => 1 << 20,
  cpuMsMax: 100,
  fieldsOf: () => [
    { at: PREFACE.version, byteCount: 2 },
    { at: PREFACE.role, byteCount: 1 },
    { at: PREFACE.index, byteCount: 1 },
    { at: PREFACE.epoch, byteCount: 4 },
  ],
  generate,
  run,
}

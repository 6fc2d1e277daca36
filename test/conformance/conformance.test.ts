import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { PREFACE_BYTES, decodeMessage, lackingChecksum } from '@godwit/wire'
import { describe, expect, it } from 'vitest'
import { codeOf, cutsOf, readFrames, readPreface, roles, typeNumber } from './feeding.ts'
import { bytesOf, canonical, readVectors } from './vector-files.ts'
import type {
  ControlVector,
  FrameFacts,
  FrameVector,
  PrefaceFacts,
  StreamVector,
  Vector,
} from './vector-files.ts'

describe('the vectors', () => {
  it('are what the script writes', ({ skip }) => {
    if (spawnSync('python3', ['--version']).status !== 0) skip('python3 is not here')
    const script = fileURLToPath(new URL('./vectors.py', import.meta.url))
    const run = spawnSync('python3', [script, '--check'], { encoding: 'utf8' })
    const { status, stdout, stderr } = run
    expect(stdout + stderr).toBe('')
    expect(status).toBe(0)
  })
})

function prefaceText({ expect: facts }: Vector<PrefaceFacts>): string {
  if (facts === undefined) return canonical(undefined)
  const { role, index, epoch, session } = facts
  return canonical({ role: roles[role], index, epoch, session: { $bin: session } })
}

describe('preface.json', () => {
  it.each(readVectors<Vector<PrefaceFacts>>('preface.json'))('$name', (vector) => {
    const bytes = bytesOf(vector)
    const cuts = cutsOf(bytes.length, 1)
    const error = vector.ended ? undefined : vector.error
    const wanted = { preface: prefaceText(vector), error }
    const found = cuts.map(([cut, lengths]) => {
      const seen = readPreface(bytes, lengths)
      const errorAt = cut === 'by byte' ? seen.errorAt : undefined
      return { cut, preface: canonical(seen.preface), error: seen.error, errorAt }
    })
    expect(found).toEqual(
      cuts.map(([cut]) => {
        const errorAt = cut === 'by byte' ? vector.errorAt : undefined
        return { cut, ...wanted, errorAt }
      }),
    )
  })
})

interface FrameOutcome {
  readonly frames: readonly Omit<FrameFacts, 'sequence'>[]
  readonly error: string | undefined
  readonly errorAt: number | undefined
  /** Whether the reader holds a part of a frame at the end. */
  readonly inside: boolean
}

function facts(frames: readonly Omit<FrameFacts, 'sequence'>[]): FrameOutcome['frames'] {
  return frames.map(({ type, length, crc32 }) => ({ type, length, crc32 }))
}

function wantedFrames(vector: FrameVector): FrameOutcome {
  const frames = facts(vector.expect?.frames ?? vector.before ?? [])
  const { error, errorAt } = vector.ended ? {} : vector
  // The vectors of a header alone are those that expect no frame.
  const inside = vector.ended === true || vector.expect?.frames.length === 0
  return { frames, error, errorAt, inside }
}

describe('frames.json', () => {
  const vectors = readVectors<FrameVector>('frames.json')

  it.for(vectors)('$name', (vector, { skip }) => {
    // A reader can be in that state after 2^32 frames only.
    if (vector.firstSequence !== undefined) skip('a reader always begins at 0')
    const bytes = bytesOf(vector)
    const wanted = wantedFrames(vector)
    const cuts = cutsOf(bytes.length, vector.name.length)
    const found = cuts.map(([cut, lengths]) => {
      const { frames, error, errorAt, pendingBytes } = readFrames(vector.channel, bytes, lengths)
      const exact = cut === 'by byte' ? { errorAt } : {}
      return { cut, frames: facts(frames), error, ...exact, inside: pendingBytes > 0 }
    })
    expect(found).toEqual(
      cuts.map(([cut]) => {
        const { errorAt, ...rest } = wanted
        return { cut, ...rest, ...(cut === 'by byte' ? { errorAt } : {}) }
      }),
    )
  })

  it('has a vector of every kind of error', () => {
    const errors = new Set(vectors.map((vector) => vector.error).filter(Boolean))
    const kinds = ['TYPE', 'LENGTH'].map((kind) => `WIRE_FRAME_${kind}`)
    const rest = ['FLAGS', 'SEQUENCE', 'CHECKSUM', 'TRUNCATED'].map((kind) => `WIRE_${kind}`)
    expect(errors).toEqual(new Set([...kinds, ...rest]))
  })
})

/** `body` in the middle of other memory, at an odd offset. */
function amidst(body: Uint8Array): Uint8Array {
  const around = new Uint8Array(body.length + 9).fill(0xff)
  around.set(body, 5)
  return around.subarray(5, 5 + body.length)
}

function decoded(type: string, body: Uint8Array): { error?: string; message?: object } {
  try {
    return { message: decodeMessage(typeNumber(type), amidst(body)).body }
  } catch (error) {
    return { error: codeOf(error) }
  }
}

const controlFiles = [
  'control.json',
  'control-nested.json',
  'control-raw.json',
  'control-static.json',
]

/** Lengths to which this body may be cut without being right; none where it is not right itself. */
function prefixes(vector: ControlVector, body: Uint8Array): readonly number[] {
  return vector.error === undefined && body.length <= 600 ? [...body.keys()] : []
}

describe.each(controlFiles)('%s', (file) => {
  it.each(readVectors<ControlVector>(file))('$name', (vector) => {
    const body = bytesOf(vector)
    const { message, error } = decoded(vector.type, body)
    expect(error).toBe(vector.error)
    const shown = vector.expect === undefined ? undefined : canonical(message)
    expect(shown).toBe(vector.expect === undefined ? undefined : canonical(vector.expect))
    for (const [key, length] of Object.entries(vector.expectLengths ?? {})) {
      expect((message as Record<string, unknown[]>)[key]).toHaveLength(length)
    }
    const cut = prefixes(vector, body)
    const errors = cut.map((length) => decoded(vector.type, body.subarray(0, length)).error)
    expect(errors).toEqual(cut.map(() => 'WIRE_BODY'))
  })
})

describe('streams.json', () => {
  it.each(readVectors<StreamVector>('streams.json'))('$name', (vector) => {
    const bytes = bytesOf(vector)
    const { preface } = readPreface(bytes, [PREFACE_BYTES])
    const { index, epoch } = vector.expect!
    expect(preface).toMatchObject({ role: roles[vector.channel], index, epoch })
    const rest = bytes.subarray(PREFACE_BYTES)
    for (const [, lengths] of cutsOf(rest.length, 7)) {
      const { frames, error, pendingBytes } = readFrames(vector.channel, rest, lengths)
      expect({ error, pendingBytes }).toEqual({ error: undefined, pendingBytes: 0 })
      const meaning = frames.map(({ type, number, body }) =>
        type === 'PAGES' ? { type } : { type, message: decodeMessage(number, body).body },
      )
      expect(canonical(meaning)).toBe(canonical(vector.expect!.frames))
    }
  })

  it('has the checksum over LACKING that RESUMED states', () => {
    const vectors = readVectors<StreamVector>('streams.json')
    const stated = vectors.flatMap((vector) => {
      const rest = bytesOf(vector).subarray(PREFACE_BYTES)
      const { frames } = readFrames(vector.channel, rest, [rest.length])
      const messages = frames
        .filter(({ type }) => type === 'LACKING' || type === 'RESUMED')
        .map(({ number, body }) => decodeMessage(number, body))
      const checksum = messages.reduce(
        (crc, { name, body }) => (name === 'Lacking' ? lackingChecksum(body, crc) : crc),
        0,
      )
      return messages.flatMap((one) =>
        one.name === 'Resumed' ? [[one.body.checksum, checksum]] : [],
      )
    })
    expect(stated).toHaveLength(1)
    expect(stated[0]![0]).toBe(stated[0]![1])
  })

  it('may end anywhere: no part of a right stream is an error', () => {
    for (const vector of readVectors<StreamVector>('streams.json')) {
      const bytes = bytesOf(vector)
      for (let length = 0; length <= Math.min(bytes.length, 700); length++) {
        const { error } = readPreface(bytes, [length])
        const rest = bytes.subarray(PREFACE_BYTES, Math.max(PREFACE_BYTES, length))
        const reading = readFrames(vector.channel, rest, [rest.length])
        expect([error, reading.error]).toEqual([undefined, undefined])
      }
    }
  })
})

/**
 * Captured streams. The first byte of an input says whether checksums of chunks are put right; the
 * file is behind it. `explain` tells whatever can be told, and
 * `verify` finds what is wrong; neither throws but where the file is none.
 *
 * @module
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { Conversation, explain, factText, verificationText, verifyCapture } from '@godwit/capture'
import { MIB, crc32 } from '@godwit/core'
import { FrameWriter, encodePreface } from '@godwit/wire'
import { nodePrimitives } from 'godwit'
import { MemoryCapture, inputOf } from '../../streams/memory-capture.ts'
import type { Field, Random } from '../mutator.ts'
import { joined, pick } from '../mutator.ts'
import type { Target } from '../target.ts'
import { labelOf, must, outcomeOf, withoutNumbers } from '../target.ts'

const primitives = await nodePrimitives()
const chunksAreRight = 1
const inputBytesMax = 48 * 1024
const headerBytes = 32
const chunkHeaderBytes = 24
const lengthOffset = 16
const checksumOffset = 20

const streams = new URL('../../streams/', import.meta.url)
const files = existsSync(streams)
  ? readdirSync(streams, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.gwc'))
      .map((path) => Uint8Array.from(readFileSync(new URL(path, streams))))
  : []
const small = files.filter(({ length }) => length < inputBytesMax)
/** What is cut is read as far as it goes. */
const cut = files.map((file) => file.subarray(0, 8000))
const seeds = [...small, ...cut].flatMap((file) => [
  joined(Uint8Array.of(0), file),
  joined(Uint8Array.of(chunksAreRight), file),
])

/** Where chunks begin, as far as lengths make sense. */
function chunksOf(file: Uint8Array): readonly number[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const found: number[] = []
  for (let at = headerBytes; at + chunkHeaderBytes <= file.length && found.length < 2000; ) {
    found.push(at)
    at += chunkHeaderBytes + view.getUint32(at + lengthOffset, true)
  }
  return found
}

function fieldsOf(input: Uint8Array): readonly Field[] {
  return chunksOf(input.subarray(1)).flatMap((at) => [
    { at: 1 + at, byteCount: 4 } as const,
    { at: 1 + at + 4, byteCount: 2 } as const,
    { at: 1 + at + lengthOffset, byteCount: 4 } as const,
    // Of a frame, where the chunk has one.
    { at: 1 + at + chunkHeaderBytes, byteCount: 2 } as const,
    { at: 1 + at + chunkHeaderBytes + 4, byteCount: 4 } as const,
  ])
}

/** The file with checksums of chunks that are right. */
function withChunksRight(file: Uint8Array): Uint8Array {
  const copy = file.slice()
  const view = new DataView(copy.buffer)
  for (const at of chunksOf(copy)) {
    const start = at + chunkHeaderBytes
    const end = start + view.getUint32(at + lengthOffset, true)
    if (end > copy.length) break
    const head = crc32(copy, 0, at, at + checksumOffset)
    view.setUint32(at + checksumOffset, crc32(copy, head, start, end), true)
  }
  return copy
}

/** The conversation with some of its frames left out, repeated, or with another body. */
function edited(file: Uint8Array, random: Random): Uint8Array {
  const conversation = new Conversation(inputOf(file))
  const made = new MemoryCapture(conversation.chunks.header.side)
  const { recorder } = made
  const writers = new Map<string, FrameWriter>()
  for (const happening of conversation.happenings()) {
    const { line } = happening
    if (happening.what === 'opened') recorder.opened(line.remote)
    if (happening.what === 'closed') recorder.closed(line.number, happening.reason)
    if (happening.what === 'preface') {
      recorder.bytes(line.number, happening.from, encodePreface(happening.preface))
    }
    if (happening.what !== 'frame') continue
    const key = `${happening.from} ${line.number}`
    const writer = writers.get(key) ?? new FrameWriter()
    writers.set(key, writer)
    const body = happening.frame.body.slice()
    const choice = random(40)
    if (choice === 0 && body.length > 0) body[random(body.length)] = random(256)
    const times = choice === 1 ? 0 : choice === 2 ? 2 : 1
    for (let left = times; left > 0; left--) {
      recorder.bytes(line.number, happening.from, writer.frame(happening.frame.type, body))
    }
  }
  return made.end()
}

function generate(random: Random): Uint8Array {
  const file = edited(pick(small, random), random)
  return joined(Uint8Array.of(pick([0, chunksAreRight], random)), file)
}

/** Whether a text has no control characters but ends of lines. */
function isPlain(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code !== 10 && (code < 32 || (code > 126 && code < 160))) return false
  }
  return true
}

function run(input: Uint8Array): string {
  const rest = input.subarray(1)
  const file = ((input[0] ?? 0) & chunksAreRight) === 0 ? rest : withChunksRight(rest)
  const facts = outcomeOf(() => {
    let lines = 0
    let ends = 0
    let last = ''
    for (const fact of explain(inputOf(file, 1000), { pages: true })) {
      lines += factText(fact).length > 0 ? 1 : 0
      must(isPlain(factText(fact)), 'lines are plain')
      must(JSON.stringify(fact).length > 2, 'facts are JSON')
      if (fact.type === 'end') {
        ends++
        last = `${fact.end}, ${Math.min(fact.faults, 2)} faults`
      }
    }
    must(ends === 1 && lines > 1, 'there is an end, once')
    return last
  }, ['FILE_UNREADABLE'])
  const verified = outcomeOf(() => {
    return verifyCapture(inputOf(file), { primitives, memoryBytesMax: 256 * MIB })
  }, ['FILE_UNREADABLE'])
  must((facts.error === undefined) === (verified.error === undefined), 'both know a capture')
  if (facts.error !== undefined) return labelOf(facts.error)
  const { failure, counts } = verified.value!
  must(verificationText(verified.value!).length > 0, 'there is something to say')
  if (failure === undefined) {
    must(!facts.value!.startsWith('damaged'), 'what is damaged is not right')
    return `right, ${facts.value}, ${Math.min(counts.rounds, 3)} rounds`
  }
  must(failure.at <= file.length, 'it is in the file')
  must(failure.code !== 'INTERNAL', `a bug is no fault of a file: ${failure.text}`)
  return `${failure.code} ${failure.frame ?? ''} ${withoutNumbers(failure.text)}`
}

export const capture: Target = {
  name: 'capture',
  seeds,
  reaches: ['right, ended', 'right, torn', 'FILE_UNREADABLE'],
  inputBytesMax,
  allocatedBytesMax: (inputBytes) => 192 * MIB + 64 * inputBytes,
  cpuMsMax: 2000,
  fieldsOf,
  generate,
  run,
}

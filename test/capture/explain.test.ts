/**
 * What `explain` tells of conversations, whatever is in them.
 */
import type { Fact } from '@godwit/capture'
import { explain, factText } from '@godwit/capture'
import { FrameWriter, encodeMessage, encodePreface } from '@godwit/wire'
import { describe, expect, it } from 'vitest'
import { MemoryCapture, inputOf } from '../streams/memory-capture.ts'
import { change, chunksOf, edited, recorded } from './edit.ts'

const session = new Uint8Array(16).fill(0xab)
const preface = encodePreface({ role: 1, index: 0, epoch: 0, session })

/** Facts of a control channel on which the source says `bytes`. */
function factsOf(...bytes: Uint8Array[]): Fact[] {
  const capture = new MemoryCapture('source')
  const { recorder } = capture
  const number = recorder.opened('tcp 192.0.2.1:7000\u001b[2J')
  for (const one of bytes) recorder.bytes(number, 'source', one)
  return [...explain(inputOf(capture.end()))]
}

const errorFrame = (text: string): Uint8Array => {
  const body = encodeMessage({ name: 'Error', body: { code: 97, text } })
  return new FrameWriter().frame(3, body)
}

describe('a conversation', () => {
  it('is told frame by frame, with their places', () => {
    const facts = factsOf(preface, errorFrame('no room'))
    expect(facts).toMatchObject([
      { type: 'capture', side: 'source' },
      { type: 'opened', at: 32, name: '?' },
      { type: 'preface', from: 'source', session: 'ab'.repeat(16), epoch: 0, name: 'control' },
      { type: 'frame', frame: 'Error', sequence: 0, body: { code: 'NO_ROOM', text: 'no room' } },
      { type: 'end', end: 'ended', frames: { source: 1, destination: 0 }, faults: 0 },
    ])
    expect(factText(facts[3]!)).toMatch(
      / control +S +0 +\d+ {2}Error \{code: NO_ROOM, text: no room\}/,
    )
  })

  it("is one line each, whatever a peer's text would do to a terminal", () => {
    const facts = factsOf(preface, errorFrame('\u001b[31mred\n\u202eevil\u0000'))
    expect(factText(facts[1]!)).toContain('tcp 192.0.2.1:7000\\u001b[2J')
    const line = factText(facts[3]!)
    expect(line).toContain('text: \\u001b[31mred\\u000a\\u202eevil\\u0000')
    expect(line.split('\n')).toHaveLength(1)
  })

  it('has bodies that are not as specified, and goes on', () => {
    const changed = edited(recorded('refusal'), change('Hello', 0, { mode: 'teleport' }))
    const facts = [...explain(inputOf(changed))]
    const fault = { code: 'WIRE_BODY', text: expect.stringMatching(/^Hello\.mode is not/) }
    expect(facts.find((fact) => 'fault' in fact)).toMatchObject({ frame: 'Hello', fault })
    expect(facts.find((fact) => fact.type === 'frame' && fact.frame === 'Reserve')).toBeDefined()
    expect(facts.at(-1)).toMatchObject({ type: 'end', end: 'ended', faults: 1 })
  })

  it('has a direction that is broken, and the others go on', () => {
    const broken = errorFrame('x')
    broken[4] = 0xff
    broken[6] = 0xff
    const capture = new MemoryCapture('destination')
    const { recorder } = capture
    for (const remote of ['one', 'other']) recorder.opened(remote)
    recorder.bytes(0, 'source', preface)
    recorder.bytes(0, 'source', broken)
    recorder.bytes(0, 'source', preface)
    recorder.bytes(1, 'source', Uint8Array.of(0x47, 0x45, 0x54))
    recorder.bytes(0, 'destination', preface)
    const facts = [...explain(inputOf(capture.end()))]
    const told = facts.map((fact) => {
      return `${fact.type}${'fault' in fact ? ` ${fact.fault?.code}` : ''}`
    })
    expect(told).toEqual([
      'capture',
      'opened',
      'opened',
      'preface',
      'broken WIRE_FRAME_LENGTH',
      'broken WIRE_MAGIC',
      'preface',
      'end',
    ])
  })

  it('counts frames that it does not know', () => {
    const writer = new FrameWriter()
    const unknown = [1, 2].map((size) => writer.frame(0x8042 as 3, new Uint8Array(size)))
    const known = writer.frame(4, encodeMessage({ name: 'Heartbeat', body: {} }))
    const facts = factsOf(preface, ...unknown, known)
    expect(facts.slice(3)).toMatchObject([
      { type: 'skipped', sequence: 0, frames: 1 },
      { type: 'skipped', sequence: 1, frames: 1 },
      { type: 'frame', frame: 'Heartbeat', sequence: 2 },
      { type: 'end', frames: { source: 3 } },
    ])
  })

  it('is told up to where the file is damaged', () => {
    const bytes = recorded('stop-copy')
    const chunk = chunksOf(bytes)[7]!
    bytes[chunk.end - 1]! ^= 1
    const facts = [...explain(inputOf(bytes))]
    expect(facts.slice(-2)).toMatchObject([
      { type: 'damaged', at: chunk.at, fault: { code: 'FILE_UNREADABLE' } },
      { type: 'end', end: 'damaged', faults: 1 },
    ])
    expect(facts.filter((fact) => 'at' in fact && fact.at > chunk.at)).toEqual([])
  })

  it('tells nothing of what memory holds, unless it is asked to', () => {
    const bytes = recorded('stop-copy')
    const [plain, whole] = [false, true].map((pages) => {
      return [...explain(inputOf(bytes), { pages })].map((fact) => factText(fact)).join('\n')
    })
    expect(plain).toContain('State {package: 3 bytes}')
    expect(plain).not.toMatch(/[0-9a-f]{64}/)
    expect(whole).toContain('State {package: 010203}')
    expect(whole!.match(/[0-9a-f]{64}/g)!.length).toBeGreaterThan(300)
  })
})

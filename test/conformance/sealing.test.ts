import { PeerError } from '@godwit/core'
import { DestinationGreeting, SealedChannel, SourceGreeting, mendingSecret } from '@godwit/seal'
import type { SealTools } from '@godwit/seal'
import { RecordingSink } from '@godwit/testkit'
import { createChannelPair } from '@godwit/transport'
import { PREFACE_BYTES, decodePreface, encodePreface } from '@godwit/wire'
import { nodeSealTools } from 'godwit'
import { describe, expect, it } from 'vitest'
import { readVectors } from './vector-files.ts'

interface SealedRecord {
  readonly number: number
  readonly plain: string
  readonly hex: string
}

interface SealingVector {
  readonly name: string
  readonly secret: string
  readonly hail: string
  readonly answer: string
  readonly proof: string
  readonly session: string
  readonly fromSource: readonly SealedRecord[]
  readonly fromDestination: readonly SealedRecord[]
  readonly refusal?: string
  readonly root?: string
  readonly mended?: string
}

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))
const hex = (from: Uint8Array): string => Buffer.from(from).toString('hex')

const vectors = readVectors<SealingVector>('sealing.json')
const agreed = vectors.filter(({ answer }) => answer !== undefined)

/** Gives out the nonce of the vector instead of a random one. */
function toolsWith(nonce: string): SealTools {
  return { ...nodeSealTools, randomBytes: () => bytes(nonce) }
}

function nonceOf(hail: string): string {
  return hail.slice(80)
}

/** Where nonce stands in an answer. */
function answerNonce(answer: string): string {
  return answer.slice(16, 80)
}

describe('sealing.json', () => {
  it.each(agreed)('the source: $name', (vector) => {
    const sent: string[] = []
    const own = { method: Number.parseInt(vector.hail.slice(64, 66), 16) as 1 | 2 | 3 }
    const greeting = new SourceGreeting(
      'destination',
      { ...own, secret: bytes(vector.secret) },
      toolsWith(nonceOf(vector.hail)),
      (block) => sent.push(hex(block)),
    )
    const preface = decodePreface(bytes(vector.hail).subarray(0, PREFACE_BYTES), true)!
    expect(hex(greeting.hail(encodePreface(preface)))).toBe(vector.hail)
    const { secret, sendKey, receiveKey } = greeting.take(bytes(vector.answer))
    expect([sent, hex(secret)]).toEqual([[vector.proof], vector.session])
    checkRecords(sendKey, vector.fromSource)
    checkRecords(receiveKey, vector.fromDestination)
  })

  it.each(agreed)('the destination: $name', (vector) => {
    const sent: string[] = []
    const greeting = new DestinationGreeting(
      'source',
      () => ({ secret: bytes(vector.secret) }),
      toolsWith(answerNonce(vector.answer)),
      (block) => sent.push(hex(block)),
    )
    const hail = bytes(vector.hail)
    greeting.take(hail.subarray(0, PREFACE_BYTES))
    greeting.take(hail.subarray(PREFACE_BYTES))
    expect(sent).toEqual([vector.answer])
    const { secret, sendKey, receiveKey, opened } = greeting.take(bytes(vector.proof))!
    expect(hex(secret)).toBe(vector.session)
    expect(decodePreface(opened)).toEqual(decodePreface(hail.subarray(0, PREFACE_BYTES), true))
    checkRecords(receiveKey, vector.fromSource)
    checkRecords(sendKey, vector.fromDestination)
  })

  it('a channel that goes on elsewhere goes on counting, beyond 2^32', async () => {
    const [near, far] = createChannelPair()
    const sink = new RecordingSink()
    const [first] = agreed
    const keys = keysOf(first!)
    const late = first!.fromSource[2]!
    const state = { opened: bytes('0102'), sendKey: keys.destination, receiveKey: keys.source }
    const channel = SealedChannel.resume(
      near,
      { ...state, sentRecords: 0, receivedRecords: late.number },
      nodeSealTools,
    )
    channel.open(sink)
    far.open(new RecordingSink())
    far.write(bytes(late.hex))
    await sink.until(2 + late.plain.length / 2)
    expect(hex(sink.bytes)).toBe(`0102${late.plain}`)
    channel.destroy()
  })

  it('a refusal that the source believes', () => {
    const { hail, secret, refusal } = vectors.find((one) => one.refusal !== undefined)!
    const own = { method: 1, secret: new Uint8Array(32), refusalSecret: bytes(secret) } as const
    const tools = toolsWith(nonceOf(hail))
    const greeting = new SourceGreeting('destination', own, tools, () => expect.unreachable())
    const preface = decodePreface(bytes(hail).subarray(0, PREFACE_BYTES), true)!
    greeting.hail(encodePreface(preface))
    expect(() => greeting.take(bytes(refusal!))).toThrow(
      expect.objectContaining({ name: PeerError.name, code: 'SESSION_UNKNOWN' }),
    )
  })

  it('the secret of a connection that mends a session', () => {
    const { secret, root, mended } = vectors.find((one) => one.mended !== undefined)!
    expect(hex(mendingSecret(bytes(secret), bytes(root!)))).toBe(mended)
  })
})

function keysOf(vector: SealingVector): { source: Uint8Array; destination: Uint8Array } {
  const own = { method: 1, secret: bytes(vector.secret) } as const
  const greeting = new SourceGreeting('any', own, toolsWith(nonceOf(vector.hail)), () => {})
  const preface = decodePreface(bytes(vector.hail).subarray(0, PREFACE_BYTES), true)!
  greeting.hail(encodePreface(preface))
  const { sendKey, receiveKey } = greeting.take(bytes(vector.answer))
  return { source: sendKey, destination: receiveKey }
}

function checkRecords(key: Uint8Array, records: readonly SealedRecord[]): void {
  const cipher = nodeSealTools.createCipher(key)
  for (const { number, plain, hex: expected } of records) {
    const nonce = new Uint8Array(12)
    new DataView(nonce.buffer).setBigUint64(4, BigInt(number), true)
    const record = bytes(expected)
    const [header, sealed] = [record.subarray(0, 4), record.subarray(4)]
    expect(hex(cipher.open(nonce, header, sealed)!)).toBe(plain)
    const made = new Uint8Array(sealed.length)
    cipher.seal(nonce, header, bytes(plain), made)
    expect(hex(made)).toBe(hex(sealed))
  }
}

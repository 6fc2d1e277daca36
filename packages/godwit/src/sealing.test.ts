/**
 * Two ends of a sealed channel, and somebody on the way who does what he likes with its bytes.
 */
import type { Channel, GodwitError } from '@godwit/core'
import { PeerError, concatBytes } from '@godwit/core'
import type { Judge, SourceSecret } from '@godwit/seal'
import {
  ANSWER,
  ANSWER_BYTES,
  DestinationGreeting,
  HAIL,
  HAIL_BYTES,
  Method,
  PROOF_BYTES,
  RECORD_BYTES_MAX,
  RECORD_OVERHEAD_BYTES,
  SealedChannel,
  SourceGreeting,
} from '@godwit/seal'
import { RecordingSink } from '@godwit/testkit'
import { createChannelPair } from '@godwit/transport'
import { ChannelRole, PREFACE, encodePreface, errorNumbers } from '@godwit/wire'
import { describe, expect, it } from 'vitest'
import { randomBytes } from './runtime.ts'
import { nodeSealTools as tools } from './seal-tools.ts'

const session = new Uint8Array(16).fill(7)
const preface = encodePreface({ role: ChannelRole.Control, index: 0, epoch: 0, session })
const key = randomBytes(32)
const said = new TextEncoder().encode('what the source says')
const answered = new TextEncoder().encode('what the destination says')

type Name = 'hail' | 'proof' | 'answer' | 'source record' | 'destination record'

/** What goes on in place of a block, the number of its kind being `index`. */
type Tamper = (name: Name, block: Uint8Array, index: number) => readonly Uint8Array[]

const pass: Tamper = (_name, block) => [block]

/** Cuts what one side sends into blocks, and sends on what becomes of them. */
class Relay extends RecordingSink {
  readonly blocks: Uint8Array[] = []
  constructor(names: readonly Name[], to: Channel, tamper: Tamper) {
    let done = 0
    const sizes: Partial<Record<Name, number>> = {
      hail: HAIL_BYTES,
      answer: ANSWER_BYTES,
      proof: PROOF_BYTES,
    }
    super({
      onReceived: () => {
        for (;;) {
          const rest = this.bytes.subarray(done)
          const name = names[this.blocks.length] ?? names.at(-1)!
          const view = new DataView(rest.buffer, rest.byteOffset, rest.length)
          if (rest.length < 4) return
          const length = sizes[name] ?? view.getUint32(0, true) + RECORD_OVERHEAD_BYTES
          if (rest.length < length) return
          done += length
          const block = rest.slice(0, length)
          const index = this.blocks.push(block) - 1
          for (const each of tamper(name, block, index)) to.write(each)
        }
      },
    })
    void this.ended.then(() => to.end())
  }
}

interface Ends {
  readonly source: RecordingSink
  readonly destination: RecordingSink
  readonly fromSource: Relay
  readonly fromDestination: Relay
  /** Codes of what each end heard last; undefined for a clean end. */
  readonly codes: () => Promise<(string | undefined)[]>
  readonly errors: () => Promise<(GodwitError | undefined)[]>
}

const judgeByKey: Judge = () => ({ secret: key })
const own: SourceSecret = { method: Method.Psk, secret: key, refusalSecret: key }

/** Both ends say something, and end. */
function converse(tamper: Tamper = pass, secret = own, judge = judgeByKey): Ends {
  const [near, nearMiddle] = createChannelPair('source')
  const [farMiddle, far] = createChannelPair('destination')
  const fromSource = new Relay(['hail', 'proof', 'source record'], farMiddle, tamper)
  const fromDestination = new Relay(['answer', 'destination record'], nearMiddle, tamper)
  nearMiddle.open(fromSource)
  farMiddle.open(fromDestination)
  const dialled = new SealedChannel(near, tools, (send) => {
    return new SourceGreeting('destination', secret, tools, send)
  })
  const accepted = new SealedChannel(far, tools, (send) => {
    return new DestinationGreeting('source', judge, tools, send)
  })
  const source: RecordingSink = new RecordingSink({
    onReceived: (totalBytes) => totalBytes >= answered.length && dialled.end(),
  })
  const destination = new RecordingSink({
    onReceived: (totalBytes) => totalBytes === preface.length && accepted.write(answered),
  })
  dialled.open(source)
  accepted.open(destination)
  dialled.write(preface)
  dialled.write(said)
  const errors = (): Promise<(GodwitError | undefined)[]> => {
    return Promise.all([source.ended, destination.ended])
  }
  const codes = async (): Promise<(string | undefined)[]> => {
    return (await errors()).map((error) => error?.code)
  }
  return { source, destination, fromSource, fromDestination, codes, errors }
}

function flip(block: Uint8Array, at: number): Uint8Array {
  const wrong = block.slice()
  wrong[at]! ^= 1
  return wrong
}

describe('two ends of a sealed channel', () => {
  it('hear what the other says, and nobody on the way does', async () => {
    const { source, destination, fromSource, fromDestination, codes } = converse()
    // Whoever is on the way ends a stream as soon as the source does.
    expect((await codes())[1]).toBe(undefined)
    expect(destination.bytes).toEqual(concatBytes(preface, said))
    expect(source.bytes).toEqual(answered)
    const seen = Buffer.concat([fromSource.bytes, fromDestination.bytes])
    const found = [said, answered, key].map((secret) => seen.includes(Buffer.from(secret)))
    expect(found).toEqual([false, false, false])
  })

  it('have other keys each time', async () => {
    const [one, other] = [converse(), converse()]
    await Promise.all([one.codes(), other.codes()])
    expect(one.fromSource.blocks[2]).not.toEqual(other.fromSource.blocks[2])
    expect(one.fromSource.blocks[2]!.length).toBe(other.fromSource.blocks[2]!.length)
  })

  it('count one round trip more than plain ones', async () => {
    const order: string[] = []
    const { codes } = converse((name, block) => {
      order.push(name)
      return [block]
    })
    await codes()
    const first = order.findIndex((name) => name === 'destination record')
    const waits = order.slice(0, first + 1).filter((name, index) => {
      return /^(?:answer|destination)/.test(name) && !/^(?:answer|dest)/.test(order[index - 1]!)
    })
    expect(waits).toEqual(['answer', 'destination record'])
  })
})

describe('whoever is on the way', () => {
  it.each([
    ['hail', HAIL_BYTES],
    ['answer', ANSWER_BYTES],
    ['proof', PROOF_BYTES],
  ] as const)('changes no byte of the %s unnoticed', async (changed, byteCount) => {
    for (let at = 0; at < byteCount; at++) {
      const { source, destination, codes } = converse((name, block) => {
        return [name === changed ? flip(block, at) : block]
      })
      const found = await codes()
      expect([at, destination.totalBytes, source.totalBytes]).toEqual([at, 0, 0])
      const expected = /^(?:AUTH_|WIRE_MAGIC|WIRE_PREFACE|WIRE_TRUNCATED|CONNECTION_LOST)/
      expect(found.filter((code) => code !== undefined && !expected.test(code))).toEqual([])
      expect(found.some((code) => code !== undefined)).toBe(true)
    }
  })

  it.each([
    ['length', 0],
    ['sealed bytes', 5],
    ['tag', said.length + 10],
  ])('changes nothing of a record unnoticed: %s', async (_what, at) => {
    const { destination, codes } = converse((name, block, index) => {
      return [name === 'source record' && index === 2 ? flip(block, at) : block]
    })
    const [, code] = await codes()
    expect(['SEAL_BROKEN', 'WIRE_TRUNCATED']).toContain(code)
    expect(destination.bytes).toEqual(preface)
  })

  it.each<[string, Tamper]>([
    ['repeats', (_name, block) => [block, block]],
    ['leaves out', (_name, block, index) => (index === 2 ? [] : [block])],
  ])('%s no record unnoticed', async (_does, change) => {
    const { destination, codes } = converse((name, block, index) => {
      return name === 'source record' ? change(name, block, index) : [block]
    })
    expect((await codes())[1]).toBe('SEAL_BROKEN')
    expect(destination.totalBytes).toBeLessThanOrEqual(preface.length + said.length)
  })

  it('cuts no end off unnoticed', async () => {
    const { destination, codes } = converse((name, block) => {
      return block.length === RECORD_OVERHEAD_BYTES && name === 'source record' ? [] : [block]
    })
    expect(await codes()).toContain('WIRE_TRUNCATED')
    expect(destination.bytes).toEqual(concatBytes(preface, said))
  })

  it('makes nobody hold a record of any length', async () => {
    const { codes } = converse((name, block) => {
      if (name !== 'source record') return [block]
      const long = block.slice()
      new DataView(long.buffer).setUint32(0, RECORD_BYTES_MAX + 1, true)
      return [long]
    })
    expect((await codes())[1]).toBe('SEAL_BROKEN')
  })

  it('sends nobody his own words back', async () => {
    const own: Uint8Array[] = []
    const { destination, codes } = converse((name, block) => {
      if (name === 'destination record') own.push(block)
      // The answer's proof in place of the source's: both are of the same channel and secret.
      return name === 'source record' ? own : [block]
    })
    expect((await codes())[1]).toBe('SEAL_BROKEN')
    expect(destination.bytes).toEqual(preface)
  })

  it('takes no proof of the destination for one of the source', async () => {
    let proof = new Uint8Array(0)
    const { destination, codes } = converse((name, block) => {
      if (name === 'answer') proof = block.slice(ANSWER.proof)
      return [name === 'proof' ? proof : block]
    })
    expect((await codes())[1]).toBe('AUTH_FAILED')
    expect(destination.totalBytes).toBe(0)
  })

  it('replays no conversation', async () => {
    const first = converse()
    await first.codes()
    const recorded = first.fromSource.blocks
    const { destination, codes } = converse((name, block, index) => {
      return name === 'hail' || name.startsWith('destination') || name === 'answer'
        ? [name === 'hail' ? recorded[0]! : block]
        : [recorded[index]!]
    })
    expect((await codes())[1]).toBe('AUTH_FAILED')
    expect(destination.totalBytes).toBe(0)
  })

  it('strips no seal: a plain preface is refused', async () => {
    const { destination, codes } = converse((name, block) => {
      const plain = block.slice()
      if (name === 'hail') plain[PREFACE.version + 1] = 0
      return [plain]
    })
    expect(await codes()).toEqual(['AUTH_REQUIRED', 'AUTH_REQUIRED'])
    expect(destination.totalBytes).toBe(0)
  })
})

describe('who has another key', () => {
  it('is found out by the source at once', async () => {
    const other = { ...own, secret: randomBytes(32) }
    const { destination, codes } = converse(pass, other)
    const [source, there] = await codes()
    expect(source).toBe('AUTH_FAILED')
    expect(['AUTH_FAILED', 'CONNECTION_LOST']).toContain(there)
    expect(destination.totalBytes).toBe(0)
  })

  it('refuses nothing in the name of the destination', async () => {
    const { errors } = converse((name, block) => {
      if (name !== 'answer') return [block]
      const refusal = block.slice()
      new DataView(refusal.buffer).setUint16(ANSWER.status, errorNumbers.SESSION_UNKNOWN, true)
      return [refusal]
    })
    const [source] = await errors()
    expect(source).not.toBeInstanceOf(PeerError)
    expect(source!.code).toBe('AUTH_FAILED')
  })
})

it('a destination that has the key can refuse, and say why', async () => {
  const judge: Judge = () => ({ refusal: 'SESSION_UNKNOWN', text: 'none', refusalSecret: key })
  const { errors, codes } = converse(pass, own, judge)
  const [source] = await errors()
  expect(source).toBeInstanceOf(PeerError)
  expect(await codes()).toEqual(['SESSION_UNKNOWN', 'SESSION_UNKNOWN'])
})

it('reserved bytes of a hail are zero', async () => {
  const { codes } = converse((name, block) => {
    return [name === 'hail' ? flip(block, HAIL.reserved) : block]
  })
  expect((await codes())[1]).toBe('WIRE_PREFACE')
})

it('a stranger is given no more room than a hail takes', () => {
  const [, far] = createChannelPair('stranger')
  const accepted = new SealedChannel(far, tools, (send) => {
    return new DestinationGreeting('stranger', judgeByKey, tools, send)
  })
  accepted.open(new RecordingSink())
  expect(accepted.space().length).toBe(preface.length)
  accepted.space().set(encodePreface({ role: 1, index: 0, epoch: 0, session }, true))
  accepted.received(preface.length)
  expect(accepted.space().length).toBe(HAIL_BYTES - preface.length)
  accepted.space().fill(0)
  accepted.received(HAIL_BYTES - preface.length)
  expect(accepted.space().length).toBe(PROOF_BYTES)
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Conversation, type Turn } from './conversation.ts'
import { Executor } from './executor.ts'
import { MEMORY_BYTES_MIN, VALUE_BYTES_MAX } from './layout.ts'
import { MarkedMemory } from './marked-memory.ts'
import { Replies } from './replies.ts'
import { Request } from './request.ts'
import { Store } from './store.ts'

/** Opcodes, as in `protocol_binary.txt`. */
const Op = {
  Get: 0x00,
  Set: 0x01,
  Add: 0x02,
  Replace: 0x03,
  Delete: 0x04,
  Increment: 0x05,
  Decrement: 0x06,
  Quit: 0x07,
  Flush: 0x08,
  GetQ: 0x09,
  NoOp: 0x0a,
  Version: 0x0b,
  GetKQ: 0x0d,
  Append: 0x0e,
  Prepend: 0x0f,
  Stat: 0x10,
  SetQ: 0x11,
  DeleteQ: 0x14,
  Touch: 0x1c,
  Gat: 0x1d,
} as const

interface Parts {
  readonly key?: string
  readonly value?: string
  /** 4 bytes each. */
  readonly extras?: readonly number[]
  readonly opaque?: number
  readonly cas?: bigint
}

function ask(opcode: number, parts: Parts = {}): Buffer {
  const { key = '', value = '', extras = [], opaque = 0, cas = 0n } = parts
  const head = Buffer.alloc(24 + extras.length * 4)
  head[0] = 0x80
  head[1] = opcode
  head.writeUInt16BE(key.length, 2)
  head[4] = extras.length * 4
  head.writeUInt32BE(extras.length * 4 + key.length + value.length, 8)
  head.writeUInt32BE(opaque, 12)
  head.writeBigUInt64BE(cas, 16)
  for (const [i, extra] of extras.entries()) head.writeUInt32BE(extra, 24 + i * 4)
  return Buffer.concat([head, Buffer.from(key + value, 'latin1')])
}

interface Reply {
  readonly opcode: number
  readonly status: number
  readonly opaque: number
  readonly cas: number
  readonly extras: string
  readonly key: string
  readonly value: string
}

function parse(bytes: Buffer): Reply[] {
  const replies: Reply[] = []
  for (let at = 0; at < bytes.length; ) {
    expect(bytes[at]).toBe(0x81)
    const [keyBytes, extrasBytes] = [bytes.readUInt16BE(at + 2), bytes[at + 4]!]
    const end = at + 24 + bytes.readUInt32BE(at + 8)
    const keyAt = at + 24 + extrasBytes
    replies.push({
      opcode: bytes[at + 1]!,
      status: bytes.readUInt16BE(at + 6),
      opaque: bytes.readUInt32BE(at + 12),
      cas: Number(bytes.readBigUInt64BE(at + 16)),
      extras: bytes.toString('hex', at + 24, keyAt),
      key: bytes.toString('latin1', keyAt, keyAt + keyBytes),
      value: bytes.toString('latin1', keyAt + keyBytes, end),
    })
    at = end
  }
  return replies
}

/** A service without sockets, and one client of it. */
class Rig {
  readonly #executor: Executor
  readonly #client = new Conversation()
  readonly #request = new Request()
  readonly #replies = new Replies()

  constructor() {
    const memory = new MarkedMemory(new Uint8Array(MEMORY_BYTES_MIN))
    const store = Store.create(memory, { nowSeconds: 1_700_000_000, hashSeed: 3 })
    const facts = { processId: 1, connectionsMax: 10, connections: () => 1, threads: 1 }
    this.#executor = new Executor(store, this.#replies, facts)
  }

  say(bytes: Buffer): [Turn, Buffer] {
    this.#client.receive(Uint8Array.from(bytes))
    const turn = this.#client.run(this.#executor, this.#request, this.#replies)
    return [turn, Buffer.from(this.#replies.take())]
  }

  /** The one reply. */
  ask(opcode: number, parts: Parts = {}): Reply {
    const [reply, ...others] = parse(this.say(ask(opcode, parts))[1])
    if (reply?.opcode !== opcode || others.length > 0) throw new Error('not one reply')
    return reply
  }

  /** None. */
  silent(opcode: number, parts: Parts = {}): void {
    if (this.say(ask(opcode, parts))[1].length > 0) throw new Error('it is answered')
  }
}

const a = { key: 'a', value: 'one', extras: [5, 0] }
/** Extras of a counter: a delta, what a key that there is not begins with, its expiry. */
const by = (delta: number, initial: number, expiry = 0): Parts => ({
  key: 'n',
  extras: [0, delta, 0, initial, expiry],
})

describe('the binary protocol', () => {
  it('stores and gets, with flags, opaque, uniques', () => {
    const rig = new Rig()
    expect(rig.ask(Op.Get, { key: 'a', opaque: 9 })).toMatchObject({
      status: 1,
      opaque: 9,
      value: 'Not found',
    })
    expect(rig.ask(Op.Set, a)).toMatchObject({ status: 0, cas: 1, value: '' })
    const found = { status: 0, cas: 1, extras: '00000005', key: '', value: 'one', opaque: 7 }
    expect(rig.ask(Op.Get, { key: 'a', opaque: 7 })).toMatchObject(found)
    expect(rig.ask(Op.GetKQ, { key: 'a' })).toMatchObject({ key: 'a', value: 'one' })
    rig.silent(Op.GetQ, { key: 'b' })
    expect(rig.ask(Op.Add, a).status).toBe(2)
    expect(rig.ask(Op.Replace, { ...a, key: 'b' }).status).toBe(1)
    expect(rig.ask(Op.Set, { ...a, cas: 7n }).status).toBe(2)
    expect(rig.ask(Op.Set, { ...a, key: 'b', cas: 7n }).status).toBe(1)
    expect(rig.ask(Op.Set, { ...a, value: 'two', cas: 1n })).toMatchObject({ status: 0, cas: 2 })
    expect(rig.ask(Op.Append, { key: 'a', value: '!' }).cas).toBe(3)
    expect(rig.ask(Op.Prepend, { key: 'a', value: '<' }).cas).toBe(4)
    expect(rig.ask(Op.Append, { key: 'b', value: '!' }).status).toBe(5)
    expect(rig.ask(Op.Gat, { key: 'a', extras: [0] }).value).toBe('<two!')
    rig.silent(Op.SetQ, a)
    rig.silent(Op.DeleteQ, { key: 'a' })
    expect(rig.ask(Op.Delete, { key: 'a' }).status).toBe(1)
  })

  it('counts in 64 bits', () => {
    const rig = new Rig()
    expect(rig.ask(Op.Increment, by(1, 5, 0xffffffff)).status).toBe(1)
    const counted = (opcode: number, parts: Parts): bigint =>
      Buffer.from(rig.ask(opcode, parts).value, 'latin1').readBigUInt64BE()
    expect(counted(Op.Increment, by(1, 5))).toBe(5n)
    expect(counted(Op.Increment, by(7, 5))).toBe(12n)
    expect(counted(Op.Decrement, by(20, 5))).toBe(0n)
    const most = { key: 'n', extras: [0xffffffff, 0xffffffff, 0, 0, 0] }
    expect(counted(Op.Increment, most)).toBe(2n ** 64n - 1n)
    expect(counted(Op.Increment, by(2, 5))).toBe(1n)
    rig.ask(Op.Set, { ...a, key: 'n' })
    expect(rig.ask(Op.Increment, by(1, 5))).toMatchObject({ status: 6 })
  })

  it('answers the rest, and knows what it does not know', () => {
    const rig = new Rig()
    rig.silent(Op.SetQ, a)
    expect(rig.ask(Op.NoOp).status).toBe(0)
    expect(rig.ask(Op.Version).value).toBe('1.6.0-godwit')
    expect(rig.ask(Op.Touch, { key: 'a', extras: [60] })).toMatchObject({ status: 0, cas: 1 })
    const stats = parse(rig.say(ask(Op.Stat))[1])
    expect(stats.at(-1)).toMatchObject({ status: 0, key: '', value: '' })
    expect(stats.find(({ key }) => key === 'curr_items')?.value).toBe('1')
    expect(rig.ask(Op.Stat, { key: 'nothing' }).status).toBe(1)
    expect(rig.ask(0x20, { key: 'PLAIN' })).toMatchObject({ status: 0x81 })
    expect(rig.ask(Op.Get).status).toBe(4)
    expect(rig.ask(Op.Get, { key: 'x'.repeat(251) }).status).toBe(4)
    expect(rig.ask(Op.Set, { key: 'a', value: 'without extras' }).status).toBe(4)
    expect(rig.ask(Op.Get, { key: 'a', value: 'with a value' }).status).toBe(4)
    expect(rig.ask(Op.Flush, { extras: [0] }).status).toBe(0)
    expect(rig.ask(Op.Get, { key: 'a' }).status).toBe(1)
    expect(rig.say(ask(Op.Quit))).toMatchObject(['over', { length: 24 }])
  })

  it('drops a value that is too large, and the value that the key had', () => {
    const rig = new Rig()
    for (const extra of [1, 1000]) {
      rig.ask(Op.Set, a)
      const value = 'x'.repeat(VALUE_BYTES_MAX + extra)
      expect(rig.ask(Op.Set, { ...a, value })).toMatchObject({ status: 3 })
      expect(rig.ask(Op.Get, { key: 'a' }).status).toBe(1)
    }
  })

  it('ends the connection where lengths do not fit each other', () => {
    const wrong = ask(Op.Get, { key: 'abc' })
    wrong.writeUInt32BE(2, 8)
    expect(new Rig().say(wrong)).toMatchObject(['over', { length: 0 }])
  })

  it('answers the same however the bytes are cut, beside requests in text', () => {
    const requests = Buffer.concat([
      ask(Op.Set, a),
      Buffer.from('get a\r\n'),
      ask(Op.Append, { key: 'a', value: ' and more' }),
      Buffer.from('set b 0 0 3\r\ntwo\r\n'),
      ask(Op.Set, { ...a, value: 'x'.repeat(VALUE_BYTES_MAX + 300) }).subarray(0, 25),
    ])
    const whole = new Rig().say(requests)[1]
    expect(whole.toString('latin1')).toContain('VALUE a 5 3\r\none\r\nEND\r\n')
    const cuts = fc.array(fc.nat(requests.length), { maxLength: 20 })
    fc.assert(
      fc.property(cuts, (places) => {
        const rig = new Rig()
        const sorted = [0, ...places.toSorted((one, other) => one - other), requests.length]
        const parts = sorted.slice(1).map((to, i) => rig.say(requests.subarray(sorted[i], to))[1])
        expect(Buffer.concat(parts).equals(whole)).toBe(true)
      }),
      { numRuns: 30 },
    )
  })
})

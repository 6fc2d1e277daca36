import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Conversation, type Turn } from './conversation.ts'
import { Executor, REPLY_BYTES_HIGH } from './executor.ts'
import { MEMORY_BYTES_MIN, VALUE_BYTES_MAX } from './layout.ts'
import { MarkedMemory } from './marked-memory.ts'
import { Replies } from './replies.ts'
import { Request } from './request.ts'
import { Store } from './store.ts'

/** A service without sockets. */
class Service {
  readonly store: Store
  readonly #executor: Executor
  readonly #request = new Request()
  readonly #replies = new Replies()

  constructor(memory = new MarkedMemory(new Uint8Array(MEMORY_BYTES_MIN)), isNew = true) {
    const fresh = { nowSeconds: 1_700_000_000, hashSeed: 3 }
    this.store = isNew ? Store.create(memory, fresh) : new Store(memory)
    const facts = { processId: 1, connectionsMax: 10, connections: () => 1, threads: 1 }
    this.#executor = new Executor(this.store, this.#replies, facts)
  }

  turn(client: Conversation): [Turn, string] {
    const turn = client.run(this.#executor, this.#request, this.#replies)
    return [turn, Buffer.from(this.#replies.take()).toString('latin1')]
  }

  /** Everything that is answered to `text` in the end. */
  ask(text: string, client = new Conversation()): string {
    client.receive(Buffer.from(text, 'latin1'))
    let all = ''
    for (;;) {
      const [turn, reply] = this.turn(client)
      all += reply
      if (turn !== 'full') return all
    }
  }
}

/** @param script - `>` lines are sent, the others are what must be answered */
function play(service: Service, script: string): { expected: string[]; answered: string[] } {
  const client = new Conversation()
  const played = { expected: [] as string[], answered: [] as string[] }
  let sent = ''
  let expected = ''
  const check = (): void => {
    played.answered.push(sent + service.ask(sent, client))
    played.expected.push(sent + expected)
    sent = ''
    expected = ''
  }
  for (const raw of script.split('\n')) {
    const text = raw.trim()
    if (text === '') continue
    if (text.startsWith('>')) {
      if (expected !== '') check()
      sent += `${text.slice(1).trimStart()}\r\n`
    } else expected += `${text.replace('(empty)', '').replace('(space)', ' ')}\r\n`
  }
  check()
  return played
}

const transcripts: Readonly<Record<string, string>> = {
  'set, get, gets': `
    > set a 5 0 3
    > one
    STORED
    > get a
    VALUE a 5 3
    one
    END
    > gets a b a
    VALUE a 5 3 1
    one
    VALUE a 5 3 1
    one
    END
    > get b
    END`,
  'add, replace, append, prepend': `
    > replace a 0 0 1
    > x
    NOT_STORED
    > append a 0 0 1
    > x
    NOT_STORED
    > prepend a 0 0 1
    > x
    NOT_STORED
    > add a 7 0 3
    > one
    STORED
    > add a 0 0 1
    > x
    NOT_STORED
    > append a 1 1 1
    > 2
    STORED
    > prepend a 1 1 2
    > 00
    STORED
    > get a
    VALUE a 7 6
    00one2
    END
    > replace a 0 0 0
    >
    STORED
    > get a
    VALUE a 0 0
    (empty)
    END`,
  cas: `
    > cas a 0 0 1 1
    > x
    NOT_FOUND
    > set a 0 0 1
    > x
    STORED
    > cas a 0 0 1 2
    > y
    EXISTS
    > cas a 0 0 1 1
    > y
    STORED
    > cas a 0 0 1 18446744073709551615
    > y
    EXISTS
    > cas a 0 0 1 -1
    CLIENT_ERROR bad command line format
    > gets a
    VALUE a 0 1 2
    y
    END`,
  'incr, decr': `
    > incr n 1
    NOT_FOUND
    > set n 3 0 2
    > 10
    STORED
    > incr n 5
    15
    > decr n 6
    9
    > get n
    VALUE n 3 2
    9(space)
    END
    > incr n 91
    100
    > decr n 1000
    0
    > set n 0 0 20
    > 18446744073709551615
    STORED
    > decr n 1
    18446744073709551614
    > incr n 12
    10
    > set n 0 0 17
    > 10000000000000007
    STORED
    > incr n 0
    10000000000000007
    > incr n -1
    CLIENT_ERROR invalid numeric delta argument
    > incr n 18446744073709551616
    CLIENT_ERROR invalid numeric delta argument
    > set n 0 0 2
    > 1x
    STORED
    > incr n 1
    CLIENT_ERROR cannot increment or decrement non-numeric value
    > decr n
    ERROR`,
  'delete, touch, gat': `
    > delete a
    NOT_FOUND
    > set a 0 0 1
    > x
    STORED
    > touch a 10
    TOUCHED
    > touch b 10
    NOT_FOUND
    > touch a x
    CLIENT_ERROR invalid exptime argument
    > gat 10 a b
    VALUE a 0 1
    x
    END
    > gats 10 a
    VALUE a 0 1 1
    x
    END
    > gat x a
    CLIENT_ERROR invalid exptime argument
    > gat 10
    ERROR
    > delete a 5
    CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]
    > delete a 0
    DELETED
    > get a
    END`,
  noreply: `
    > set a 0 0 1 noreply
    > 1
    > add a 0 0 1 noreply
    > 2
    > append a 0 0 1 noreply
    > 0
    > incr a 5 noreply
    > decr a 1 noreply
    > touch a 0 noreply
    > delete b noreply
    > flush_all 100 noreply
    > verbosity 1 noreply
    > cas a 0 0 1 99 noreply
    > x
    > get a
    VALUE a 0 2
    14
    END
    > flush_all noreply
    > delete a 0 noreply
    > get a
    END`,
  'expiry, flush_all': `
    > set a 0 -1 1
    > x
    STORED
    > get a
    END
    > set a 0 1700000001 1
    > x
    STORED
    > set b 0 1699999999 1
    > x
    STORED
    > set c 0 2592000 1
    > x
    STORED
    > get a b c
    VALUE a 0 1
    x
    VALUE c 0 1
    x
    END
    > flush_all
    OK
    > get a b c
    END
    > flush_all x
    CLIENT_ERROR bad command line format`,
  'what is wrong': `
    > nonsense
    ERROR
    >
    ERROR
    > get
    ERROR
    > set a 0 0
    ERROR
    > set a 0 0 1 1 1 1 1 1 1
    ERROR
    > set a x 0 1
    CLIENT_ERROR bad command line format
    > set a 4294967296 0 1
    CLIENT_ERROR bad command line format
    > set a -1 0 1
    CLIENT_ERROR bad command line format
    > set a 0 0 -1
    CLIENT_ERROR bad data chunk
    > set a 0 0 99999999999
    CLIENT_ERROR bad command line format
    > set a 0 0 3
    > four5
    CLIENT_ERROR bad data chunk
    ERROR
    > get ${'k'.repeat(251)}
    CLIENT_ERROR bad command line format
    > set ${'k'.repeat(251)} 0 0 1
    CLIENT_ERROR bad command line format
    > set ${'k'.repeat(250)} 0 0 1
    > x
    STORED
    > stats nonsense
    ERROR
    > version
    VERSION 1.6.0-godwit
    > version of what
    VERSION 1.6.0-godwit
    > verbosity
    ERROR
    > verbosity 1
    OK
    > mn
    MN`,
}

describe('Conversation', () => {
  it.each(Object.entries(transcripts))('%s', (_, script) => {
    const { answered, expected } = play(new Service(), script)
    expect(answered).toEqual(expected)
  })

  it('takes lines without a carriage return', () => {
    expect(new Service().ask('set a 0 0 1\nx\r\nget a\n')).toBe(
      'STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n',
    )
  })

  it('takes the largest value, and swallows a larger one, with the old one', () => {
    const service = new Service()
    const largest = 'v'.repeat(VALUE_BYTES_MAX)
    expect(service.ask(`set a 0 0 ${largest.length}\r\n${largest}\r\n`)).toBe('STORED\r\n')
    expect(service.ask('get a\r\n')).toBe(`VALUE a 0 ${largest.length}\r\n${largest}\r\nEND\r\n`)
    expect(service.ask('append a 0 0 1\r\nx\r\n')).toBe(
      'SERVER_ERROR object too large for cache\r\n',
    )
    expect(service.ask(`set a 0 0 ${largest.length + 1}\r\n${largest}x\r\nget a\r\n`)).toBe(
      'SERVER_ERROR object too large for cache\r\nEND\r\n',
    )
  })

  it('gives up a line that does not end, and knows long lines of many keys', () => {
    const service = new Service()
    const client = new Conversation()
    expect(service.ask('x'.repeat(2048), client)).toBe('')
    expect(service.ask('x', client)).toBe('CLIENT_ERROR line too long\r\n')
    expect(service.ask('version\r\n', client)).toBe('')
    const keys = Array.from({ length: 100_000 }, (_, i) => `k${i}`).join(' ')
    expect(service.ask(`get ${keys}\r\n`)).toBe('END\r\n')
    expect(service.ask(`get ${keys} ${keys}`)).toBe('CLIENT_ERROR line too long\r\n')
    expect(service.ask(`${'set a 0 0 1'.padEnd(2100)}\r\n`)).toContain('line too long')
  })

  it('answers a request for much in pieces, with bounded replies', () => {
    const service = new Service()
    const value = 'v'.repeat(700_000)
    service.ask(`set a 0 0 ${value.length}\r\n${value}\r\n`)
    const client = new Conversation()
    client.receive(Buffer.from('get a b a a a a\r\nversion\r\n'))
    const turns: Turn[] = []
    let all = ''
    for (let turn: Turn = 'full'; turn === 'full'; ) {
      const [next, reply] = service.turn(client)
      expect(reply.length).toBeLessThan(REPLY_BYTES_HIGH + value.length + 100)
      turns.push(next)
      turn = next
      all += reply
    }
    expect(turns).toEqual(['full', 'full', 'waiting'])
    const item = `VALUE a 0 700000\r\n${value}\r\n`
    expect(all).toBe(`${item.repeat(5)}END\r\nVERSION 1.6.0-godwit\r\n`)
  })

  it('ends with quit, and executes nothing behind it', () => {
    const client = new Conversation()
    client.receive(Buffer.from('version\r\nquit\r\nversion\r\n'))
    expect(new Service().turn(client)).toEqual(['over', 'VERSION 1.6.0-godwit\r\n'])
    expect(client.pendingBytes).toBe(0)
  })

  it('tells statistics', () => {
    const service = new Service()
    service.ask('set a 0 0 1\r\nx\r\nget a b\r\ndelete a\r\n')
    const stats = service.ask('stats\r\n')
    for (const fact of ['cmd_get 2', 'get_hits 1', 'get_misses 1', 'cmd_set 1', 'curr_items 0']) {
      expect(stats).toContain(`STAT ${fact}\r\n`)
    }
    expect(stats.endsWith('\r\nEND\r\n')).toBe(true)
    service.ask('set b 0 0 100\r\n'.concat('x'.repeat(100), '\r\n'))
    expect(service.ask('stats items\r\n')).toContain('STAT items:5:number 1\r\n')
    expect(service.ask('stats slabs\r\n')).toContain('STAT 5:used_chunks 1\r\n')
    expect(service.ask('stats settings\r\n')).toContain('STAT item_size_max 1048576\r\n')
    expect(service.ask('stats reset\r\nstats\r\n')).toMatch(/^RESET\r\n[^]*STAT cmd_get 0\r\n/)
  })
})

const key = fc.constantFrom('a', 'b', 'long'.repeat(62))
const data = fc.string({ maxLength: 300 })
const stored = fc
  .tuple(fc.constantFrom('set', 'add', 'replace', 'append', 'prepend'), key, data)
  .map(([verb, name, text]) => {
    const bytes = Buffer.from(text, 'latin1')
    return `${verb} ${name} 1 0 ${bytes.length}\r\n${bytes.toString('latin1')}\r\n`
  })
const metaFlag = fc.constantFrom(
  'k',
  'v',
  't',
  'c',
  'q',
  'b',
  'N30',
  'T9',
  'R5',
  'I',
  'C2',
  'E7',
  'D3',
)
const meta = fc
  .tuple(
    fc.constantFrom('mg', 'ms', 'md', 'ma', 'me'),
    fc.constantFrom('a', 'b', 'YWJj', 'AAE='),
    fc.array(fc.oneof(metaFlag, fc.string({ minLength: 1, maxLength: 3 })), { maxLength: 6 }),
    data,
  )
  .map(([verb, name, flags, text]) => {
    const line = (length: string): string => `${verb} ${name}${length} ${flags.join(' ')}\r\n`
    return verb === 'ms' ? `${line(` ${text.length}`)}${text}\r\n` : line('')
  })
const piece = fc.oneof(
  stored,
  meta,
  fc.tuple(fc.constantFrom('get', 'gets', 'delete', 'incr'), key).map((parts) => {
    return `${parts.join(' ')}${parts[0] === 'incr' ? ' 3' : ''}\r\n`
  }),
  fc.constantFrom('version\r\n', 'set a 0 0 2000000\r\n', 'set a 0 0 -1\r\n', 'flush_all\r\n'),
  fc.string({ maxLength: 40 }),
  fc.tuple(stored, fc.nat()).map(([text, at]) => text.slice(0, at % text.length)),
)

it('is the same however bytes come, and wherever memory goes in between', () => {
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 15 }),
      fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 }),
      (pieces, lengths) => {
        const text = pieces.join('')
        const whole = new Service()
        const expected = whole.ask(text)
        let split = new Service()
        const client = new Conversation()
        let reply = ''
        for (let at = 0, i = 0; at < text.length; i++) {
          const next = at + lengths[i % lengths.length]!
          reply += split.ask(text.slice(at, next), client)
          at = next
          const moved = new MarkedMemory(split.store.memory.bytes.slice())
          if (i % 5 === 4) split = new Service(moved, false)
        }
        expect(reply).toBe(expected)
        expect(Buffer.compare(split.store.memory.bytes, whole.store.memory.bytes)).toBe(0)
      },
    ),
    { numRuns: 25 },
  )
})

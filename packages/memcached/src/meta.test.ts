import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { base64Bytes, decodeBase64, encodeBase64 } from './base64.ts'
import { Conversation } from './conversation.ts'
import { Executor } from './executor.ts'
import { MEMORY_BYTES_MIN, VALUE_BYTES_MAX } from './layout.ts'
import { MarkedMemory } from './marked-memory.ts'
import { Replies } from './replies.ts'
import { Request } from './request.ts'
import { Store } from './store.ts'

const startSeconds = 1_700_000_000

const pageBytes = 4096

/** A service without sockets, and one client of it. */
class Service {
  readonly #map = new Uint8Array(MEMORY_BYTES_MIN / pageBytes)
  #bytes = new Uint8Array(MEMORY_BYTES_MIN)
  #copy = new Uint8Array(MEMORY_BYTES_MIN)
  store: Store
  #executor: Executor
  readonly #request = new Request()
  readonly #replies = new Replies()
  readonly #client = new Conversation()

  constructor() {
    const fresh = { nowSeconds: startSeconds, hashSeed: 3 }
    this.store = Store.create(this.#memory(), fresh)
    this.#executor = this.#executorOf(this.store)
  }

  #memory(): MarkedMemory {
    return new MarkedMemory(this.#bytes, { map: this.#map, pageBytes })
  }

  #executorOf(store: Store): Executor {
    const facts = { processId: 1, connectionsMax: 10, connections: () => 1, threads: 1 }
    return new Executor(store, this.#replies, facts)
  }

  /** Goes on in a copy, to which nothing came but pages that were marked. */
  move(): void {
    for (let page = this.#map.indexOf(1); page >= 0; page = this.#map.indexOf(1, page + 1)) {
      const [from, to] = [page * pageBytes, (page + 1) * pageBytes]
      this.#copy.set(this.#bytes.subarray(from, to), from)
    }
    this.#map.fill(0)
    if (Buffer.compare(this.#bytes, this.#copy) !== 0) throw new Error('a store was not marked')
    ;[this.#bytes, this.#copy] = [this.#copy, this.#bytes]
    this.store = new Store(this.#memory())
    this.#executor = this.#executorOf(this.store)
  }

  ask(text: string): string {
    this.#client.receive(Buffer.from(text, 'latin1'))
    this.#client.run(this.#executor, this.#request, this.#replies)
    return Buffer.from(this.#replies.take()).toString('latin1')
  }
}

/** Pairs of what is asked and answered, with `/` for the end of a line, moved after each. */
function play(script: readonly (readonly [string, string])[]) {
  const service = new Service()
  const text = (lines: string): string =>
    lines === '' ? '' : `${lines.split('/').join('\r\n')}\r\n`
  const answered = script.map(([asked]) => {
    const answer = service.ask(text(asked))
    service.move()
    return [asked, answer]
  })
  return { answered, expected: script.map(([asked, answer]) => [asked, text(answer)]) }
}

/** As memcached 1.6.18 answers, but for what is said to be newer. */
const scripts: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  get: [
    ['mg', 'ERROR'],
    ['mg a', 'EN'],
    ['mg a v k Oabc', 'EN ka Oabc'],
    ['mg a q v k O1', ''],
    ['ms a 2/hi', 'HD'],
    ['mg a s v t f c h l k O12 q', 'VA 2 s2 t-1 f0 c1 h0 l0 ka O12/hi'],
    ['mg a h', 'HD h1'],
    ['mg a', 'HD'],
    ['mg a k1 s2 v3 Pxx L', 'VA 2 ka s2/hi'],
    ['ms a 2 T100 F7/hi', 'HD'],
    ['mg a u h t f', 'HD h0 t100 f7'],
    ['mg a h T20 t', 'HD h0 t20'],
    ['mg a t h T0 t', 'CLIENT_ERROR duplicate flag'],
    ['mg a t h', 'HD t20 h1'],
    ['mg a T-1', 'HD'],
    ['mg a', 'EN'],
  ],
  'vivify and recache': [
    ['mg a N30 v t', 'VA 0 t30 W/'],
    ['mg a N30 v t', 'VA 0 t30 Z/'],
    ['mg a R60 t', 'HD t30 Z'],
    ['ms a 1 T10/x', 'HD'],
    ['mg a R10', 'HD'],
    ['mg a R11', 'HD W'],
    ['mg a R11', 'HD Z'],
    ['ms a 1/x', 'HD'],
    ['mg a R100', 'HD'],
    ['mg b T50 N30 t', 'HD t30 W'],
    ['mg c N30 T50 t', 'HD t50 W'],
    ['mg c R60 T90 t', 'HD t90 Z'],
    ['mg d N30 u', 'HD W'],
    ['mg d h', 'HD h0 Z'],
    ['mg e N30 E77 c', 'HD c77 W'],
  ],
  set: [
    ['ms a', 'CLIENT_ERROR bad command line format'],
    ['ms a S2', 'CLIENT_ERROR bad command line format'],
    ['ms a -1', 'CLIENT_ERROR bad command line format'],
    ['ms a 2 T30 F12 c k Oxx/hi', 'HD c1 ka Oxx'],
    ['ms a 2 ME k/ho', 'NS ka'],
    ['ms a 2 MA/ho', 'HD'],
    // The size is newer.
    ['ms a 2 MP s/-o', 'HD s6'],
    ['mg a v f t', 'VA 6 f12 t30/-ohiho'],
    ['ms b 2 MR c/ho', 'NS c0'],
    ['ms b 2 MA q/ho', 'NS'],
    ['ms a 2 MR q/ho', ''],
    // So is this.
    ['ms b 2 MA N30 s/ho', 'HD s2'],
    ['mg b v t', 'VA 2 t30/ho'],
    ['ms a 3/hi/', 'CLIENT_ERROR bad data chunk/ERROR'],
    ['ms a 2 Z/hi', 'CLIENT_ERROR invalid flag'],
    ['ms a 2 MX/hi', 'CLIENT_ERROR invalid mode for ms M token'],
    ['ms a 2 Mset/hi', 'CLIENT_ERROR incorrect length for M token'],
    ['ms a 2 F-1/hi', 'CLIENT_ERROR bad command line format'],
    ['ms a 2 Cx/hi', 'CLIENT_ERROR bad token in command line format'],
    ['ms a 2 Tx/hi', 'CLIENT_ERROR bad token in command line format'],
    [`ms a 2 O${'1'.repeat(32)}/hi`, 'CLIENT_ERROR opaque token too long'],
    ['mg a v', 'VA 2/ho'],
  ],
  'compare and set': [
    ['ms a 1 C1 k O5/x', 'NF ka O5'],
    ['ms a 1 C0/x', 'NF'],
    ['ms a 1 MR C1/x', 'NF'],
    ['ms a 1 MA C1/x', 'NS'],
    ['ms a 1 ME C1 c/x', 'HD c1'],
    ['ms a 1 C2 c/y', 'EX c0'],
    ['ms a 1 C0/y', 'EX'],
    ['ms a 1 MA C0/y', 'HD'],
    ['ms a 1 MA C1/y', 'EX'],
    ['ms a 1 C2 c q/z', ''],
    ['mg a c v', 'VA 1 c3/z'],
    // Explicit uniques are newer.
    ['ms a 1 E18446744073709551615 c/z', 'HD c18446744073709551615'],
    ['gets a', 'VALUE a 0 1 18446744073709551615/z/END'],
    ['cas a 0 0 1 18446744073709551614/y', 'EXISTS'],
    ['cas a 0 0 1 18446744073709551615/y', 'STORED'],
    ['mg a c', 'HD c5'],
    ['ms a 1 E2 MA c/z', 'HD c2'],
    ['flush_all', 'OK'],
    ['ms a 1 E1 c/z', 'HD c1'],
    ['mg a v c', 'VA 1 c1/z'],
  ],
  'delete, and invalidate': [
    ['md a', 'NF'],
    ['md a k O5 q', 'NF ka O5'],
    ['ms a 1 T90/x', 'HD'],
    ['md a C7', 'EX'],
    ['md a C0 k', 'EX ka'],
    ['md a q', ''],
    ['ms a 1 T90/x', 'HD'],
    ['mg a', 'HD'],
    ['md a I T30 C2 q', ''],
    ['mg a t c v h', 'VA 1 t30 c3 h1 X W/x'],
    ['mg a t c v', 'VA 1 t30 c3 Z X/x'],
    ['md a I E9', 'HD'],
    ['ms a 1 I C8 T50/y', 'HD'],
    ['mg a v t', 'VA 1 t30 X W/y'],
    ['ms a 2 I C1/yo', 'HD'],
    ['mg a v t', 'VA 2 t30 Z X/yo'],
    ['append a 0 0 1/u', 'STORED'],
    ['mg a v t h', 'VA 3 t30 h0/you'],
    ['md a T30 x', 'CLIENT_ERROR invalid or duplicate flag'],
  ],
  arithmetic: [
    ['ma n k O1 q', 'NF kn O1'],
    ['ma n N0 J13 v', 'VA 2/13'],
    ['ma n N0 J13 v c t k O5', 'VA 2 c2 t-1 kn O5/14'],
    ['ma n D5 v MI', 'VA 2/19'],
    ['ma n MD v', 'VA 2/18'],
    ['ma n M- D10000 v', 'VA 1/0'],
    ['ma n M+ T30 t', 'HD t30'],
    ['ma n q v', ''],
    ['ma n C1 v k', 'EX kn'],
    ['ma n E50 c', 'HD c50'],
    ['ma n C50 D0', 'HD'],
    ['ma m N30 q t', 'HD t30'],
    ['md n I', 'HD'],
    ['ma n', 'HD'],
    ['mg n v h', 'VA 2 h0 X W/4 '],
    ['ma n D100 v', 'VA 3/104'],
    ['mg n v h', 'VA 3 h0/104'],
    ['ma n Mx', 'CLIENT_ERROR invalid mode for ma M token'],
    ['ma n Mincr', 'CLIENT_ERROR invalid or duplicate flag'],
    ['ma n D-1', 'CLIENT_ERROR invalid or duplicate flag'],
    ['ms n 2/9x', 'HD'],
    ['ma n', 'CLIENT_ERROR cannot increment or decrement non-numeric value'],
    ['ms n 0/', 'HD'],
    ['ma n C1', 'CLIENT_ERROR cannot increment or decrement non-numeric value'],
  ],
  'debug, keys as base64, and too many flags': [
    ['me', 'CLIENT_ERROR bad command line format'],
    ['me abc', 'EN'],
    ['ms YWJj 2 b c k O1 T90/hi', 'HD c1 kYWJj b O1'],
    ['mg YW!Jj b k v', 'VA 2 kYWJj b/hi'],
    ['mg abc k v', 'VA 2 kYWJj b/hi'],
    ['me YWJj b', 'ME YWJj exp=90 la=0 cas=1 fetch=yes cls=1 size=61'],
    ['me !!! b', 'CLIENT_ERROR bad command line format'],
    ['mg YWJjZA b', 'CLIENT_ERROR error decoding key'],
    ['mg YR== b k', 'EN kYQ== b'],
    ['ms AAE= 0 b/', 'HD'],
    ['ma AAE= b N0', 'CLIENT_ERROR cannot increment or decrement non-numeric value'],
    ['md AAE= b k', 'HD kAAE= b'],
    ['ma AAE= b k N0 J7', 'HD kAAE= b'],
    ['ms AAE= 1 b k MA/7', 'HD kAAE= b'],
    ['mg AAE= b k v', 'VA 2 kAAE= b/77'],
    ['mg a b c d e f g h i j k l m n o p q r', 'CLIENT_ERROR invalid flag'],
    ['mg a 1 2 3 4 5 6 7 8 9 a b c d e f g h i', 'CLIENT_ERROR options flags are too long'],
    ['ma a 1 2 3 4 5 6 7 8 9 a b c d e f g h i', 'CLIENT_ERROR options flags too long'],
    ['mg abc v \xff', 'CLIENT_ERROR duplicate flag'],
    [`mg ${'k'.repeat(251)}`, 'CLIENT_ERROR bad command line format'],
    [`md abc O${'1'.repeat(32)}`, 'CLIENT_ERROR opaque token too long'],
    ['mn of what', 'MN'],
  ],
}

describe('meta commands', () => {
  it.each(Object.entries(scripts))('%s', (_, script) => {
    const { answered, expected } = play(script)
    expect(answered).toEqual(expected)
  })

  it('takes flags before a value that is too large, and drops what the key had', () => {
    const service = new Service()
    const large = 'v'.repeat(VALUE_BYTES_MAX + 1)
    service.ask('ms a 1\r\nx\r\n')
    expect(service.ask(`ms a ${large.length} Z\r\n${large}\r\n`)).toContain('invalid flag')
    expect(service.ask('mg a\r\n')).toBe('HD\r\n')
    expect(service.ask(`ms a ${large.length} MA\r\n${large}\r\n`)).toContain('too large')
    expect(service.ask('mg a\r\n')).toBe('EN\r\n')
  })

  it('tells how long an item was not asked for, to a minute', () => {
    const service = new Service()
    const at = (seconds: number): void => service.store.tick(startSeconds + seconds)
    service.ask('ms a 1\r\nx\r\n')
    at(59)
    expect(service.ask('mg a l\r\nmg a l\r\n')).toBe('HD l59\r\nHD l59\r\n')
    at(60)
    expect(service.ask('mg a l u\r\nmg a l\r\nmg a l\r\n')).toBe('HD l60\r\nHD l60\r\nHD l0\r\n')
    at(61)
    service.ask('ms a 1\r\ny\r\n')
    expect(service.ask('mg a l\r\n')).toBe('HD l0\r\n')
  })
})

it('decodes what it encodes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 187 }), (key) => {
      const text = new Uint8Array(base64Bytes(key.length))
      expect(encodeBase64(key, 0, key.length, text)).toBe(text.length)
      expect(Buffer.from(text).toString('latin1')).toBe(Buffer.from(key).toString('base64'))
      expect(text.subarray(0, decodeBase64(text, 0, text.length))).toEqual(key)
    }),
  )
})

interface ModelItem {
  value: string
  flags: string
  expiresAt: number
  cas: number
  isFetched: boolean
  isStale: boolean
  hasWinner: boolean
}

interface Asked {
  readonly verb: 'mg' | 'ms' | 'md' | 'ma'
  readonly key: string
  readonly flags: readonly string[]
  readonly value: string
}

/** The obvious twin: one map of items, and flags by their letters. */
class Model {
  readonly #items = new Map<string, ModelItem>()
  #cas = 0
  now = startSeconds

  wait(seconds: number): void {
    this.now += seconds
    for (const [key, { expiresAt }] of this.#items) {
      if (expiresAt !== 0 && expiresAt <= this.now) this.#items.delete(key)
    }
  }

  #at(ttl: string | undefined): number {
    const seconds = Number(ttl ?? 0)
    return seconds === 0 ? 0 : this.now + seconds
  }

  #store(key: string, value: string, others: Partial<ModelItem>): ModelItem {
    const plain = { flags: '0', expiresAt: 0, isFetched: false, isStale: false, hasWinner: false }
    const item = { ...plain, value, cas: ++this.#cas, ...others }
    this.#items.set(key, item)
    return item
  }

  ask(asked: Asked): string {
    const token = new Map(asked.flags.map((flag) => [flag[0]!, flag.slice(1)]))
    const held = this.#items.get(asked.key)
    const [code, item, extra] = this[`_${asked.verb}`](asked, token, held)
    if (code.startsWith('CLIENT_ERROR')) return `${code}\r\n`
    const isSilent =
      token.has('q') && (asked.verb === 'mg' ? code === 'EN' : code === 'HD' && extra !== 'made')
    if (isSilent) return ''
    const isOk = code === 'HD'
    const told = asked.flags.map((flag) => {
      const ttl = item === undefined || item.expiresAt === 0 ? -1 : item.expiresAt - this.now
      if (flag[0] === 'O') return ` ${flag}`
      if (flag === 'k') return ` k${asked.key}`
      if (flag === 'c' && (isOk || asked.verb === 'ms')) return ` c${isOk ? item!.cas : 0}`
      if (asked.verb === 'ms' && flag === 's') return ` s${(isOk ? item! : asked).value.length}`
      if (asked.verb === 'ms' || asked.verb === 'md' || !isOk) return ''
      if (flag === 't') return ` t${ttl}`
      if (asked.verb === 'ma') return ''
      if (flag === 's') return ` s${item!.value.length}`
      if (flag === 'f') return ` f${item!.flags}`
      return flag === 'h' ? ` h${extra?.startsWith('fetched') === true ? 1 : 0}` : ''
    })
    const isValue = isOk && token.has('v') && (asked.verb === 'mg' || asked.verb === 'ma')
    const value = asked.verb === 'ma' && isValue ? item!.value.trimEnd() : (item?.value ?? '')
    const tail = asked.verb === 'mg' && isOk ? extra!.replace(/^(fetched)?/, '') : ''
    const head = isValue ? `VA ${value.length}` : code
    return `${head}${told.join('')}${tail}\r\n${isValue ? `${value}\r\n` : ''}`
  }

  _mg(asked: Asked, token: Map<string, string>, held?: ModelItem): Answer {
    let item = held
    let isWinning = false
    if (item === undefined) {
      if (!token.has('N')) return ['EN']
      item = this.#store(asked.key, '', { expiresAt: this.#at(token.get('N')) })
      isWinning = true
    }
    // As the generator has them, `T` comes before `R`, and both before what is told.
    if (token.has('T')) item.expiresAt = this.#at(token.get('T'))
    const recache = this.#at(token.get('R'))
    if (held !== undefined && !item.hasWinner && item.expiresAt !== 0) {
      isWinning ||= item.expiresAt < recache
    }
    let tail = item.isFetched ? 'fetched' : ''
    if (item.hasWinner) tail += ' Z'
    if (item.isStale) tail += ' X'
    isWinning ||= item.isStale && !item.hasWinner
    if (isWinning) tail += ' W'
    item.hasWinner ||= isWinning
    item.isFetched ||= !token.has('u')
    return ['HD', item, tail]
  }

  _ms(asked: Asked, token: Map<string, string>, held?: ModelItem): Answer {
    const mode = token.get('M') ?? 'S'
    const cas = token.get('C')
    const { key, value } = asked
    const fresh = { flags: token.get('F') ?? '0', expiresAt: this.#at(token.get('T')) }
    const isLonger = mode === 'A' || mode === 'P'
    if (held === undefined) {
      if (mode === 'E') return ['HD', this.#store(key, value, fresh)]
      if (isLonger) return ['NS']
      if (cas !== undefined) return ['NF']
      return mode === 'S' ? ['HD', this.#store(key, value, fresh)] : ['NS']
    }
    if (mode === 'E') return ['NS']
    const isRight = cas === undefined || Number(cas) === held.cas
    if (isLonger) {
      if (!isRight) return ['EX']
      const { flags, expiresAt } = held
      const longer = mode === 'A' ? held.value + value : value + held.value
      return ['HD', this.#store(key, longer, { flags, expiresAt })]
    }
    if (isRight) return ['HD', this.#store(key, value, fresh)]
    if (!token.has('I') || Number(cas) > held.cas) return ['EX']
    const { expiresAt, hasWinner } = held
    return ['HD', this.#store(key, value, { ...fresh, expiresAt, hasWinner, isStale: true })]
  }

  _md(asked: Asked, token: Map<string, string>, held?: ModelItem): Answer {
    if (held === undefined) return ['NF']
    const cas = token.get('C')
    if (cas !== undefined && Number(cas) !== held.cas) return ['EX']
    if (token.has('I')) {
      if (token.has('T')) held.expiresAt = this.#at(token.get('T'))
      Object.assign(held, { isStale: true, hasWinner: false, cas: ++this.#cas })
    } else this.#items.delete(asked.key)
    return ['HD', held]
  }

  _ma(asked: Asked, token: Map<string, string>, held?: ModelItem): Answer {
    let item = held
    if (item === undefined) {
      if (!token.has('N')) return ['NF']
      item = this.#store(asked.key, token.get('J') ?? '0', {
        expiresAt: this.#at(token.get('N')),
      })
    } else {
      const fault = 'CLIENT_ERROR cannot increment or decrement non-numeric value'
      const cas = token.get('C')
      if (item.value === '') return [fault]
      if (cas !== undefined && Number(cas) !== item.cas) return ['EX']
      if (!/^\d+ *$/.test(item.value)) return [fault]
      const delta = Number(token.get('D') ?? 1) * (token.get('M') === 'D' ? -1 : 1)
      const value = String(Math.max(0, Number(item.value) + delta)).padEnd(item.value.length)
      const { flags, expiresAt } = item
      if (value.length > item.value.length) {
        item = this.#store(asked.key, value, { flags, expiresAt })
      } else Object.assign(item, { value, cas: ++this.#cas })
    }
    if (token.has('T')) item.expiresAt = this.#at(token.get('T'))
    return ['HD', item, held === undefined ? 'made' : '']
  }
}

type Answer = readonly [code: string, item?: ModelItem, extra?: string]

const maybe = (...flags: readonly string[]): fc.Arbitrary<string[]> =>
  fc.constantFrom<string[]>([], ...flags.map((flag) => [flag]))
/** Each at most once, those that change something first. */
function flagsOf(...choices: readonly (readonly string[])[]): fc.Arbitrary<string[]> {
  const each = choices.map((flags) => maybe(...flags))
  return fc.tuple(...each).map((chosen) => chosen.flat())
}

const compared = Array.from({ length: 8 }, (_, i) => `C${i + 1}`)
const told = [['k'], ['O123', 'Oab'], ['q'], ['c']] as const
const flags = {
  mg: flagsOf(
    ['N9', 'N20'],
    ['T5', 'T0'],
    ['R7', 'R15'],
    ['u'],
    ...told,
    ['h'],
    ['s'],
    ['t'],
    ['v'],
    ['f'],
  ),
  ms: flagsOf(['ME', 'MA', 'MP', 'MR', 'MS'], ['F7'], ['T5', 'T20'], compared, ['I'], ...told, [
    's',
  ]),
  md: flagsOf(compared, ['I'], ['T5'], ['k'], ['O7'], ['q']),
  ma: flagsOf(
    ['N9'],
    ['J99'],
    ['D5', 'D90'],
    ['MD', 'MI'],
    ['T5'],
    compared,
    ...told,
    ['t'],
    ['v'],
  ),
}
const request = fc.constantFrom('mg', 'ms', 'md', 'ma').chain((verb) =>
  fc.record({
    verb: fc.constant(verb as Asked['verb']),
    key: fc.constantFrom('a', 'b'),
    flags: flags[verb as Asked['verb']],
    value: fc.constantFrom('', '7', '98', 'text'),
  }),
)
const step = fc.oneof(
  { weight: 9, arbitrary: request },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 12 }) },
)

function lineOf({ verb, key, flags: given, value }: Asked): string {
  if (verb !== 'ms') return `${[verb, key, ...given].join(' ')}\r\n`
  return `${[verb, key, value.length, ...given].join(' ')}\r\n${value}\r\n`
}

describe('meta commands', () => {
  it('do what a map does, wherever the memory goes and however bytes come', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 40, size: 'max' }),
        fc.nat({ max: 30 }),
        (steps, cut) => {
          const service = new Service()
          const model = new Model()
          for (const one of steps) {
            if (typeof one === 'number') {
              model.wait(one)
              service.store.tick(model.now)
              service.move()
              continue
            }
            const text = lineOf(one)
            const at = cut % text.length
            const answer = service.ask(text.slice(0, at))
            if (at % 2 === 1) service.move()
            expect([text, answer + service.ask(text.slice(at))]).toEqual([text, model.ask(one)])
          }
        },
      ),
      { numRuns: 25 },
    )
  })
})

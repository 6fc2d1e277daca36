import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { MemcachedGuest, parseMemcached } from '@godwit/memcached'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { closeClients, TextClient } from './memcached-client.ts'
import { isInstalled } from './process.ts'

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  closeClients()
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/**
 * Debian's, once it listens. With one list per class: the thread that maintains several holds on to
 * items now and then, and a number is then not replaced in its place.
 */
async function startTheirs(): Promise<number> {
  const port = await freePort()
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const args = ['-l', '127.0.0.1', '-p', `${port}`, '-U', '0', '-o', 'no_lru_maintainer', ...user]
  const child: ChildProcess = spawn('memcached', args, { stdio: 'ignore' })
  cleanups.push(() => child.kill('SIGKILL'))
  for (let isThere = false; !isThere; ) {
    if (child.exitCode !== null) throw new Error(`memcached ended with ${child.exitCode}`)
    const socket = connect(port, '127.0.0.1')
    isThere = await new Promise<boolean>((resolve) => {
      socket.on('connect', () => resolve(true))
      socket.on('error', () => resolve(false))
    })
    socket.destroy()
  }
  return port
}

async function startOurs(): Promise<number> {
  const { identity } = parseMemcached('memcached,port=0')
  const guest = await MemcachedGuest.start(identity, 8 * 2 ** 20)
  cleanups.push(() => guest.stop())
  return guest.place.port
}

/** Whole hundreds of seconds: two clocks do not tick at the same time. */
const rounded = (seconds: string): number => Math.ceil(Number(seconds) / 100) * 100

/**
 * Without what may differ: seconds that have passed, and in `me` the sign of what is left of them
 * (theirs counts down from 0 before 1.6.23), the class, and the size with a header of its own.
 */
function comparable(reply: string): string {
  return reply
    .replace(/ t(\d+)/g, (_, left: string) => ` t${rounded(left)}`)
    .replace(/ l[0-9]\b/g, ' l0')
    .replace(/ exp=-?(\d{2,})/, (_, left: string) => ` exp=${rounded(left)}`)
    .replace(/ la=\d /, ' la=0 ')
    .replace(/ cls=.*/, '')
}

const plainKeys = ['a', 'b', 'c'] as const
/** Of bytes that no key may have as text. */
const binaryKeys = ['AAE=', 'AAEC', '/w=='] as const
const key = fc.constantFrom(...plainKeys)
const anyKey = fc.constantFrom(
  ...plainKeys.map((name) => [name]),
  ...binaryKeys.map((name) => [name, 'b']),
)
const seconds = fc.constantFrom('0', '100', '300', '-1', '2592000', '1000000000')
const positive = fc.constantFrom('0', '100', '300')
/** Replaced by the last unique that was told, and a number. */
const cas = fc.constantFrom('CAS', 'CAS-1', 'CAS+1', '0', '1')
const number = fc.constantFrom('0', '1', '9', '95', '18446744073709551615')
const value = fc.constantFrom('', '7', '99', '100', 'text', 'two words', '18446744073709551610')

const flag = (name: string): fc.Arbitrary<string> => fc.constant(name)
const withToken = (name: string, token: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  token.map((text) => name + text)
const told = ['k', 'q', 'O1', 'Oabc', 'P', 'Lhint'].map(flag)
const wrong = ['z', 'Tx', 'C', 'Cx', '\x7f', 'k k', 'M', 'Mxy'].map(flag)

/** Any of them in any order, now and then with one that is wrong. */
function flagsOf(...flags: readonly fc.Arbitrary<string>[]): fc.Arbitrary<string[]> {
  const right = fc
    .tuple(fc.shuffledSubarray(flags.map((_, i) => i)), fc.tuple(...flags))
    .map(([order, all]) => order.map((i) => all[i]!))
  return fc.oneof(
    { weight: 12, arbitrary: right },
    {
      weight: 1,
      arbitrary: fc.tuple(right, fc.oneof(...wrong)).map(([most, one]) => [...most, one]),
    },
  )
}

const line = (...parts: readonly string[]): string => `${parts.join(' ')}\r\n`

const metaGet = fc
  .tuple(
    key,
    flagsOf(
      ...told,
      ...['s', 't', 'v', 'c', 'f', 'h', 'l', 'u'].map(flag),
      withToken('N', positive),
      withToken('T', positive),
      withToken('R', fc.constantFrom('0', '50', '150', '350')),
    ),
  )
  .map(([name, flags]) => line('mg', name, ...flags))
const binaryGet = fc
  .tuple(anyKey, flagsOf(...told, ...['s', 't', 'v', 'c', 'h'].map(flag)))
  .map(([name, flags]) => line('mg', ...name, ...flags))

const compared = withToken('C', cas)
/** Theirs forgets with `MA` and `MP` that a key came as base64. */
const metaSet = fc
  .oneof(
    fc.tuple(
      anyKey,
      value,
      flagsOf(
        ...told,
        flag('c'),
        flag('I'),
        compared,
        withToken('F', fc.constantFrom('0', '7', '4294967295')),
        withToken('T', seconds),
        withToken('M', fc.constantFrom('E', 'R', 'S')),
      ),
    ),
    fc.tuple(
      key.map((name) => [name]),
      value,
      flagsOf(...told, flag('c'), compared, withToken('M', fc.constantFrom('A', 'P', 'X'))),
    ),
  )
  .map(([[name, ...binary], data, flags]) => {
    return line('ms', name!, `${data.length}`, ...binary, ...flags) + line(data)
  })

const metaDelete = fc
  .tuple(anyKey, flagsOf(...told.slice(0, 3), flag('I'), withToken('T', positive), compared))
  .map(([name, flags]) => line('md', ...name, ...flags))

/** Theirs gives `T` to an item that it has just replaced, where a number grew. */
const metaArithmetic = fc
  .tuple(
    key,
    fc.oneof(
      flagsOf(
        ...told.slice(0, 3),
        ...['c', 't', 'v'].map(flag),
        withToken('N', positive),
        withToken('J', number),
        withToken('D', number),
        withToken('M', fc.constantFrom('I', '+', 'D', '-', 'X')),
        compared,
      ),
      flagsOf(flag('v'), flag('t'), withToken('T', positive)).map((flags) => [...flags, 'MD']),
    ),
  )
  .map(([name, flags]) => line('ma', name, ...flags))

const classic = fc.oneof(
  fc.tuple(fc.constantFrom('get', 'gets', 'delete', 'me', 'mg', 'md'), key),
  fc.tuple(fc.constantFrom('incr', 'decr', 'touch'), key, positive),
  fc.tuple(fc.constantFrom('me'), fc.constantFrom(...binaryKeys), flag('b')),
  fc.tuple(fc.constantFrom('mg', 'ms', 'md', 'ma', 'nonsense')),
  fc.tuple(fc.constantFrom('ms'), key, fc.constantFrom('x', '-1', 'S5', '2x')),
  fc.tuple(fc.constantFrom('md'), key, flag(`O${'x'.repeat(32)}`)),
)
const stored = fc
  .tuple(fc.constantFrom('set', 'add', 'replace', 'append', 'prepend'), key, positive, value)
  .map(([verb, name, ttl, data]) => line(verb, name, '3', ttl, `${data.length}`) + line(data))

const command = fc.oneof(
  { weight: 6, arbitrary: metaGet },
  { weight: 2, arbitrary: binaryGet },
  { weight: 6, arbitrary: metaSet },
  { weight: 3, arbitrary: metaDelete },
  { weight: 4, arbitrary: metaArithmetic },
  { weight: 2, arbitrary: classic.map((parts) => line(...parts)) },
  { weight: 2, arbitrary: stored },
)

describe('memcached', () => {
  it.skipIf(!isInstalled('memcached'))(
    "answers as Debian's does (needs apt-get install memcached)",
    async () => {
      const [ours, theirs] = [await startOurs(), await startTheirs()].map(
        (port) => new TextClient(port),
      )
      // `mn` tells that all is answered.
      const ask = (client: TextClient, text: string): Promise<string> =>
        client.ask(`${text}mn\r\n`, 'MN\r\n')
      let unique = 0
      const transcript = async (commands: readonly string[]): Promise<void> => {
        for (const client of [ours!, theirs!]) {
          for (const name of plainKeys) await ask(client, line('md', name))
          for (const name of binaryKeys) await ask(client, line('md', name, 'b'))
        }
        for (const one of commands) {
          const text = one.replace(/CAS([-+]1)?/, (_, difference: string | undefined) =>
            String(Math.max(1, unique + Number(difference ?? 0))),
          )
          const [answer, expected] = [await ask(ours!, text), await ask(theirs!, text)]
          expect([text, comparable(answer)]).toEqual([text, comparable(expected)])
          unique = Number(/ c(\d+)/.exec(answer)?.[1] ?? unique)
        }
      }
      const commands = fc.array(command, { minLength: 1, maxLength: 60, size: 'max' })
      await fc.assert(fc.asyncProperty(commands, transcript), { numRuns: 100 })
    },
    60_000,
  )
})

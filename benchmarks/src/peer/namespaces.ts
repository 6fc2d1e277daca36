/**
 * Two network namespaces with a shaped link between them, and the counters of its ends.
 *
 * @module
 */
import { existsSync } from 'node:fs'
import { run, splitCommand } from '../process.ts'

const device = 'peer0'
const sourceAddress = '10.77.0.1'
const destinationAddress = '10.77.0.2'
const loopbackAddress = '127.0.0.1'
const burst = '256kb'
const latency = '20ms'

/** Where one side of a migration runs. */
export interface Place {
  /** Program and arguments that start another program there. */
  readonly prefix: readonly string[]
}

/** Where both sides run, and how they reach each other. */
export interface Route {
  readonly name: string
  readonly source: Place
  readonly destination: Place
  /** The destination's address. */
  readonly host: string
  readonly sourceHost: string
  /** The source's interface towards it. */
  readonly device: string
}

export interface Namespaces {
  /** Between the two, at the rate asked for. */
  readonly shaped: Route
  /** Both sides in one of them, nothing shaped. */
  readonly loopback: Route
  /** Changes the rate of the shaped one. */
  setRate(rate: string): Promise<void>
  remove(): Promise<void>
}

/** Lays the link. @param rate - as `tc` has it, both ways, like `1gbit` */
export async function createNamespaces(rate: string): Promise<Namespaces> {
  await removeStale()
  const names = ['source', 'destination'].map((side) => `godwit-${process.pid}-${side}`)
  const [source, destination] = names as [string, string]
  const remove = async (): Promise<void> => {
    for (const name of names) await ip('netns', 'del', name)
  }
  for (const name of names) await ip('netns', 'add', name)
  try {
    const near = ['link', 'add', device, 'netns', source]
    await ip(...near, 'type', 'veth', 'peer', 'name', device, 'netns', destination)
    await setUp(source, sourceAddress)
    await setUp(destination, destinationAddress)
    for (const name of names) await shape(name, rate)
  } catch (error) {
    await remove()
    throw error
  }
  const [here, there] = [placeIn(source), placeIn(destination)]
  return {
    shaped: {
      name: rate,
      source: here,
      destination: there,
      host: destinationAddress,
      sourceHost: sourceAddress,
      device,
    },
    loopback: {
      name: 'loopback',
      source: here,
      destination: here,
      host: loopbackAddress,
      sourceHost: loopbackAddress,
      device: 'lo',
    },
    setRate: async (changed) => {
      for (const name of names) await shape(name, changed)
    },
    remove,
  }
}

async function setUp(name: string, address: string): Promise<void> {
  await ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', device)
  for (const one of ['lo', device]) await ip('-n', name, 'link', 'set', one, 'up')
}

async function shape(name: string, rate: string): Promise<void> {
  const bucket = ['rate', rate, 'burst', burst, 'latency', latency]
  await run('tc', ['-n', name, 'qdisc', 'replace', 'dev', device, 'root', 'tbf', ...bucket])
}

function placeIn(name: string): Place {
  return { prefix: ['ip', 'netns', 'exec', name] }
}

/** What a benchmark left that was killed. */
async function removeStale(): Promise<void> {
  for (const name of staleNames(await ip('netns', 'list'), (pid) => existsSync(`/proc/${pid}`))) {
    await ip('netns', 'del', name)
  }
}

/** Our namespaces in the list of all whose process is gone. */
export function staleNames(list: string, isAlive: (pid: number) => boolean): readonly string[] {
  return [...list.matchAll(/^(godwit-(\d+)-(?:source|destination))\b/gm)]
    .filter(([, , pid]) => !isAlive(Number(pid)))
    .map(([, name]) => name!)
}

async function ip(...args: readonly string[]): Promise<string> {
  return run('ip', args)
}

/** Bytes that the source's end of a route has sent until now, headers included. */
export async function sentBytes(route: Route): Promise<number> {
  return (await readCounters(route)).sent
}

/** Bytes of both directions until now, headers included. On loopback each is both. */
export async function carriedBytes(route: Route): Promise<number> {
  const { sent, received } = await readCounters(route)
  return route.name === 'loopback' ? sent : sent + received
}

async function readCounters({ source, device: name }: Route): Promise<Counters> {
  const [program, args] = splitCommand([...source.prefix, 'cat', '/proc/net/dev'])
  return parseCounters(await run(program, args), name)
}

/** Bytes of an interface. */
export interface Counters {
  readonly received: number
  readonly sent: number
}

/** The counters of one interface in the text of `/proc/net/dev`. */
export function parseCounters(text: string, name: string): Counters {
  const line = text.split('\n').find((one) => one.trim().startsWith(`${name}:`))
  if (line === undefined) throw new Error(`there is no interface ${name}`)
  const columns = line.slice(line.indexOf(':') + 1).trim()
  // Eight counters of what was received come first.
  const counters = columns.split(/\s+/).map(Number)
  return { received: counters[0]!, sent: counters[8]! }
}

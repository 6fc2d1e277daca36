/**
 * What others make of the link to a destination: the counters of its interface (Linux), less what
 * the migration itself sends.
 *
 * @module
 */
import { createSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { readFileSync } from 'node:fs'
import { BlockList, isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { GodwitError, systemClock } from '@godwit/core'
import { OtherTraffic } from '@godwit/policy'
import type { LinkUse } from '@godwit/source'
import { parseAddress } from '@godwit/transport'

const countersFile = '/proc/net/dev'
/** Before the first round there is nothing but this to go by. */
const firstLookMs = 200
/** Any; nothing is sent to it. */
const somePort = 9

/**
 * Looks at the link for a moment, and then whenever it is asked.
 *
 * @param to - the destination, like `HOST:PORT`
 * @throws {GodwitError} `USAGE`: it cannot be told which link that is, or what is sent over it
 */
export async function watchLink(to: string): Promise<LinkUse> {
  const name = await interfaceTowards(parseAddress(to).host)
  const others = new OtherTraffic(systemClock.nowMs(), sentBytes(name))
  await delay(firstLookMs)
  others.measure(systemClock.nowMs(), sentBytes(name), 0)
  return {
    usedByOthers: (ownBytes) => others.measure(systemClock.nowMs(), sentBytes(name), ownBytes),
  }
}

/** The interface through which this machine reaches `host`. @throws {GodwitError} `USAGE` */
export async function interfaceTowards(host: string): Promise<string> {
  try {
    const { address } = await lookup(host)
    // What goes to this machine itself takes the loopback, whatever the address.
    const local = interfaceWith(address) === undefined ? await localAddress(address) : '127.0.0.1'
    const name = interfaceWith(local)
    if (name !== undefined) return name
    throw new Error(`no interface has the address ${local}`)
  } catch (cause) {
    throw unknown(`the link to ${host} is not known`, cause)
  }
}

/** The address from which this machine speaks to `address`. */
function localAddress(address: string): Promise<string> {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
  return new Promise<string>((resolve, reject) => {
    socket.once('error', reject)
    socket.connect(somePort, address, () => resolve(socket.address().address))
  }).finally(() => socket.close())
}

function interfaceWith(address: string): string | undefined {
  const family = isIPv6(address) ? 'ipv6' : 'ipv4'
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    for (const { address: own, cidr, internal } of addresses ?? []) {
      if (own === address) return name
      // Of a loopback all addresses of the network are this machine's.
      if (!internal || cidr === null || isIPv6(own) !== isIPv6(address)) continue
      const network = new BlockList()
      network.addSubnet(own, Number(cidr.split('/')[1]), family)
      if (network.check(address, family)) return name
    }
  }
  return undefined
}

/** Everything that interface `name` has sent so far. @throws {GodwitError} `USAGE` */
export function sentBytes(name: string): number {
  let text: string
  try {
    text = readFileSync(countersFile, 'utf8')
  } catch (cause) {
    throw unknown(`${countersFile} cannot be read`, cause)
  }
  const bytes = parseSentBytes(text, name)
  if (bytes === undefined) throw unknown(`interface ${name} is not in ${countersFile}`)
  return bytes
}

/** Of one interface in `/proc/net/dev`: the ninth number of its line. */
export function parseSentBytes(text: string, name: string): number | undefined {
  const line = text.split('\n').find((one) => one.trimStart().startsWith(`${name}:`))
  const number = line
    ?.slice(line.indexOf(':') + 1)
    .trim()
    .split(/\s+/)[8]
  return number === undefined ? undefined : Number(number)
}

function unknown(why: string, cause?: unknown): GodwitError {
  const text = `What others use of the link is not known (${why}); give it: used=RATE or used=0`
  return new GodwitError('USAGE', text, { cause })
}

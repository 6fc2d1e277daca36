/**
 * Values that only `godwit catalog simulate` takes.
 *
 * @module
 */
import type { GuestSize, Policy, Strategy } from '@godwit/catalog'
import { STRATEGIES } from '@godwit/catalog'
import { GodwitError, formatBytes, parseBytes } from '@godwit/core'

/** `44%` -> 0.44. @throws {GodwitError} `USAGE` */
export function parsePercent(text: string): number {
  const match = /^(\d+(?:\.\d+)?)%$/.exec(text)
  if (match === null) throw new GodwitError('USAGE', `"${text}" is no share; write it like 44%`)
  return Number(match[1]) / 100
}

export function formatPercent(share: number): string {
  return `${Math.round(share * 1000) / 10}%`
}

/** `58%-69%` or `60%` -> shares. @throws {GodwitError} `USAGE` */
export function parsePercentRange(text: string): [number, number] {
  const [low, high = low, ...more] = text.split('-')
  if (more.length > 0) throw new GodwitError('USAGE', `"${text}" is no range, like 58%-69%`)
  return [parsePercent(low!), parsePercent(high!)]
}

/** A number that is not negative. @throws {GodwitError} `USAGE` */
export function parseNumber(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text)
  throw new GodwitError('USAGE', `"${text}" is not a number, like 1 or 0.5`)
}

/** `1,0.5` or `1` -> exponents for operating systems and hypervisors. @throws `USAGE` */
export function parseZipf(text: string): [number, number] {
  const [os, hypervisor = os, ...more] = text.split(',').map(parseNumber)
  if (more.length > 0) throw new GodwitError('USAGE', `"${text}" is not two exponents, like 1,0.5`)
  return [os!, hypervisor!]
}

/** `1,2,4` -> the costs of links to racks, pods and the core. @throws {GodwitError} `USAGE` */
export function parseLinkCosts(text: string): [number, number, number] {
  const [toRack, toPod, toCore, ...more] = text.split(',').map(parseNumber)
  if (toCore === undefined || more.length > 0) {
    throw new GodwitError('USAGE', `"${text}" is not three costs of links, like 1,2,4`)
  }
  return [toRack!, toPod!, toCore]
}

/** `1GiB/1:3,4GiB/2:1` -> sizes of guests. @throws {GodwitError} `USAGE` */
export function parseSizes(text: string): readonly GuestSize[] {
  return text.split(',').map((part) => {
    const [memory, cpus, weight, ...more] = part.split(/[/:]/)
    if (!/^[^/:]+\/[^/:]+:[^/:]+$/.test(part) || more.length > 0) {
      throw new GodwitError('USAGE', `"${part}" is not MEMORY/CPUS:WEIGHT, like 4GiB/2:25`)
    }
    return {
      memoryBytes: parseBytes(memory!),
      cpus: parseNumber(cpus!),
      weight: parseNumber(weight!),
    }
  })
}

export function formatSizes(sizes: readonly GuestSize[]): string {
  return sizes
    .map(({ memoryBytes, cpus, weight }) => {
      return `${formatBytes(memoryBytes).replace(' ', '')}/${cpus}:${weight}`
    })
    .join(',')
}

/** `escdr+random,random+random` -> how to place and how to route. @throws {GodwitError} `USAGE` */
export function parsePolicies(text: string): readonly Policy[] {
  const parts = text.split(',')
  const double = parts.find((part, i) => parts.indexOf(part) !== i)
  if (double !== undefined) throw new GodwitError('USAGE', `"${double}" is there twice`)
  return parts.map((part) => {
    const [placement, routing, ...more] = part.split('+')
    if (!isStrategy(placement) || !isStrategy(routing) || more.length > 0) {
      const known = STRATEGIES.join(', ')
      throw new GodwitError('USAGE', `"${part}" is not PLACEMENT+ROUTING, each one of ${known}`)
    }
    return { placement, routing }
  })
}

function isStrategy(name: string | undefined): name is Strategy {
  return STRATEGIES.some((one) => one === name)
}

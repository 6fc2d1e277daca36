/**
 * The link of a grid: between two network namespaces, shaped by the kernel, or through a proxy
 * where those may not be made.
 *
 * @module
 */
import { GodwitError } from '@godwit/core'
import type { Namespaces } from '../peer/namespaces.ts'
import { createNamespaces } from '../peer/namespaces.ts'
import { requireNetworkTools } from '../peer/tools.ts'
import type { Ends } from '../process.ts'
import { loopback } from '../process.ts'
import { rateOption } from './cell.ts'
import { LineProcess } from './line-process.ts'
import type { ShaperCommand } from './shaper.ts'
import { SHAPER_PROGRAM } from './shaper.ts'

/** `tbf`: the kernel's token bucket filter; `proxy`: a process in between. */
export const LINK_KINDS = ['tbf', 'proxy'] as const
export type LinkKind = (typeof LINK_KINDS)[number]

export interface ShapedLink {
  readonly kind: LinkKind
  /** Where the two sides run; `reach` is how the source finds what listens at the other end. */
  readonly ends: Ends & Required<Pick<Ends, 'reach'>>
  /** Both ways, headers included. */
  setRate(bytesPerSecond: number): Promise<void>
  remove(): Promise<void>
}

/**
 * @param kind - as asked for; without it `tbf` where that can be had, else `proxy`
 * @throws {GodwitError} `USAGE`: namespaces were asked for and cannot be made
 */
export async function layLink(
  bytesPerSecond: number,
  kind: LinkKind | undefined,
): Promise<ShapedLink> {
  if (kind === 'proxy') return layProxy(bytesPerSecond)
  try {
    requireNetworkTools()
    return overNamespaces(await createNamespaces(rateOption(bytesPerSecond)))
  } catch (cause) {
    if (kind === undefined) return layProxy(bytesPerSecond)
    const why = cause instanceof Error ? cause.message : String(cause)
    const text = `A link between network namespaces cannot be laid here (${why}); try --link proxy`
    throw new GodwitError('USAGE', text, { cause })
  }
}

/** Below those that the kernel gives away. */
const ports = { first: 20_000, count: 10_000 } as const

function overNamespaces(namespaces: Namespaces): ShapedLink {
  const { source, destination, host } = namespaces.shaped
  let given = 0
  return {
    kind: 'tbf',
    ends: {
      source,
      destination,
      host,
      // The namespace is ours alone.
      freePort: () => ports.first + (given++ % ports.count),
      reach: async (address) => address,
    },
    setRate: (bytesPerSecond) => namespaces.setRate(rateOption(bytesPerSecond)),
    remove: () => namespaces.remove(),
  }
}

function layProxy(bytesPerSecond: number): ShapedLink {
  const shaper = new LineProcess([], SHAPER_PROGRAM, [String(bytesPerSecond)])
  const ask = (command: ShaperCommand): Promise<string> => shaper.ask(JSON.stringify(command))
  return {
    kind: 'proxy',
    ends: { ...loopback, reach: (address) => ask({ reach: address }) },
    setRate: async (changed) => void (await ask({ bytesPerSecond: changed })),
    remove: () => shaper.end(),
  }
}

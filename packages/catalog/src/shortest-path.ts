/**
 * The best ways from one machine to all others (Dijkstra, Numerische Mathematik 1, 1959).
 *
 * @module
 */
import { GodwitError } from '@godwit/core'
import type { LinkRecord } from './records.ts'

/** A way over links. */
export interface Path {
  /** Sum of its links' costs. */
  readonly cost: number
  /** From the source to the destination, both included. */
  readonly machines: readonly string[]
  /** Of its slowest link; Infinity for a way without links. */
  readonly bandwidthBytesPerSecond: number
}

type Link = Pick<LinkRecord, 'source' | 'destination' | 'cost' | 'bandwidthBytesPerSecond'>

/** Where the search got to a machine. */
interface Step {
  readonly machine: string
  readonly cost: number
  readonly links: number
  readonly before: Step | undefined
  readonly bandwidthBytesPerSecond: number
}

/**
 * The cheapest path to every machine that can be reached. Of two that cost the same the one with
 * fewer links is taken, then by name, so that the order of links does not matter.
 *
 * @throws {GodwitError} `USAGE` for a link whose cost is negative or no number
 */
export function cheapestPaths(links: readonly Link[], source: string): ReadonlyMap<string, Path> {
  const from = linksBySource(links)
  const paths = new Map<string, Path>()
  const open: Step[] = []
  push(open, {
    machine: source,
    cost: 0,
    links: 0,
    before: undefined,
    bandwidthBytesPerSecond: Infinity,
  })
  for (let step = pop(open); step !== undefined; step = pop(open)) {
    if (paths.has(step.machine)) continue
    paths.set(step.machine, pathOf(step))
    for (const link of from.get(step.machine) ?? []) {
      if (paths.has(link.destination)) continue
      push(open, {
        machine: link.destination,
        cost: step.cost + link.cost,
        links: step.links + 1,
        before: step,
        bandwidthBytesPerSecond: Math.min(
          step.bandwidthBytesPerSecond,
          link.bandwidthBytesPerSecond,
        ),
      })
    }
  }
  return paths
}

function linksBySource(links: readonly Link[]): ReadonlyMap<string, readonly Link[]> {
  const from = new Map<string, Link[]>()
  for (const link of links) {
    // A negative cost would make the search wrong, NaN would make it depend on the order.
    if (!(link.cost >= 0)) {
      const { source, destination, cost } = link
      throw new GodwitError('USAGE', `The link ${source} -> ${destination} costs ${cost}`)
    }
    const known = from.get(link.source)
    if (known === undefined) from.set(link.source, [link])
    else known.push(link)
  }
  return from
}

function pathOf(last: Step): Path {
  const machines: string[] = []
  for (let step: Step | undefined = last; step !== undefined; step = step.before) {
    machines.push(step.machine)
  }
  const { cost, bandwidthBytesPerSecond } = last
  return { cost, machines: machines.reverse(), bandwidthBytesPerSecond }
}

/** Whether `a` leaves the heap before `b`. */
function isBefore(a: Step, b: Step): boolean {
  if (a.cost !== b.cost) return a.cost < b.cost
  if (a.links !== b.links) return a.links < b.links
  if (a.machine !== b.machine) return a.machine < b.machine
  // Two ways to one machine over the same number of links: the first that differs decides.
  for (let [x, y] = [a.before, b.before]; x !== y; [x, y] = [x!.before, y!.before]) {
    if (x!.machine !== y!.machine) return x!.machine < y!.machine
  }
  return a.bandwidthBytesPerSecond > b.bandwidthBytesPerSecond
}

/** A binary heap: no step is behind one of its two children. */
function push(heap: Step[], step: Step): void {
  let at = heap.length
  heap.push(step)
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!isBefore(step, heap[parent]!)) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = step
}

function pop(heap: Step[]): Step | undefined {
  const first = heap[0]
  const last = heap.pop()
  if (heap.length === 0 || last === undefined) return first
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
    if (!isBefore(heap[child]!, last)) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = last
  return first
}

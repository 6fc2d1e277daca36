/**
 * Machines by load, then by most free memory, then by number, kept in order while they change: one
 * array, in which a machine that changes moves. Up to 100 000 machines that is faster than a tree.
 *
 * @module
 */

/** What the order goes by; indexed by machine. */
export interface LoadFigures {
  readonly load: Float64Array
  readonly freeBytes: Float64Array
}

export class LoadOrder {
  readonly #figures: LoadFigures
  /** The first `count` are the machines that are in it, in order. */
  readonly machines: Int32Array
  count: number = 0

  constructor(figures: LoadFigures) {
    this.#figures = figures
    this.machines = new Int32Array(figures.load.length)
  }

  /** Puts a machine in that is not in it. */
  add(machine: number): void {
    const at = this.#find(machine, 0, this.count)
    this.machines.copyWithin(at + 1, at, this.count++)
    this.machines[at] = machine
  }

  /** Takes a machine out; its figures are still those with which it came in. */
  remove(machine: number): void {
    const at = this.indexOf(machine)
    this.machines.copyWithin(at, at + 1, this.count--)
  }

  /** Where a machine is that is in it, and whose figures are those with which it came in. */
  indexOf(machine: number): number {
    return this.#find(machine, 0, this.count)
  }

  /** Puts the machine at `index`, whose figures have changed, where it belongs now. */
  settle(index: number): void {
    const { machines, count } = this
    const machine = machines[index]!
    const after = this.#find(machine, index + 1, count)
    if (after > index + 1) {
      machines.copyWithin(index, index + 1, after)
      machines[after - 1] = machine
      return
    }
    const before = this.#find(machine, 0, index)
    machines.copyWithin(before + 1, before, index)
    machines[before] = machine
  }

  /** The least loaded machine that satisfies `fits`, or -1. */
  first(fits: (machine: number) => boolean): number {
    for (let i = 0; i < this.count; i++) {
      const machine = this.machines[i]!
      if (fits(machine)) return machine
    }
    return -1
  }

  /** Where `machine` is, or would be, from `low` on and up to `high`. */
  #find(machine: number, low: number, high: number): number {
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#isBefore(this.machines[middle]!, machine)) low = middle + 1
      else high = middle
    }
    return low
  }

  #isBefore(a: number, b: number): boolean {
    return isBefore(this.#figures, a, b)
  }
}

/** The order: whether machine `a` comes before machine `b`. */
export function isBefore({ load, freeBytes }: LoadFigures, a: number, b: number): boolean {
  if (load[a] !== load[b]) return load[a]! < load[b]!
  if (freeBytes[a] !== freeBytes[b]) return freeBytes[a]! > freeBytes[b]!
  return a < b
}

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { LoadOrder, isBefore } from './load-order.ts'

it('is what sorting gives, whatever changes', () => {
  const machines = 12
  const change = fc.tuple(fc.nat(machines - 1), fc.nat(3), fc.nat(3), fc.boolean())
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const figures = { load: new Float64Array(machines), freeBytes: new Float64Array(machines) }
      const order = new LoadOrder(figures)
      const inside = new Set<number>()
      for (const [machine, load, freeBytes, stays] of changes) {
        const index = inside.has(machine) ? order.indexOf(machine) : -1
        if (!stays && inside.delete(machine)) order.remove(machine)
        figures.load[machine] = load
        figures.freeBytes[machine] = freeBytes
        if (stays && index >= 0) order.settle(index)
        if (stays && index < 0) order.add(machine)
        if (stays) inside.add(machine)
        const sorted = [...inside].sort((a, b) => (isBefore(figures, a, b) ? -1 : 1))
        expect([...order.machines.subarray(0, order.count)]).toEqual(sorted)
        expect(order.first((one) => one % 2 === 1)).toBe(sorted.find((one) => one % 2 === 1) ?? -1)
      }
    }),
  )
})

it('has the least loaded first, then most free memory, then the lowest number', () => {
  const load = Float64Array.of(2, 1, 1, 1)
  const freeBytes = Float64Array.of(9, 3, 5, 5)
  const order = new LoadOrder({ load, freeBytes })
  for (const machine of [3, 1, 0, 2]) order.add(machine)
  expect([...order.machines]).toEqual([2, 3, 1, 0])
})

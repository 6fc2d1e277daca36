import { describe, expect, it } from 'vitest'
import { readCorpus } from './corpus.ts'
import { faultOf, fuzz } from './fuzzer.ts'
import { targets } from './targets.ts'
import { canary } from './targets/canary.ts'

const seed = 20_251_121
/** So many, however long they take: what is reached must not depend on how busy a machine is. */
const isLong = process.env['GODWIT_LONG'] !== undefined
/** What takes milliseconds is tried less often. */
const fewer: Readonly<Record<string, number>> = {
  capture: 300,
  'urgent-requests': 400,
  'relay-frames': 800,
  'plain-batches': 1200,
  'lz4-block': 1200,
  zstd: 1200,
  'destination-machine': 2500,
  'machine-pair': 2500,
}
/** Machines take long ways, and little time. */
const inputsMaxOf = (name: string): number => {
  return fewer[name] ?? (name.includes('machine') ? 5000 : 2500)
}
const canaryInputsMax = 20_000
const real = targets.filter((one) => one !== canary)

describe.each(real.map((one) => [one.name, one] as const))('%s', (name, target) => {
  it('stays right on every input that failed once', () => {
    const failing = readCorpus(name).filter(({ input }) => faultOf(target, input) !== undefined)
    expect(failing.map(({ path }) => path)).toEqual([])
  })

  it('keeps its rules on some inputs', { timeout: 60_000 }, async () => {
    const budget = isLong ? { seconds: 20 } : { seconds: 25, inputsMax: inputsMaxOf(name) }
    const result = await fuzz(target, [], { seed, budget })
    const input = result.finding && Buffer.from(result.finding.input).toString('hex')
    expect({ kind: result.finding?.kind, input }).toEqual({})
    const labels = [...result.labels.keys()]
    const missed = target.reaches.filter((start) => !labels.some((one) => one.startsWith(start)))
    expect(missed).toEqual([])
  })
})

describe('the fuzzer', () => {
  it('finds the bug of the canary, and makes the input short', async () => {
    const budget = { seconds: 10, inputsMax: canaryInputsMax }
    const { finding } = await fuzz(canary, [], { seed, budget })
    expect(finding?.kind).toBe('Fault: the canary: bytes outside were written')
    expect(faultOf(canary, finding!.input)).toBeDefined()
  })

  it('tries the same inputs for the same seed', async () => {
    const budget = { seconds: 10, inputsMax: 600 }
    const labelsOf = async (each: number) => {
      return [...(await fuzz(real[1]!, [], { seed: each, budget })).labels]
    }
    const [a, b, c] = [await labelsOf(1), await labelsOf(1), await labelsOf(2)]
    expect(a).toEqual(b)
    expect(a).not.toEqual(c)
  })
})

/**
 * How long the simulation of a large data centre takes, in a process of its own, and how much
 * memory. Run as a program it is that process.
 *
 * @module
 */
import { fileURLToPath } from 'node:url'
import { simulate, simulationDefaults } from '@godwit/catalog'
import { GIB, KIB } from '@godwit/core'
import { run } from '../process.ts'
import type { Case } from '../result.ts'
import { toCase } from '../result.ts'
import type { Part, PartOptions } from './part.ts'

const self = fileURLToPath(import.meta.url)
const limitSeconds = 10
const limitBytes = GIB
/** Of a full one. */
const quickShare = 0.01

export const simulatePart: Part = {
  name: 'simulate',
  needsLink: false,
  needsImages: false,
  async measure({ quick, repeat, say }: PartOptions): Promise<Case[]> {
    const machines = Math.round(simulationDefaults.machines * (quick ? quickShare : 1))
    const vms = Math.round(simulationDefaults.vms * (quick ? quickShare : 1))
    const all: Simulated[] = []
    for (let i = 0; i < repeat; i++) {
      say(`${i + 1} of ${repeat}`)
      const args = [...process.execArgv, self, 'simulate', `${machines}`, `${vms}`]
      all.push(JSON.parse(await run(process.execPath, args)) as Simulated)
    }
    const policyCount = simulationDefaults.policies.length
    const name = `${machines} machines, ${vms} guests, ${policyCount} policies`
    return [
      toCase({
        name,
        metric: 'time',
        unit: 's',
        values: all.map(({ seconds }) => seconds),
        bar: { op: '<=', value: limitSeconds },
      }),
      toCase({
        name,
        metric: 'most memory of the process',
        unit: 'bytes',
        values: all.map(({ memoryBytes }) => memoryBytes),
        bar: { op: '<=', value: limitBytes },
      }),
    ]
  },
}

interface Simulated {
  readonly seconds: number
  readonly memoryBytes: number
}

function measureOne(machines: number, vms: number): Simulated {
  const startMs = performance.now()
  simulate({ ...simulationDefaults, machines, vms })
  const seconds = (performance.now() - startMs) / 1e3
  return { seconds, memoryBytes: process.resourceUsage().maxRSS * KIB }
}

if (process.argv[2] === 'simulate' && process.argv[1] === self) {
  const [machines, vms] = process.argv.slice(3).map(Number)
  process.stdout.write(`${JSON.stringify(measureOne(machines!, vms!))}\n`)
}

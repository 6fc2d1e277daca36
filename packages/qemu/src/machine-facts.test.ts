import { GodwitError } from '@godwit/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  checkInOneFile,
  compareFacts,
  type MachineFacts,
  ramBytes,
  readFacts,
} from './machine-facts.ts'

const facts: MachineFacts = {
  cpus: 2,
  machine: 'pc-q35-7.2',
  memory: 256 * 2 ** 20,
  target: 'x86_64',
  version: '7.2.22',
}

function messageOf(action: () => void): string {
  try {
    action()
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

describe('facts of a machine', () => {
  it('are read as they were told', () => {
    expect(readFacts({ ...facts })).toEqual(facts)
    const more = { ...facts, plugged: 4096, backend: 'pc.ram' }
    expect(readFacts({ ...more })).toEqual(more)
  })

  it.each([
    [{ cpus: 0 }, 'cpus'],
    [{ cpus: 1.5 }, 'cpus'],
    [{ cpus: '2' }, 'cpus'],
    [{ memory: 4097 }, 'memory'],
    [{ memory: 0 }, 'memory'],
    [{ memory: 2 ** 60 }, 'memory'],
    [{ plugged: 4097 }, 'plugged'],
    [{ machine: 'a b' }, 'machine'],
    [{ machine: 'x'.repeat(200) }, 'machine'],
    [{ target: '' }, 'target'],
    [{ version: '7.2' }, 'version'],
    [{ backend: 'a b' }, 'backend'],
    [{ backend: 7 }, 'backend'],
    [{ more: 1 }, 'no option "more"'],
  ])('are refused where they are not right: %j', (wrong, text) => {
    const read = (): MachineFacts => readFacts({ ...facts, ...wrong })
    expect(read).toThrow(text)
    expect(read).toThrow(GodwitError)
  })

  it('are those of memory that one file can have, where nothing was plugged in', () => {
    expect(() => checkInOneFile(facts)).not.toThrow()
    const plugged = { ...facts, plugged: 2 ** 20 }
    expect(() => checkInOneFile(plugged)).toThrow(/1 MiB .*plugged in.*attach=stream/)
    expect([facts, plugged].map(ramBytes)).toEqual([256 * 2 ** 20, 257 * 2 ** 20])
  })

  it('any others are a typed error', () => {
    const value = fc.oneof(fc.string(), fc.double(), fc.integer())
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...Object.keys(facts), 'plugged', 'backend'), value),
        (options) => {
          expect(() => readFacts(options)).toThrow(GodwitError)
        },
      ),
    )
  })

  it.each([
    [{}, /^$/],
    [{ version: '8.0.0' }, /^$/],
    [{ version: '7.2.0' }, /^$/],
    [{ version: '7.1.99' }, /has QEMU 7.2.22, the one configured here 7.1.99; .*not be older/],
    [{ version: '6.9.0' }, /not be older/],
    [{ memory: 2 ** 30 }, /memory of 256 MiB, the one configured here 1 GiB; .*\{memory\}/],
    [{ plugged: 2 ** 20 }, /plugged memory of 0 B, .* here 1 MiB; .*pc-dimm/],
    [{ machine: 'pc-i440fx-7.2' }, /machine type pc-q35-7.2, .* here pc-i440fx-7.2; .*-machine/],
    [{ target: 'aarch64' }, /processor x86_64/],
    [{ cpus: 4 }, /number of processors of 2, .* here 4; .*-smp/],
  ])('here %j: %s', (other, text) => {
    const compare = (): void => compareFacts({ ...facts, ...other }, facts)
    expect(messageOf(compare)).toMatch(text)
  })
})

import { GIB, type GuestOffer, MIB, type RegionShape } from '@godwit/core'
import { describe, expect, it, test } from 'vitest'
import type { QemuCommand } from './qemu-config.ts'
import { isInOneFile, planRam } from './ram-plan.ts'

const facts = { cpus: 1, machine: 'pc-q35-7.2-machine', target: 'x86_64', version: '7.2.22' }
const one: QemuCommand = ['qemu', 'mem-path={ram}']
const nodes: QemuCommand = ['qemu', 'mem-path={ram:m0}', 'mem-path={ram:m1}']
const both: QemuCommand = ['qemu', 'mem-path={ram:d0}', 'mem-path={ram}']

type Blocks = readonly (readonly [name: string, byteLength: number])[]

function offerOf(blocks: Blocks, memory: number, more: object = { attach: 'stream' }): GuestOffer {
  const regions = blocks.map(([name, byteLength], id): RegionShape => ({ id, name, byteLength }))
  const options = { ...facts, memory, ...more }
  return { identity: { kind: 'qemu', options }, pageBytes: 4096, regions }
}

const bios = ['pc.bios', 256 * 1024] as const
const numa = [['m0', 96 * MIB], ['m1', 64 * MIB], bios] as const

describe('the memory of a VM that comes as a stream', () => {
  it('is in one file where it is in one block, and others have none', () => {
    const plan = planRam(offerOf([['pc.ram', 96 * MIB], bios], 96 * MIB), one)
    expect(plan.files).toMatchObject([{ name: undefined, block: { name: 'pc.ram' } }])
    expect(plan.totalBytes).toBe(96 * MIB + 256 * 1024)
    expect(isInOneFile(plan)).toBe(true)
  })

  it('is in several where it is in several blocks', () => {
    const plan = planRam(offerOf(numa, 160 * MIB), nodes)
    expect(plan.files).toMatchObject([
      { name: 'm0', byteLength: 96 * MIB, block: { name: 'm0' } },
      { name: 'm1', byteLength: 64 * MIB },
    ])
    expect(isInOneFile(plan)).toBe(false)
  })

  it('that was plugged in has a file beside, also where it is as large', () => {
    const blocks = [['d0', 64 * MIB], ['pc.ram', 64 * MIB], bios] as const
    const plan = planRam(offerOf(blocks, 64 * MIB, { attach: 'stream', plugged: 64 * MIB }), both)
    expect(plan.files.map(({ name, block }) => [name, block!.name])).toEqual([
      [undefined, 'pc.ram'],
      ['d0', 'd0'],
    ])
    expect(isInOneFile(plan)).toBe(false)
  })

  it('is called after its backend, or by the path of that', () => {
    const blocks = [['/objects/m0', 96 * MIB], ['m1', 64 * MIB], bios] as const
    const { files } = planRam(offerOf(blocks, 160 * MIB), nodes)
    expect(files).toMatchObject([
      { name: 'm0', block: { name: '/objects/m0' } },
      { name: 'm1', block: { name: 'm1' } },
    ])
  })

  it('that is larger than a region is one file', () => {
    const blocks = [['pc.ram#0', 4 * GIB], ['pc.ram#1', GIB], bios] as const
    const { files } = planRam(offerOf(blocks, 5 * GIB), one)
    expect(files).toMatchObject([{ byteLength: 5 * GIB, block: { name: 'pc.ram' } }])
  })

  it.each([
    [numa, 160 * MIB, one, 'GUEST_OPTION', /in several: .*"m0" of 96 MiB, "m1".*\{ram:NAME\}/],
    [[numa[0]!], 96 * MIB, nodes, 'GUEST_OPTION', /has \{ram:m1\}: .* has "m0" of 96 MiB$/],
    [
      [
        ['m0', GIB],
        ['m1', GIB],
        ['m2', MIB],
      ],
      2 * GIB,
      ['q', '{ram:m0}'],
      'LIMIT_EXCEEDED',
      /m1/,
    ],
    [[bios], 64 * MIB, one, 'GUEST_OPTION', /in several/],
  ] as const)(
    'has a place for each, or is refused: %j',
    (blocks, memory, command, code, message) => {
      const plan = (): unknown => planRam(offerOf(blocks, memory), command)
      expect(plan).toThrow(
        expect.objectContaining({ code, message: expect.stringMatching(message) }),
      )
    },
  )
})

test('memory in one file, by attach=file, has one place', () => {
  const offer = offerOf([['ram', 64 * MIB]], 64 * MIB, {})
  expect(planRam(offer, one)).toMatchObject({ totalBytes: 64 * MIB, stream: undefined })
  const coded = expect.objectContaining({ code: 'GUEST_OPTION' })
  expect(() => planRam(offer, nodes)).toThrow(coded)
  expect(() => planRam(offerOf([['ram', MIB]], 64 * MIB, {}), one)).toThrow(coded)
  expect(() => planRam(offerOf([['ram', MIB]], MIB, { plugged: MIB }), one)).toThrow(/plugged in/)
  const wrong = { ...offer, pageBytes: 5000 }
  expect(() => planRam(wrong, one)).toThrow(expect.objectContaining({ code: 'PAGE_SIZE_MISMATCH' }))
})

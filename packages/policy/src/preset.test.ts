import { describe, expect, it } from 'vitest'
import { BANDWIDTH_DEFAULT, parseBandwidth } from './bandwidth.ts'
import { MODE_DEFAULT, parseMode } from './hybrid.ts'
import type { PresetSettings } from './preset.ts'
import { PRESET_NAMES, parsePreset, withPreset } from './preset.ts'
import { parseSending } from './select-option.ts'
import { STOP_DEFAULT, parseStop } from './stop-condition.ts'

const bda = { bandwidth: 'bda,link=1Gbit' }

it.each(PRESET_NAMES)('%s is made of what there is', (preset) => {
  const given: PresetSettings = preset === 'bda' ? bda : {}
  const settings: PresetSettings = withPreset({ preset, ...given })
  const { mode = MODE_DEFAULT, stop = STOP_DEFAULT, bandwidth = BANDWIDTH_DEFAULT } = settings
  const read = (): unknown => [
    parseMode(mode),
    parseSending(settings.select, settings.encode),
    parseStop(stop),
    parseBandwidth(bandwidth),
  ]
  expect(read).not.toThrow()
})

describe('as their authors have it', () => {
  const plain = { mode: 'pre-copy', encode: 'none', bandwidth: 'fixed', select: 'all-dirty' }

  it.each([
    [
      'xen',
      {
        ...plain,
        select: 'clark-wws',
        stop: 'max-rounds=30,few-dirty=50,budget=3',
        bandwidth: 'clark',
      },
    ],
    ['qemu', { ...plain, stop: 'downtime=300ms' }],
    [
      'hash75',
      { ...plain, stop: 'downtime=300ms,ratio=0.75', encode: 'same', hash: 'sha256' as const },
    ],
    ['pca', { ...plain, stop: 'max-rounds=30,few-dirty=50' }],
    ['ppc', { ...plain, stop: 'max-rounds=30,few-dirty=50', select: 'ppc' }],
    ['tpo', { mode: 'pre-copy', select: 'tpo', encode: 'delta' }],
    ['hmdc', { mode: 'pre-copy', encode: 'delta,admit=marked' }],
    ['mdd', { mode: 'pre-copy', encode: 'same,mdd' }],
    ['mecom', { mode: 'pre-copy', encode: 'mecom' }],
    ['auto', { mode: 'hybrid', encode: 'auto' }],
  ])('%s', (preset, settings) => {
    expect(withPreset({ preset })).toEqual({ preset, ...settings })
  })

  it('bda, with what only the user knows', () => {
    expect(withPreset({ preset: 'bda', ...bda })).toEqual({
      preset: 'bda',
      mode: 'pre-copy',
      select: 'ppc',
      encode: 'none',
      stop: 'max-rounds=30,few-dirty=50',
      ...bda,
    })
    expect(() => withPreset({ preset: 'bda' })).toThrow(
      expect.objectContaining({
        code: 'USAGE',
        message: 'preset bda: give --bandwidth bda,link=RATE with it',
      }),
    )
  })
})

it('bda without a bandwidth, where a policy decides it', () => {
  const bandwidth = parseBandwidth('fixed')
  expect(withPreset({ preset: 'bda' }, { bandwidth })).toMatchObject({ select: 'ppc' })
  expect(() => withPreset({ preset: 'bda' }, { bandwidth: undefined })).toThrow('give --bandwidth')
})

it('what is said beside it wins, and what is not said does not', () => {
  const asked = { preset: 'xen', select: 'ppc', mode: undefined, memory: 5 }
  expect(withPreset(asked)).toMatchObject({ select: 'ppc', mode: 'pre-copy', memory: 5 })
})

it('without one nothing is changed', () => {
  const asked: PresetSettings = { select: 'ppc' }
  expect(withPreset(asked)).toBe(asked)
})

it.each(['', 'XEN', 'toString', 'xen,rounds=5'])('%j is none', (text) => {
  expect(() => parsePreset(text)).toThrow(
    expect.objectContaining({
      code: 'USAGE',
      message: expect.stringMatching(/there are xen, qemu/),
    }),
  )
})

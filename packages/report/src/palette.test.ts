import { describe, expect, it } from 'vitest'
import type { Color } from './palette.ts'
import { base, encodings, roles } from './palette.ts'

type Rgb = readonly [number, number, number]

/** sRGB (IEC 61966-2-1) to linear light. */
function linear(hex: string): Rgb {
  const part = (at: number): number => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  }
  return [part(1), part(3), part(5)]
}

const luminance = ([r, g, b]: Rgb): number => 0.2126 * r + 0.7152 * g + 0.0722 * b

/** WCAG 2.2, contrast ratio. */
function contrast(one: string, other: string): number {
  const [low, high] = [luminance(linear(one)), luminance(linear(other))].sort((a, b) => a - b)
  return (high! + 0.05) / (low! + 0.05)
}

/** How colours look to eyes without one kind of cone: Machado et al., TVCG 2009, table 1. */
const views = {
  all: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  protan: [0.1523, 1.0526, -0.2049, 0.1145, 0.7863, 0.0992, -0.0039, -0.0481, 1.052],
  deutan: [0.3673, 0.8606, -0.228, 0.2801, 0.6725, 0.0474, -0.0118, 0.0429, 0.9689],
  tritan: [1.2555, -0.0767, -0.1788, -0.0784, 0.9308, 0.1476, 0.0047, 0.6914, 0.3039],
}

function seen([r, g, b]: Rgb, matrix: readonly number[]): Rgb {
  const row = (i: number): number =>
    Math.min(1, Math.max(0, matrix[i]! * r + matrix[i + 1]! * g + matrix[i + 2]! * b))
  return [row(0), row(3), row(6)]
}

/** CIE L*a*b* of linear sRGB, white D65. */
function lab([r, g, b]: Rgb): Rgb {
  const f = (t: number): number => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116)
  const x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505)
  const y = f(luminance([r, g, b]))
  const z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.0888)
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)]
}

/** Colour difference, CIE 1976. */
function difference(one: Rgb, other: Rgb): number {
  return Math.hypot(...one.map((value, i) => value - other[i]!))
}

const themes = ['light', 'dark'] as const
/** What is drawn in an empty box has no colour of its own. */
const filled = Object.entries(encodings).filter(([name]) => name !== 'zero')

it('the yardsticks are right', () => {
  expect(contrast('#000000', '#ffffff')).toBeCloseTo(21, 6)
  expect(contrast('#767676', '#ffffff')).toBeCloseTo(4.54, 2)
  expect(difference(lab(linear('#ffffff')), lab(linear('#000000')))).toBeCloseTo(100, 1)
  const [red, green] = ['#c03028', '#6f6a16'].map((hex) => lab(seen(linear(hex), views.deutan)))
  expect(difference(red!, green!)).toBeLessThan(20)
})

describe.each(themes)('in the %s theme', (theme) => {
  const of = (name: string): string => base[name]![theme]

  it.each(['text', 'soft', 'accent', 'good', 'bad'])('text in %s can be read', (name) => {
    expect(contrast(of(name), of('ground'))).toBeGreaterThan(4.5)
    expect(contrast(of(name), of('panel'))).toBeGreaterThan(4.5)
  })

  it.each([...filled, ...Object.entries(roles)] as [string, Color][])(
    'marks in the colour of %s stand out',
    (_name, color) => {
      expect(contrast(color[theme], of('ground'))).toBeGreaterThan(3)
    },
  )

  it.each(Object.entries(views))('encodings can be told apart by eyes: %s', (_name, matrix) => {
    const looks = filled.map(
      ([name, color]) => [name, lab(seen(linear(color[theme]), matrix))] as const,
    )
    for (const [i, [one, look]] of looks.entries()) {
      for (const [other, otherLook] of looks.slice(i + 1)) {
        expect(difference(look, otherLook), `${one}, ${other}`).toBeGreaterThan(25)
      }
    }
  })
})

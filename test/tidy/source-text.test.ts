import { describe, expect, it } from 'vitest'
import { functionSizes } from './function-sizes.ts'
import { blankTexts, filesNamedIn, importsOf, packageOf } from './source-text.ts'

describe('blankTexts', () => {
  it.each([
    ['a // b', 'a     '],
    ['a /* b\nc */ d', 'a     \n     d'],
    ["a('b{')", "a('  ')"],
    ["'it\\'s' + b", "'     ' + b"],
    ['`a{${b}c}`', '`  ${b}  `'],
    ['`${`a${b}`}` c', '`${` ${b}`}` c'],
    ['x = /[/{]/.test(y) / 2 / z', 'x = /    /.test(y) / 2 / z'],
    ['return /a{2}/', 'return /    /'],
  ])('keeps code and places: %s', (source, blanked) => {
    expect(blankTexts(source)).toBe(blanked)
  })
})

describe('importsOf', () => {
  it('finds imports, exports and dynamic imports, and nothing in comments and texts', () => {
    const source = [
      "import a from './a.ts'",
      "export * from '@godwit/core'",
      "import 'node:fs'",
      "await import('./b.ts')",
      "// import c from './c.ts'",
      "const text = `from './d.ts'`",
    ]
    const found = ['./a.ts', '@godwit/core', 'node:fs', './b.ts']
    expect(importsOf(source.join('\n'))).toEqual(found)
  })

  it('knows packages by their names', () => {
    expect(packageOf('@godwit/testkit/fake-clock')).toBe('@godwit/testkit')
    expect(packageOf('godwit/report-schema')).toBe('godwit')
    expect([packageOf('./a.ts'), packageOf('node:fs')]).toEqual([undefined, undefined])
  })
})

it('filesNamedIn finds workers', () => {
  expect(filesNamedIn("new URL(isTs ? './worker.ts' : './worker.js', base)")).toEqual([
    './worker.ts',
    './worker.js',
  ])
})

describe('functionSizes', () => {
  it.each([
    ['function a(b: C = {}): { d: E; f: G } {\n\n}', 3],
    ['class A {\n  b(\n    c: D,\n  ): void {\n  }\n}', 4],
    ['const a = async (b) => {\n}', 2],
    ['call(a(), b => {\n\n})', 3],
    ['const a = function () {\n}', 2],
  ])('measures %j', (source, lines) => {
    expect(Math.max(...functionSizes(source).map((size) => size.lines))).toBe(lines)
  })

  it.each([
    'if (a) {\n} else {\n}',
    'for (const a of b()) {\n}',
    'while (a) {\n}',
    'switch (a) {\n  case 1:\n}',
    'class A extends B {\n}',
    'a(): B;\nexport class C {\n}',
    'const a = { b: c(),\n  d: {\n } }',
    "describe('a', () => {\n})",
    "describe.each([1])('a', (b) => {\n})",
  ])('takes no notice of %j', (source) => {
    expect(functionSizes(source)).toEqual([])
  })
})

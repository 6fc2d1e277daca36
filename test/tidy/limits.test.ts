import { describe, expect, it } from 'vitest'
import { functionSizes } from './function-sizes.ts'
import { isTest, listFiles, readText } from './repository.ts'

const SOURCE_LINES_MAX = 400
const TEST_LINES_MAX = 600
const FUNCTION_LINES_MAX = 70
const LINE_COLUMNS_MAX = 100

const files = listFiles().filter((path) => path.endsWith('.ts'))

/** What is too big in one file. */
function excesses(path: string, source: string): readonly string[] {
  const lines = source.replace(/\n$/, '').split('\n')
  const linesMax = isTest(path) ? TEST_LINES_MAX : SOURCE_LINES_MAX
  const found = lines.length > linesMax ? [`${path}: ${lines.length} lines`] : []
  lines.forEach((line, index) => {
    if (line.length > LINE_COLUMNS_MAX) found.push(`${path}:${index + 1}: ${line.length} columns`)
  })
  for (const size of functionSizes(source)) {
    if (size.lines <= FUNCTION_LINES_MAX) continue
    found.push(`${path}:${size.line}: a function of ${size.lines} lines`)
  }
  return found
}

describe('limits', () => {
  it('hold in every file', () => {
    expect(files.flatMap((path) => excesses(path, readText(path)))).toEqual([])
  })

  it.each([
    ['a.ts', '\n'.repeat(SOURCE_LINES_MAX + 1), 'a.ts: 401 lines'],
    ['a.test.ts', '\n'.repeat(TEST_LINES_MAX + 1), 'a.test.ts: 601 lines'],
    ['a.ts', `\n${' '.repeat(101)}`, 'a.ts:2: 101 columns'],
    ['a.ts', `\nfunction a() {${'\n'.repeat(70)}}`, 'a.ts:2: a function of 71 lines'],
  ])('would be noticed: %s %#', (path, source, complaint) => {
    expect(excesses(path, source)).toEqual([complaint])
  })

  it('are not passed by what just fits', () => {
    const body = `function a() {${'\n'.repeat(69)}}\n`
    expect(excesses('a.ts', body + '\n'.repeat(SOURCE_LINES_MAX - 70))).toEqual([])
  })
})

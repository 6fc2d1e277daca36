/**
 * Words that must not stay in the repository. They are put together from pieces here, so that this
 * file passes its own test.
 *
 * @module
 */

interface Ban {
  readonly why: string
  readonly pattern: RegExp
  /** Only in tests. */
  readonly inTests?: boolean
  /** Only in these. */
  readonly paths?: RegExp
}

const word = (...pieces: string[]): string => pieces.join('')

const hosts = [
  word('npm', 'js\\.(?:org|com)'),
  word('registry\\.', '[a-z-]+\\.[a-z]+'),
  word('npm\\.pkg', '\\.github\\.com'),
  word('js', 'r\\.io'),
  word('py', 'pi\\.org'),
  word('python', 'hosted\\.org'),
  word('crates', '\\.io'),
  word('arti', 'factory'),
]

const bans: readonly Ban[] = [
  {
    why: 'without an issue number',
    pattern: new RegExp(`\\b${word('TO', 'DO')}\\b(?!\\(#\\d+\\))`),
  },
  {
    why: 'is unfinished',
    pattern: new RegExp(`\\b(?:${word('FIX', 'ME')}|${word('X', 'XX')})\\b`),
  },
  { why: 'silences the compiler', pattern: new RegExp(word('@ts-', '(?:ignore|nocheck)')) },
  { why: 'runs a part of the tests', pattern: /\.only\(/, inTests: true },
  { why: 'skips a test without a reason', pattern: /\.skip\((?!.*\/\/ \S)/, inTests: true },
  {
    why: 'is a path of one machine',
    pattern: new RegExp(
      `(?<![\\w.\\-/~}])/(?:${word('ro', 'ot')}|${word('wo', 'rk')}|home|Users)/`,
    ),
  },
  {
    why: 'may print what a terminal obeys: output.ts prints',
    pattern: /process\.std(?:out|err)\.write\(/,
    paths: /^packages\/cli\/src\/(?!output\.ts|progress\.ts)/,
  },
  { why: 'is a host of a package registry', pattern: new RegExp(hosts.join('|'), 'i') },
]

/** Complaints about one file: `path:line: "word" why`. */
export function bannedWords(path: string, text: string): readonly string[] {
  const active = bans.filter(({ inTests, paths }) => {
    return (inTests !== true || path.endsWith('.test.ts')) && paths?.test(path) !== false
  })
  if (!active.some(({ pattern }) => pattern.test(text))) return []
  return text.split('\n').flatMap((line, index) =>
    active.flatMap(({ why, pattern }) => {
      const match = pattern.exec(line)
      return match === null ? [] : [`${path}:${index + 1}: "${match[0]}" ${why}`]
    }),
  )
}

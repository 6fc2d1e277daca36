/**
 * A light reading of TypeScript, enough for house rules: what is code, what is comment or text, and
 * what is imported. The compiler's own parser has no public interface in the version we use.
 *
 * @module
 */

/** Words after which a `/` begins a regular expression, not a division. */
const wordBeforeRegex = /(?:^|[^\w$.])(?:return|typeof|case|of|in|do|else|void|throw|await|yield)$/
const signBeforeRegex = /[(,=:[!&|?{};+\-*%<>~^]$/

/**
 * The source with comments and the insides of texts and regular expressions blanked; every position
 * and line stays where it was. Code within `${}` stays.
 */
export function blankTexts(source: string): string {
  const out = source.split('')
  const blank = (from: number, to: number): void => {
    for (let i = from; i < to && i < out.length; i++) if (out[i] !== '\n') out[i] = ' '
  }
  /** Depth of braces at which each open `${` ends. */
  const holes: number[] = []
  let depth = 0
  let before = ''
  let at = 0
  while (at < source.length) {
    const sign = source[at]!
    const end = skip(source, at, before)
    if (end > at) {
      const isComment = sign === '/' && (source[at + 1] === '/' || source[at + 1] === '*')
      blank(isComment ? at : at + 1, isComment ? end : end - 1)
      at = end
      if (!isComment) before = `${before.slice(-12)}'`
      continue
    }
    if (sign === '{') depth++
    if (sign === '}') depth--
    const closesHole = sign === '}' && holes.at(-1) === depth
    if (closesHole) holes.pop()
    at++
    if (sign === '`' || closesHole) {
      const stop = templateEnd(source, at)
      blank(at, stop)
      at = stop
      if (source[at] === '$') {
        holes.push(depth++)
        at += 2
      } else at++
    }
    if (sign.trim() !== '') before = `${before.slice(-12)}${sign}`
    else if (/\w$/.test(before)) before += ' '
  }
  return out.join('')
}

/** The end of the comment, text or regular expression that begins at `at`; `at` if none does. */
function skip(source: string, at: number, before: string): number {
  const sign = source[at]!
  if (source.startsWith('//', at)) return indexOr(source, '\n', at)
  if (source.startsWith('/*', at)) return indexOr(source, '*/', at + 2, 2)
  if (sign === "'" || sign === '"') return closing(source, at, sign)
  const code = before.trimEnd()
  const mayBegin = code === '' || signBeforeRegex.test(code) || wordBeforeRegex.test(code)
  return sign === '/' && mayBegin ? closing(source, at, '/') : at
}

function indexOr(source: string, text: string, from: number, more = 0): number {
  const found = source.indexOf(text, from)
  return found < 0 ? source.length : found + more
}

/** Behind the `quote` that closes what began at `at`; brackets of a regular expression hide it. */
function closing(source: string, at: number, quote: string): number {
  let isClass = false
  for (let i = at + 1; i < source.length; i++) {
    const sign = source[i]!
    if (sign === '\\') i++
    else if (sign === '\n') return i
    else if (quote === '/' && sign === '[') isClass = true
    else if (quote === '/' && sign === ']') isClass = false
    else if (sign === quote && !isClass) return i + 1
  }
  return source.length
}

/** Where the text of a template ends: at its quote or at `${`. */
function templateEnd(source: string, from: number): number {
  for (let i = from; i < source.length; i++) {
    if (source[i] === '\\') i++
    else if (source[i] === '`' || source.startsWith('${', i)) return i
  }
  return source.length
}

/** What a file imports, re-exports or loads, in order: `./lane.ts`, `@godwit/core`, `node:fs`. */
export function importsOf(source: string): readonly string[] {
  const code = blankTexts(source)
  const form = /\b(?:from\s*|import\s*\(?\s*)(['"])( *)\1/g
  return [...code.matchAll(form)].map((match) => {
    const end = match.index + match[0].length - 1
    return source.slice(end - match[2]!.length, end)
  })
}

/** Relative paths to other files that stand in texts of the code: imports, worker URLs. */
export function filesNamedIn(source: string): readonly string[] {
  const code = blankTexts(source)
  return [...code.matchAll(/(['"])( +)\1/g)]
    .map((match) => source.slice(match.index + 1, match.index + 1 + match[2]!.length))
    .filter((text) => /^\.{1,2}\/[^\s]*\.(?:ts|js)$/.test(text))
}

/** `@godwit/testkit/channel-compliance` -> `@godwit/testkit`; undefined for files and Node. */
export function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith('.') || specifier.startsWith('node:')) return undefined
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

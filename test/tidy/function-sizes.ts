/**
 * Where functions begin and end, by matching brackets.
 *
 * @module
 */
import { blankTexts } from './source-text.ts'

/** A function that was found; lines are counted from 1, ends included. */
export interface FunctionSize {
  readonly line: number
  readonly lines: number
}

interface Frame {
  readonly sign: string
  readonly at: number
  /** The word in front of a `(`. */
  readonly word: string
  /** Where the function that this `{` is the body of begins; -1 for any other bracket. */
  readonly head: number
  /** The last pair of parentheses that closed within. */
  closed: { readonly open: number; readonly close: number; readonly word: string } | undefined
}

const notFunctions = new Set(['if', 'for', 'while', 'switch', 'catch', 'with'])
/** What stands between a function's end and a `{` that is not its body. */
const declaration = /\b(?:class|interface|export|const|type|static)\b/
/** Their callbacks group tests; the tests within are measured. */
const groups = new Set(['describe'])

/** All functions, methods and arrow functions with a body in braces. */
export function functionSizes(source: string): readonly FunctionSize[] {
  const code = blankTexts(source)
  const lineOf = lineCounter(code)
  const sizes: FunctionSize[] = []
  const stack: Frame[] = [{ sign: '', at: 0, word: '', head: -1, closed: undefined }]
  for (let at = 0; at < code.length; at++) {
    const sign = code[at]!
    const top = stack.at(-1)!
    if ('({['.includes(sign)) {
      const word = sign === '(' ? wordBefore(code, at) : ''
      const head = sign === '{' ? headOf(code, at, top) : -1
      stack.push({ sign, at, word, head, closed: undefined })
    } else if (')}]'.includes(sign) && stack.length > 1) {
      stack.pop()
      const parent = stack.at(-1)!
      if (sign === ')') parent.closed = { open: top.at, close: at, word: top.word }
      if (top.head >= 0) {
        const line = lineOf(top.head)
        sizes.push({ line, lines: lineOf(at) - line + 1 })
      }
    }
  }
  return sizes
}

function lineCounter(code: string): (at: number) => number {
  let counted = 0
  let line = 1
  return (at) => {
    if (at < counted) {
      counted = 0
      line = 1
    }
    for (; counted < at; counted++) if (code[counted] === '\n') line++
    return line
  }
}

function wordBefore(code: string, at: number): string {
  return /([\w$]+)\s*(?:<[^<>()]*>)?\s*$/.exec(code.slice(Math.max(0, at - 80), at))?.[1] ?? ''
}

/** Where the function begins whose body opens at `at`, or -1 when no function's does. */
function headOf(code: string, at: number, frame: Frame): number {
  const { closed } = frame
  const between = closed === undefined ? '' : code.slice(closed.close + 1, at)
  if (/=>\s*$/.test(code.slice(Math.max(0, at - 40), at))) {
    if (frame.sign === '(' && groups.has(groupOf(code, frame))) return -1
    return closed !== undefined && !/[;,]/.test(between) ? closed.open : at
  }
  if (closed === undefined || notFunctions.has(closed.word)) return -1
  const type = between.replaceAll(/\{[^{}]*\}/g, '')
  const isBody = /^\s*(?::[^;=]*)?$/.test(type) && !declaration.test(type)
  return isBody ? closed.open : -1
}

/** The word that says what a call is: of `describe.each([...])(`, the part before the table. */
function groupOf(code: string, frame: Frame): string {
  if (frame.word !== '') return frame.word
  return /\bdescribe\.each\b[^]*\)\s*$/.test(code.slice(Math.max(0, frame.at - 2000), frame.at))
    ? 'describe'
    : ''
}

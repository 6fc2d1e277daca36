/**
 * The numbered statements of the specification.
 *
 * @module
 */

/** One numbered statement. */
export interface Clause {
  /** `C3.4`: the fourth of section 3. */
  readonly id: string
  readonly section: number
  readonly number: number
  /** The section that it stands in. */
  readonly place: number
}

const heading = /^## (\d+)\. /
const mark = /\*\*\[C(\d+)\.(\d+)\]\*\*/g

const shownCharsMax = 72

/** How every clause begins, in the order of the document: as text, without marks. */
export function clauseTexts(document: string): ReadonlyMap<string, string> {
  return new Map(
    [...document.matchAll(mark)].map((match) => {
      const [marked, section, number] = match
      const line = document.slice(document.lastIndexOf('\n', match.index) + 1, match.index)
      const rest = document.slice(match.index + marked.length)
      const [label] = line.startsWith('| ') ? line.split('|').slice(1) : []
      const text = plain(rest.split(label === undefined ? /\n\n|\n[-#|]/ : '\n')[0]!)
      const [sentence = ''] = text.split(/(?<=[a-z)0-9][.;:]) (?=[A-Z]|$)/)
      const name = plain(label ?? '')
      return [`C${section}.${number}`, shorten(name === '' ? sentence : `${name}: ${sentence}`)]
    }),
  )
}

function plain(markdown: string): string {
  const text = markdown.replaceAll(/[`*]|\[|\]\([^)]*\)/g, '').replaceAll('|', ' ')
  return text.replaceAll(/\s+/g, ' ').trim()
}

function shorten(text: string): string {
  if (text.length <= shownCharsMax) return text
  return `${text.slice(0, text.lastIndexOf(' ', shownCharsMax - 3))}...`
}

/** The clauses of a document in the order in which they stand there. */
export function clausesOf(document: string): readonly Clause[] {
  let place = 0
  return document.split('\n').flatMap((line) => {
    place = Number(heading.exec(line)?.[1] ?? place)
    return [...line.matchAll(mark)].map(([, section, number]) => {
      const id = `C${section}.${number}`
      return { id, section: Number(section), number: Number(number), place }
    })
  })
}

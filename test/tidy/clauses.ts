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

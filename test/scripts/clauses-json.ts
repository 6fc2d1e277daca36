/**
 * How every clause of the specification begins, for the package that plays them.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { clauseTexts } from '../tidy/clauses.ts'

/** Where the file belongs. */
export const clausesUrl: URL = new URL('../../packages/conformance/clauses.json', import.meta.url)

const documentUrl = new URL('../../docs/PROTOCOL.md', import.meta.url)

/** The text of the file. */
export function clausesJson(): string {
  const texts = Object.fromEntries(clauseTexts(readFileSync(documentUrl, 'utf8')))
  return `${JSON.stringify(texts, null, 2)}\n`
}

import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { clausesJson, clausesUrl } from '../scripts/clauses-json.ts'
import { conformanceJsonSchema, conformanceSchemaUrl } from '../scripts/conformance-json-schema.ts'
import { papersText, papersUrl } from '../scripts/papers-text.ts'
import { reportJsonSchema, reportSchemaUrl } from '../scripts/report-json-schema.ts'

it.each([
  ['docs/schema/report.schema.json', reportSchemaUrl, reportJsonSchema],
  ['docs/schema/conformance.schema.json', conformanceSchemaUrl, conformanceJsonSchema],
  ['packages/conformance/clauses.json', clausesUrl, clausesJson],
  ['docs/PAPERS.md', papersUrl, papersText],
])('%s is up to date (pnpm run docs writes it)', (_name, url, text) => {
  expect(readFileSync(url, 'utf8')).toBe(text())
})

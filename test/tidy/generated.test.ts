import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { reportJsonSchema, reportSchemaUrl } from '../scripts/report-json-schema.ts'

it('docs/schema/report.schema.json is up to date (pnpm run docs writes it)', () => {
  expect(readFileSync(reportSchemaUrl, 'utf8')).toBe(reportJsonSchema())
})

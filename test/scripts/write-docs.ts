/**
 * Writes the documents that are made from the sources (`pnpm run docs`); a tidy test compares them.
 *
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { clausesJson, clausesUrl } from './clauses-json.ts'
import { conformanceJsonSchema, conformanceSchemaUrl } from './conformance-json-schema.ts'
import { papersText, papersUrl } from './papers-text.ts'
import { reportJsonSchema, reportSchemaUrl } from './report-json-schema.ts'

mkdirSync(new URL('.', reportSchemaUrl), { recursive: true })
writeFileSync(reportSchemaUrl, reportJsonSchema())
writeFileSync(conformanceSchemaUrl, conformanceJsonSchema())
writeFileSync(clausesUrl, clausesJson())
writeFileSync(papersUrl, papersText())

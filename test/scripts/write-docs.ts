/**
 * Writes the documents that are made from the sources (`pnpm run docs`); a tidy test compares them.
 *
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { reportJsonSchema, reportSchemaUrl } from './report-json-schema.ts'

mkdirSync(new URL('.', reportSchemaUrl), { recursive: true })
writeFileSync(reportSchemaUrl, reportJsonSchema())

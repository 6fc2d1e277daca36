/**
 * The report's schema as JSON Schema 2020-12, for programs that are not written in TypeScript.
 *
 * @module
 */
import { toJsonSchema } from '@valibot/to-json-schema'
import { REPORT_SCHEMA } from '@godwit/core'
import { reportSchema } from 'godwit/report-schema'

/** Where the file belongs. */
export const reportSchemaUrl: URL = new URL('../../docs/schema/report.schema.json', import.meta.url)

/** The text of the file. */
export function reportJsonSchema(): string {
  // JSON has no number that is not finite, so JSON Schema has no word for it.
  const { $schema, ...schema } = toJsonSchema(reportSchema, {
    target: 'draft-2020-12',
    ignoreActions: ['finite'],
  })
  return `${JSON.stringify({ $schema, $id: REPORT_SCHEMA, ...schema }, null, 2)}\n`
}

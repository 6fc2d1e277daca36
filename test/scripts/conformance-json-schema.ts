/**
 * The schema of `godwit conformance --json` as JSON Schema 2020-12.
 *
 * @module
 */
import { CONFORMANCE_SCHEMA, conformanceSchema } from '@godwit/conformance'
import { toJsonSchema } from '@valibot/to-json-schema'

/** Where the file belongs. */
export const conformanceSchemaUrl: URL = new URL(
  '../../docs/schema/conformance.schema.json',
  import.meta.url,
)

/** The text of the file. */
export function conformanceJsonSchema(): string {
  const { $schema, ...schema } = toJsonSchema(conformanceSchema, { target: 'draft-2020-12' })
  return `${JSON.stringify({ $schema, $id: CONFORMANCE_SCHEMA, ...schema }, null, 2)}\n`
}

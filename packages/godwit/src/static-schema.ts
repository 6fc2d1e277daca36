/**
 * The part of a report that tells what the destination had before.
 *
 * @module
 */
import type { StaticReport } from '@godwit/core'
import * as v from 'valibot'
import { amount, count, text } from './schema-fields.ts'

export const staticPages: v.GenericSchema<StaticReport> = v.pipe(
  v.object({
    mode: v.exactOptional(
      v.pipe(
        v.picklist(['position', 'content']),
        v.description('By what pages are looked up in the first map that was offered.'),
      ),
    ),
    os: v.exactOptional(text('Of that map, as `hypervisor`: `NAME/VERSION`.')),
    hypervisor: v.exactOptional(text('As `os`.')),
    mapVersion: v.exactOptional(count('Of that map.')),
    entries: count('Contents in all sets that were offered; of an image, those told of.'),
    heldEntries: count('Of them, those that the destination said it holds.'),
    pages: count('Pages that were sent by the number of their content.'),
    repairedPages: v.exactOptional(
      count('Pages that the destination asked for once more, for whatever reason. Source only.'),
    ),
    ms: amount('Milliseconds of the search; source: of making the look-up.'),
    reason: v.exactOptional(text('Why less, or nothing, was offered or found.')),
  } satisfies Record<keyof StaticReport, unknown>),
  v.description('Contents that the destination had before: of siblings, or of stored images.'),
)

/**
 * The part of the report's schema that is about how pages were encoded.
 *
 * @module
 */
import type { EncodingReport } from '@godwit/core'
import * as v from 'valibot'
import { amount, count, text } from './schema-fields.ts'

type Cache = NonNullable<EncodingReport['cache']>
type Compression = NonNullable<EncodingReport['compression']>

const cache = v.pipe(
  v.object({
    limitBytes: count('Most bytes that may be kept, all lanes together.'),
    usedBytes: count('Bytes kept at the end.'),
    hits: count('Dirty pages whose last version was kept.'),
    misses: count('Dirty pages whose last version was not.'),
    hitRate: amount('Hits per lookup.'),
    overflows: count('Hits whose delta would have been too long.'),
    similarPages: count('Deltas to a similar page, not to the own past.'),
    refused: count('Pages that were not taken in, since no colder one was in their way.'),
    evicted: count('Pages that gave way to hotter ones.'),
  } satisfies Record<keyof Cache, unknown>),
  v.description('Versions last sent, for deltas.'),
)

const store = v.pipe(
  v.object({
    limitBytes: count('Most bytes that may be kept, all lanes together.'),
    usedBytes: count('Bytes kept at the end.'),
  }),
  v.description('Older versions of pages, which the destination keeps, too.'),
)

const measured = v.object({
  linkBytesPerSecond: amount('What the link took while there was always something to send.'),
  plainBytesPerSecond: amount('Input of zstd at level 1, all its threads together.'),
  plainSize: amount('Output per input at level 1.'),
} satisfies Record<keyof NonNullable<Compression['measured']>, unknown>)

const compression = v.pipe(
  v.object({
    algorithm: v.picklist(['zstd', 'lz4']),
    batchesByLevel: v.pipe(
      v.record(v.string(), v.pipe(v.number(), v.safeInteger())),
      v.description('Batches by the level they were compressed with; 0: not at all.'),
    ),
    randomBatches: count('Batches of pages that nothing can make smaller.'),
    plainBatches: count('Batches sent as pages are: the link was faster than any encoder.'),
    measured: v.exactOptional(measured),
    reason: v.exactOptional(text('Why so, in a sentence.')),
  } satisfies Record<keyof Compression, unknown>),
  v.description('Of whole batches.'),
)

export const encoding: v.GenericSchema<EncodingReport> = v.pipe(
  v.object({
    asked: text('What was asked for, as `--encode` has it.'),
    heldPages: count('Pages left to a later round, since they were dirty again.'),
    repairedPages: count('Pages that the destination asked for once more.'),
    cache: v.exactOptional(cache),
    store: v.exactOptional(store),
    compression: v.exactOptional(compression),
  } satisfies Record<keyof EncodingReport, unknown>),
  v.description('What encoding came to, where pages are looked at one by one. Source only.'),
)
